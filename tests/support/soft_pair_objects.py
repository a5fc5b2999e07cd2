"""Random uses of objects that each TPM of `soft_pair` creates itself, such as duplicates and credentials.

Some responses of one TPM go to the other one.
"""

from collections.abc import Callable
from typing import Any

from tests.support.soft_pair_core import AES, HMAC, NO_SCHEME, NO_SYMMETRIC, scheme_of
from tests.support.soft_pair_keys import HASHES, KeyPair
from tpmwire import commands
from tpmwire.crypto.formulas import digest
from tpmwire.crypto.salt import seal_secret
from tpmwire.keys import templates
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.soft.objects import to_buffer
from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.spec.properties import TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import (
    TPMS_KEYEDHASH_PARMS,
    TPMS_PCR_SELECTION,
    TPMS_SENSITIVE_CREATE,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF,
)

__all__ = ["ObjectPair"]

A, N = TPMA_OBJECT, TPMA_NV
SEALED = TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL)
CIPHER = TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB)
XOR = TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)
PCRS = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, b"\x81\0\0"),)
HIERARCHIES = (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL)
NV_OPEN = N.OWNERWRITE | N.OWNERREAD | N.AUTHREAD | N.AUTHWRITE | N.PPREAD | N.PPWRITE


def _attested(data: bytes) -> Any:
    """Returns the parts of an attestation that are equal in both TPMs."""
    found = TPMS_ATTEST.parse(data)
    hidden = (
        "time",
        "firmware_version",
        "audit_counter",
        "audit_digest",
        "session_digest",
        "name",
        "qualified_name",
    )
    hidden += ("object_name", "creation_hash")
    return (
        found.magic,
        found.type,
        found.extra_data,
        {k: v for k, v in vars(found.attested).items() if k not in hidden},
    )


class ObjectPair(KeyPair):
    """Two TPMs that get commands with objects of their own, and with the keys of KeyPair."""

    def _storage(self, hierarchy: int = TPM_RH.OWNER) -> int:
        """Creates a storage key, and returns its handle or 0. `self.primary` has the responses."""
        return self._create_primary(hierarchy, templates.storage("ecc256"))

    def _public(self, attributes: A, policy: bytes = b"", scheme: TPMT_KEYEDHASH_SCHEME = SEALED) -> TPMT_PUBLIC:
        attributes |= A.USER_WITH_AUTH if self._chance(0.85) else A(0)
        attributes |= A.NO_DA if self._chance(0.4) else A(0)
        alg = TPM_ALG.SHA256 if policy else self.random.choice(HASHES)
        return TPMT_PUBLIC(TPM_ALG.KEYEDHASH, alg, attributes, policy, TPMS_KEYEDHASH_PARMS(scheme), b"")

    def _create(self, parent: int, public: TPMT_PUBLIC, data: bytes) -> tuple[list[Any], bytes] | None:
        """Creates an object in both TPMs. Returns the responses and the authValue."""
        auth = self.random.choice((b"", b"pw", b"own"))
        made = self.both(
            lambda _: commands.Create(parent, TPMS_SENSITIVE_CREATE(auth, data), public, b"outside", PCRS),
            self._auth(parent),
            compare=lambda r: (
                r.out_public.replace(unique=b""),
                len(r.out_private),
                r.creation_data.replace(parent_name=b"", parent_qualified_name=b""),
            ),
        )
        return None if made is None else (made, auth)

    def _load(self, parent: int, privates: list[bytes], publics: list[TPMT_PUBLIC], auth: bytes) -> int:
        damaged = self._chance(0.03)

        def make(side: int) -> Any:
            private = privates[side]
            return commands.Load(parent, private[:-1] + bytes([private[-1] ^ damaged]), publics[side])

        loaded = self.both(make, self._auth(parent), compare=lambda r: r.object_handle)
        self._note_loaded(loaded, auth)
        return int(loaded[0].object_handle) if loaded is not None else 0

    def _create_and_load(self, parent: int, public: TPMT_PUBLIC, data: bytes = b"") -> int:
        created = self._create(parent, public, data)
        if created is None:
            return 0
        made, auth = created
        return self._load(parent, [r.out_private for r in made], [r.out_public for r in made], auth)

    def _execute(self, command: Any, *handles: int, compare: Callable[[Any], Any] = vars) -> list[Any] | None:
        """Executes the same command in both TPMs with the passwords of the handles."""
        return self.both(lambda _: command, *[self._auth(handle) for handle in handles], compare=compare)

    # Sealed data.

    def use_sealed_data(self) -> None:
        parent = self._storage(self.random.choice(HIERARCHIES))
        if not parent:
            return
        public = self._public(A.FIXED_TPM | A.FIXED_PARENT)
        created = self._create(parent, public, self.random.randbytes(self.random.choice((1, 32, 128))))
        if created is None:
            return
        made, auth = created
        publics = [r.out_public for r in made]
        handle = self._load(parent, [r.out_private for r in made], publics, auth)
        if not handle:
            return
        self._execute(commands.Unseal(handle), handle)
        self._use_in_session(handle)
        if self._chance(0.5):
            new = self.random.choice((b"", b"new", bytes(20)))
            command = commands.ObjectChangeAuth(handle, parent, new)
            changed = self._execute(command, handle, compare=lambda r: len(r.out_private))
            if changed is not None:
                again = self._load(parent, [r.out_private for r in changed], publics, new)
                self._execute(commands.Unseal(again or handle), again or handle)
        if self._chance(0.4):
            self._make_persistent(handle)

    def _make_persistent(self, handle: int) -> None:
        """Makes the object persistent, uses it, and removes it."""
        persistent = self.random.choice((0x81000001, 0x81000001, 0x81800001))
        by = TPM_RH.OWNER if persistent < 0x81800000 else TPM_RH.PLATFORM
        if self._execute(commands.EvictControl(by, handle, persistent), by) is None:
            return
        self._auths[persistent] = self._auths[handle]
        self.both(lambda _: commands.FlushContext(handle))
        self._loaded.remove(handle)
        self._execute(commands.Unseal(persistent), persistent)
        self._execute(commands.EvictControl(by, persistent, persistent), by)

    def _use_in_session(self, handle: int) -> None:
        """Unseals under an HMAC session, which may be bound, and may encrypt."""
        auth, bound = self._auths.get(handle, b""), self._chance(0.4)
        alg, cipher = self.random.choice(HASHES), self.random.choice((CIPHER, XOR))
        starts = [
            SessionStart(TPM_SE.HMAC, alg, cipher, bind=handle, bind_name=tpm.name(handle), bind_auth=Secret(auth))
            if bound
            else SessionStart(TPM_SE.HMAC, alg, cipher)
            for tpm in self.tpms
        ]
        sessions = self._begin(starts)
        for _ in range(2 if sessions is not None else 0):
            given = auth if self._chance(0.9) else b"wrong"
            flags = {"encrypt": self._chance(0.6), "audit": self._chance(0.3)}
            self.both(
                lambda _: commands.Unseal(handle),
                lambda side, given=given, flags=flags: sessions[side].use(given, **flags),
                compare=vars,
            )
        if sessions is not None:
            self._flush_session(sessions[0].handle)

    def _begin(self, starts: list[SessionStart]) -> list[Any] | None:
        begun = self.both(lambda side: starts[side].command, compare=lambda r: r.session_handle)
        if begun is None:
            return None
        return [start.finish(response) for start, response in zip(starts, begun, strict=True)]

    def use_salted_session(self) -> None:
        """Changes the authValue of an NV index under a session that is salted to a storage key."""
        parent = self._storage()
        if not parent or self.primary is None:
            return
        starts = []
        changed = int(self._chance(0.1))
        for made in self.primary:
            salt, encrypted = seal_secret(made.out_public)
            encrypted = encrypted[:-1] + bytes([encrypted[-1] ^ changed])
            starts.append(
                SessionStart(
                    TPM_SE.HMAC, TPM_ALG.SHA256, CIPHER, tpm_key=parent, salt=salt, encrypted_salt=encrypted
                )
            )
        sessions = self._begin(starts)
        if sessions is None:
            return
        public, auth = TPMS_NV_PUBLIC(0x01500005, TPM_ALG.SHA256, NV_OPEN, b"", 20), self._password()
        self.both(
            lambda _: commands.NV_DefineSpace(TPM_RH.OWNER, auth, public),
            lambda side: sessions[side].use(b"", decrypt=True),
        )
        self._auths[0x01500005] = auth
        data = self.random.randbytes(20)
        for command in (
            commands.NV_Write(0x01500005, 0x01500005, data),
            commands.NV_Read(0x01500005, 0x01500005, 20, 0),
        ):
            reads = isinstance(command, commands.NV_Read)
            self.both(
                lambda _, command=command: command,
                lambda side, reads=reads: sessions[side].use(auth, decrypt=not reads, encrypt=reads),
                compare=vars,
            )
        self._execute(commands.NV_UndefineSpace(TPM_RH.OWNER, 0x01500005), TPM_RH.OWNER)
        self._flush_session(sessions[0].handle)

    # Duplicates and credentials, from one TPM to the other.

    def _duplicable(self, parent: int, session_policy: bytes) -> int:
        origin = A.SENSITIVE_DATA_ORIGIN | A.SIGN_ENCRYPT
        origin |= A.ENCRYPTED_DUPLICATION if self._chance(0.3) else A(0)
        public = self._public(origin, session_policy, HMAC)
        created = self._create(parent, public, b"")
        if created is None:
            return 0
        made, auth = created
        self.duplicable = [r.out_public for r in made]
        return self._load(parent, [r.out_private for r in made], self.duplicable, auth)

    def use_duplicate(self) -> None:
        """Duplicates a key of each TPM to the other TPM, imports it there, and compares HMACs of both."""
        parent = self._storage()
        if not parent or self.primary is None:
            return
        primary = self.primary
        codes = (code.to_bytes(4, "big") for code in (TPM_CC.PolicyCommandCode, TPM_CC.Duplicate))
        policy = digest(TPM_ALG.SHA256, bytes(32), *codes)
        handle = self._duplicable(parent, policy)
        if not handle:
            return
        auth = self._auths[handle]
        new = self.both(lambda side: commands.LoadExternal(None, primary[1 - side].out_public, TPM_RH.OWNER))
        if new is None:
            return
        target = new[0].object_handle if self._chance(0.85) else TPM_RH.NULL
        inner = AES if self._chance(0.4) else NO_SYMMETRIC
        key = self.random.randbytes(16) if inner is AES and self._chance(0.5) else b""
        sessions = self._start(lambda: SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256))
        if sessions is None:
            return
        session = sessions[0].handle
        self._execute(commands.PolicyCommandCode(session, TPM_CC.Duplicate))
        made = self.both(
            lambda _: commands.Duplicate(handle, target, key, inner),
            lambda side: sessions[side].use(b""),
            compare=lambda r: (len(r.duplicate), len(r.encryption_key_out), len(r.out_sym_seed) > 0),
        )
        self._flush_session(session)
        for loaded in (handle, new[0].object_handle):
            self.both(lambda _, loaded=loaded: commands.FlushContext(loaded))
        if made is None:
            return
        publics = [self.duplicable[1], self.duplicable[0]]
        imported = self.both(
            lambda side: commands.Import(
                parent,
                key or made[1 - side].encryption_key_out,
                publics[side],
                self._spoiled_once(made[1 - side].duplicate),
                made[1 - side].out_sym_seed,
                inner,
            ),
            self._auth(parent),
            compare=lambda r: len(r.out_private),
        )
        if imported is None:
            return
        loaded = self._load(parent, [r.out_private for r in imported], publics, auth)
        if loaded:
            self._execute(commands.HMAC(loaded, b"data", TPM_ALG.NULL), loaded, compare=lambda r: len(r.out_hmac))

    def _spoiled_once(self, data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ self._chance(0.05)]) if data else data

    def use_rewrap(self) -> None:
        """Imports a duplicate that the host makes, rewrapped by the TPM from one parent to another or not."""
        parent = self._storage()
        if not parent:
            return
        seed, secret = bytes(range(32)), self._data(60)
        alg = TPM_ALG.SHA256
        public = self._public(A.SIGN_ENCRYPT, b"", HMAC).replace(name_alg=alg, unique=digest(alg, seed, secret))
        auth = self.random.choice((b"", b"own"))
        private = to_buffer(TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, auth, seed, secret))
        imported = self.both(
            lambda _: commands.Import(parent, b"", public, self._spoiled_once(private), b"", NO_SYMMETRIC),
            self._auth(parent),
            compare=lambda r: len(r.out_private),
        )
        if imported is None:
            return
        handle = self._load(parent, [r.out_private for r in imported], [public, public], auth)
        if not handle:
            return
        for _ in range(2):
            self._execute(commands.HMAC(handle, self._data(100), TPM_ALG.NULL), handle)
        self.both(lambda _: commands.ReadPublic(handle), compare=lambda r: r.name)

    def use_credential(self) -> None:
        """Activates a credential for an object that the other TPM makes with the public key."""
        parent = self._storage()
        if not parent or self.primary is None:
            return
        primary = self.primary
        handle = self._create_and_load(parent, self._public(A.FIXED_TPM | A.FIXED_PARENT), b"sealed")
        if not handle:
            return
        names = [tpm.name(handle) for tpm in self.tpms]
        new = self.both(lambda side: commands.LoadExternal(None, primary[1 - side].out_public, TPM_RH.OWNER))
        if new is None:
            return
        credential = self._spoil(self.random.randbytes(self.random.choice((1, 16, 32))))
        made = self.both(
            lambda side: commands.MakeCredential(new[0].object_handle, credential, names[1 - side]),
            compare=lambda r: (len(r.credential_blob), len(r.secret)),
        )
        if made is None:
            return
        self.both(
            lambda side: commands.ActivateCredential(
                handle, parent, self._spoiled_once(made[1 - side].credential_blob), made[1 - side].secret
            ),
            self._auth(handle),
            self._auth(parent),
            compare=vars,
        )

    # Attestations.

    def use_attestation(self) -> None:
        """Attests objects, PCRs, time, an NV index and audit digests, with the keys of both kinds."""
        restricted = self._chance(0.5)
        alg = self.random.choice((TPM_ALG.HMAC, TPM_ALG.RSASSA, TPM_ALG.ECDSA))
        hash_alg, fixed = self.random.choice(HASHES), self._chance(0.6)
        key = self._restricted(TPM_RH.ENDORSEMENT) if restricted else self._signer(alg, hash_alg, fixed=fixed)
        if not key:
            return
        scheme = NO_SCHEME if restricted or fixed else scheme_of(alg, hash_alg)
        scheme = NO_SCHEME if self._chance(0.05) else scheme
        signer = key if self._chance(0.9) else TPM_RH.NULL
        nonce = self._data(32)
        index, endorsement = 0x01500006, TPM_RH.ENDORSEMENT
        public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, NV_OPEN, b"", 32)
        self._execute(commands.NV_DefineSpace(TPM_RH.OWNER, b"", public), TPM_RH.OWNER)
        self._auths[index] = b""
        if self._chance(0.9):
            self._execute(commands.NV_Write(index, index, bytes(range(32))), index)
        size, offset = self.random.choice(((32, 0), (5, 3), (0, 0), (33, 0)))
        selections = tuple(
            TPMS_PCR_SELECTION(bank, self.random.randbytes(3)) for bank in (TPM_ALG.SHA1, TPM_ALG.SHA256)
        )
        for command, handles, field in (
            (commands.Quote(signer, nonce, scheme, selections), (signer,), "quoted"),
            (commands.Certify(key, signer, nonce, scheme), (key, signer), "certify_info"),
            (commands.GetTime(endorsement, signer, nonce, scheme), (endorsement, signer), "time_info"),
            (
                commands.NV_Certify(signer, index, index, nonce, scheme, size, offset),
                (signer, index),
                "certify_info",
            ),
            (
                commands.GetCommandAuditDigest(endorsement, signer, nonce, scheme),
                (endorsement, signer),
                "audit_info",
            ),
        ):
            self._execute(command, *handles, compare=lambda r, field=field: _attested(getattr(r, field)))
        self._execute(commands.NV_UndefineSpace(TPM_RH.OWNER, index), TPM_RH.OWNER)
        self._certify_creation(key, scheme)

    def _certify_creation(self, key: int, scheme: Any) -> None:
        parent = self._storage()
        if not parent or self.primary is None:
            return
        made = self.primary
        wrong = self._chance(0.1)
        self.both(
            lambda side: commands.CertifyCreation(
                key,
                parent,
                b"",
                bytes(32) if wrong else made[side].creation_hash,
                scheme,
                made[side].creation_ticket,
            ),
            self._auth(key),
            compare=lambda r: _attested(r.certify_info),
        )
