"""The same random commands for two TPMs, swtpm and the soft TPM, whose response codes and values are compared."""

import hashlib
from collections.abc import Callable
from typing import Any

from tests.support.soft_pair_core import (
    AES,
    BASE_POINT,
    HMAC,
    INDICES,
    NO_KDF,
    NO_POINT,
    NO_SCHEME,
    NO_SYMMETRIC,
    SCHEMES,
    STORAGE,
    N,
    PairCore,
    sizes,
)
from tpmwire import commands
from tpmwire.crypto.formulas import digest_size
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_RH, TPM_SE, TPM_ST, TPMA_LOCALITY
from tpmwire.spec.properties import TPM_CAP, TPM_EO
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_PCR_SELECTION,
    TPMS_SENSITIVE_CREATE,
    TPMT_ECC_SCHEME,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF,
    TPMT_TK_HASHCHECK,
)

__all__ = ["Pair"]


class Pair(PairCore):
    """Two TPMs that get commands for objects, sequences, PCRs, NV indices, policies and sessions."""

    # Objects.

    def do_flush(self) -> None:
        if self._loaded:
            handle = self.random.choice(self._loaded)
            self.both(lambda _: commands.FlushContext(handle))
            self._loaded.remove(handle)

    def do_create_primary(self) -> None:
        public = self._template()
        if self._chance(0.4):
            public = TPMT_PUBLIC(
                TPM_ALG.ECC,
                TPM_ALG.SHA256,
                STORAGE,
                b"",
                TPMS_ECC_PARMS(AES, TPMT_ECC_SCHEME(TPM_ALG.NULL), TPM_ECC.NIST_P256, NO_KDF),
                TPMS_ECC_POINT(b"", b""),
            )
        auth = self._password()
        data = b"" if self._chance(0.7) else bytes(self.random.choice((16, 5, 32, 128, 129)))
        hierarchy = self.random.choice((*[TPM_RH.OWNER] * 4, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL))
        made = self.both(
            lambda _: commands.CreatePrimary(hierarchy, TPMS_SENSITIVE_CREATE(auth, data), public),
            self._auth(hierarchy),
            compare=lambda r: (r.out_public.replace(unique=public.unique), r.creation_data, len(r.name)),
        )
        self._note_loaded(made, auth)

    def do_create(self) -> None:
        parent, public, auth = self._object(), self._template(), self._password()
        data = b"" if self._chance(0.5) else bytes(self.random.choice((16, 5, 32, 128, 64)))
        made = self.both(
            lambda _: commands.Create(parent, TPMS_SENSITIVE_CREATE(auth, data), public),
            self._auth(parent),
            compare=lambda r: (r.out_public.replace(unique=public.unique), len(r.out_private)),
        )
        if made is not None:
            privates, publics = tuple(r.out_private for r in made), tuple(r.out_public for r in made)
            self._blobs.append((parent, privates, publics, auth))

    def do_load(self) -> None:
        if not self._blobs:
            return
        parent, privates, publics, auth = self.random.choice(self._blobs)
        parent = parent if self._chance(0.9) else self._object()
        damaged = self._chance(0.1)

        def make(side: int) -> Any:
            private = privates[side]
            return commands.Load(parent, private[:-1] + bytes([private[-1] ^ damaged]), publics[side])

        self._note_loaded(self.both(make, self._auth(parent), compare=lambda r: r.object_handle), auth)

    def do_load_external(self) -> None:
        if self._blobs and self._chance(0.5):
            _, _, publics, _ = self.random.choice(self._blobs)
            hierarchy = self.random.choice((TPM_RH.OWNER, TPM_RH.NULL, TPM_RH.LOCKOUT))
            made = self.both(lambda side: commands.LoadExternal(None, publics[side], hierarchy))
        else:
            unique = hashlib.sha256(bytes(48)).digest() if self._chance(0.9) else bytes(32)
            public = TPMT_PUBLIC(
                TPM_ALG.KEYEDHASH, TPM_ALG.SHA256, self._attributes(), b"", TPMS_KEYEDHASH_PARMS(HMAC), unique
            )
            private = TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, b"", bytes(32), bytes(16))
            hierarchy = self.random.choice((*[TPM_RH.NULL] * 4, TPM_RH.OWNER))
            made = self.both(lambda _: commands.LoadExternal(private, public, hierarchy), compare=lambda r: r.name)
        self._note_loaded(made, b"")

    def do_use_an_object(self) -> None:
        handle, other = self._object(), self._object()
        scheme = self.random.choice(SCHEMES)
        alg = self.random.choice((TPM_ALG.NULL, TPM_ALG.SHA256, TPM_ALG.CMAC))
        size = self.random.choice((16, 32, 5, 20))
        no_ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
        point = BASE_POINT if self._chance(0.8) else TPMS_ECC_POINT(b"\1", b"\1")
        mode = self.random.choice((TPM_ALG.NULL, TPM_ALG.CFB, TPM_ALG.CBC, TPM_ALG.CMAC))
        selection = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, b"\x81\0\0"),)
        command, authorized = self.random.choice(
            (
                (commands.ReadPublic(handle), 0),
                (commands.HMAC(handle, b"data", alg), 1),
                (commands.Unseal(handle), 1),
                (commands.Sign(handle, bytes(size), scheme, no_ticket), 1),
                (commands.Quote(handle, b"nonce", scheme, selection), 1),
                (commands.Certify(handle, other, b"nonce", NO_SCHEME), 2),
                (commands.ObjectChangeAuth(handle, other, b"new"), 1),
                (commands.Duplicate(handle, TPM_RH.NULL, b"", NO_SYMMETRIC), 1),
                (commands.EncryptDecrypt(handle, self._chance(0.5), mode, bytes(16), bytes(size)), 1),
                (commands.ECDH_KeyGen(handle), 0),
                (commands.CertifyX509(handle, handle, b"", scheme, b"\x30\0"), 2),
                (commands.ECDH_ZGen(handle, point), 1),
                (commands.MakeCredential(handle, bytes(size), bytes(34)), 0),
            )
        )
        second = handle if isinstance(command, commands.CertifyX509) else other
        auths = (self._auth(handle), self._auth(second))[:authorized]
        self.both(lambda _: command, *auths, compare=sizes)

    def do_commit(self) -> None:
        handle, counter = self._object(), self.random.randrange(4)
        point = self.random.choice((BASE_POINT, NO_POINT, TPMS_ECC_POINT(b"\1", b"\1"), None))
        second, y = self.random.choice(((b"", b""), (b"", b""), (b"s2", b"y2"), (b"s2", b"")))
        scheme = self.random.choice((TPM_ALG.ECDH, TPM_ALG.ECDH, TPM_ALG.NULL))
        choice = self.random.randrange(3)
        if choice == 0:
            self.both(
                lambda _: commands.Commit(handle, point, second, y),
                self._auth(handle),
                compare=lambda r: r.counter,
            )
        elif choice == 1:
            curve = self.random.choice((TPM_ECC.NIST_P256, TPM_ECC.NIST_P384, TPM_ECC.NONE))
            self.both(lambda _: commands.EC_Ephemeral(curve), compare=lambda r: (r.counter, len(r.q.x)))
        else:
            exchange = commands.ZGen_2Phase(handle, point, BASE_POINT, scheme, counter)
            self.both(lambda _: exchange, self._auth(handle))

    def do_evict(self) -> None:
        handle = self._object() if self._chance(0.7) else 0x81000001
        by = self.random.choice((*[TPM_RH.OWNER] * 4, TPM_RH.PLATFORM))
        target = self.random.choice((0x81000001, 0x81000001, 0x81000002, 0x81800001, 0x80000000))
        if self.both(lambda _: commands.EvictControl(by, handle, target), self._auth(by)) is not None:
            self._auths[target] = self._auths.get(handle, b"")

    def do_context(self) -> None:
        if self._contexts and self._chance(0.5):
            contexts, auth = self.random.choice(self._contexts)
            self._note_loaded(self.both(lambda side: commands.ContextLoad(contexts[side])), auth)
            return
        handle = self._object()
        saved = self.both(
            lambda _: commands.ContextSave(handle), compare=lambda r: (r.context.saved_handle, r.context.hierarchy)
        )
        if saved is not None:
            self._contexts.append((tuple(r.context for r in saved), self._auths.get(handle, b"")))

    # Hashes, sequences, PCRs.

    def do_sequence(self) -> None:
        handle, auth = self._object(), self._password()
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.NULL, TPM_ALG.SHA1))
        data = bytes(self.random.choice((0, 5, 1024)))
        choice = self.random.randrange(5)
        if choice == 0:
            self._note_loaded(self.both(lambda _: commands.HashSequenceStart(auth, alg)), auth)
        elif choice == 1:
            started = self.both(lambda _: commands.HMAC_Start(handle, auth, alg), self._auth(handle))
            self._note_loaded(started, auth)
        elif choice == 2:
            self.both(lambda _: commands.SequenceUpdate(handle, data), self._auth(handle))
        elif choice == 3:
            hierarchy = self.random.choice((TPM_RH.OWNER, TPM_RH.NULL))
            ended = self.both(
                lambda _: commands.SequenceComplete(handle, b"end", hierarchy),
                self._auth(handle),
                compare=lambda r: (len(r.result), r.validation.hierarchy),
            )
            if ended is not None:
                self._loaded.remove(handle)
        else:
            pcr = self.random.choice((0, 16, TPM_RH.NULL, 17))
            ended = self.both(
                lambda _: commands.EventSequenceComplete(pcr, handle, b"end"),
                self._auth(pcr),
                self._auth(handle),
                compare=lambda r: r.results,
            )
            if ended is not None:
                self._loaded.remove(handle)

    def do_hash(self) -> None:
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.SHA1, TPM_ALG.SHA384, TPM_ALG.NULL, TPM_ALG.SHA3_256))
        data = self.random.choice((b"abc", b"\xffTCG and more", b"", bytes(1024), bytes(1025)))
        hierarchy = self.random.choice((TPM_RH.OWNER, TPM_RH.NULL, TPM_RH.LOCKOUT))
        self.both(
            lambda _: commands.Hash(data, alg, hierarchy),
            compare=lambda r: (r.out_hash, r.validation.hierarchy, r.validation.tag),
        )

    def do_pcr(self) -> None:
        pcr = self.random.choice((0, 7, 16, 17, 20, 23, 24))
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.SHA1, TPM_ALG.SHA512, TPM_ALG.SHA3_256))
        value = TPMT_HA(alg, self.random.randbytes(digest_size(alg)))
        banks = [self.random.choice((TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA3_256)) for _ in range(2)]
        selections = tuple(TPMS_PCR_SELECTION(bank, self.random.randbytes(3)) for bank in banks)
        choice = self.random.randrange(4)
        if choice == 0:
            self.both(lambda _: commands.PCR_Extend(pcr, (value,)), self._auth(pcr))
        elif choice == 1:
            self.both(
                lambda _: commands.PCR_Read(selections), compare=lambda r: (r.pcr_selection_out, r.pcr_values)
            )
        elif choice == 2:
            self.both(lambda _: commands.PCR_Reset(pcr), self._auth(pcr))
        else:
            self.both(lambda _: commands.PCR_Event(pcr, b"event"), self._auth(pcr), compare=lambda r: r.digests)

    def do_capability(self) -> None:
        capability = self.random.choice(
            (*[TPM_CAP.HANDLES] * 3, TPM_CAP.PCRS, TPM_CAP.PCR_PROPERTIES, TPM_CAP.AUTH_POLICIES, TPM_CAP(0x55))
        )
        first = self.random.choice((0x80000000, 0x81000000, 0x01000000, 0x40000000, 0, 0x02000000, 0x55000000))
        count = self.random.choice((1, 2, 10, 100))
        self.both(
            lambda _: commands.GetCapability(capability, first, count),
            compare=lambda r: (r.more_data, r.capability_data),
        )

    # NV memory.

    def do_define(self) -> None:
        index, kind = self.random.choice(INDICES), self.random.choice((0, 0, 0, 1, 2, 4, 8, 9, 3))
        attributes = N(kind << 4)
        for bits in (N.OWNERWRITE, N.AUTHWRITE, N.OWNERREAD, N.AUTHREAD, N.NO_DA):
            attributes |= bits if self._chance(0.6) else N(0)
        for bits in (N.WRITE_STCLEAR, N.READ_STCLEAR, N.GLOBALLOCK):
            attributes |= bits if self._chance(0.25) else N(0)
        for bits in (
            N.PPREAD,
            N.PPWRITE,
            N.POLICYREAD,
            N.POLICYWRITE,
            N.WRITEDEFINE,
            N.WRITEALL,
            N.PLATFORMCREATE,
        ):
            attributes |= bits if self._chance(0.1) else N(0)
        usual = {1: 8, 2: 8, 4: 32, 8: 8, 9: 8}.get(kind)
        size = usual if usual and self._chance(0.9) else self.random.choice((0, 1, 8, 32, 64, 1024, 2049))
        auth, by = self._password(), self.random.choice((*[TPM_RH.OWNER] * 4, TPM_RH.PLATFORM, TPM_RH.ENDORSEMENT))
        alg = self.random.choice((*[TPM_ALG.SHA256] * 4, TPM_ALG.SHA1, TPM_ALG.NULL))
        public = TPMS_NV_PUBLIC(index, alg, attributes, b"", size)
        if self.both(lambda _: commands.NV_DefineSpace(by, auth, public), self._auth(by)) is not None:
            self._auths[index] = auth

    def do_index(self) -> None:
        index = self.random.choice(INDICES)
        by = self.random.choice((index, index, TPM_RH.OWNER, TPM_RH.PLATFORM, INDICES[0]))
        size, offset = (
            self.random.choice((0, 1, 8, 32, 64, 1024, 1025)),
            self.random.choice((0, 0, 0, 1, 32, 3000)),
        )
        command, authorized = self.random.choice(
            (
                (commands.NV_ReadPublic(index), 0),
                (commands.NV_Write(by, index, self.random.randbytes(min(size, 1024)), offset), 1),
                (commands.NV_Write(by, index, self.random.randbytes(8), 0), 1),
                (commands.NV_Read(by, index, size, offset), 1),
                (commands.NV_Read(by, index, 8, 0), 1),
                (commands.NV_Increment(by, index), 1),
                (commands.NV_Extend(by, index, b"data"), 1),
                (commands.NV_SetBits(by, index, 5), 1),
                (commands.NV_WriteLock(by, index), 1),
                (commands.NV_ReadLock(by, index), 1),
                (commands.NV_UndefineSpace(self.random.choice((TPM_RH.OWNER, TPM_RH.PLATFORM)), index), 2),
            )
        )
        auth = self._auth(by if authorized == 1 else TPM_RH.OWNER)
        # Counters start at a number that depends on the TPM's past.
        shown = {"NV_Read": lambda r: len(r.data)}.get(type(command).__name__, vars)
        self.both(lambda _: command, *([auth] if authorized else []), compare=shown)

    # Sessions.

    def _start(self, start: Callable[[], SessionStart]) -> list[Any] | None:
        starts = [start() for _ in self.tpms]
        responses = self.both(lambda side: starts[side].command, compare=lambda r: r.session_handle)
        if responses is None:
            return None
        return [begun.finish(response) for begun, response in zip(starts, responses, strict=True)]

    def do_policy(self) -> None:
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.SHA1))
        kind = self.random.choice((TPM_SE.POLICY, TPM_SE.TRIAL))
        sessions = self._start(lambda: SessionStart(kind, alg))
        if sessions is None:
            return
        handle = sessions[0].handle
        for _ in range(self.random.randrange(1, 5)):
            command, authorized = self._policy_command(handle, digest_size(alg))
            auths = [self._auth(authorized)] if authorized else []
            self.both(lambda _, command=command: command, *auths)
            self.both(lambda _: commands.PolicyGetDigest(handle), compare=lambda r: r.policy_digest)
        used = self._object()
        if used in self._loaded and self._has_private_part(used):
            self.both(lambda _: commands.Unseal(used), lambda side: sessions[side].use(self._auths[used]))
        self._flush_session(handle)

    def _policy_command(self, session: int, size: int) -> tuple[Any, int]:
        """Returns a policy command, and the handle that needs an authorization or 0."""
        choose, index = self.random.choice, self.random.choice(INDICES)
        length = choose((size, size, size, 5))
        selection = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, choose((b"\x01\0\0", b"\0\0\x80"))),)
        hashed = choose((b"", b"", b"c" * size, bytes(5)))
        secret = commands.PolicySecret(
            TPM_RH.OWNER, session, b"", hashed, choose((b"", b"ref")), choose((0, 0, 1000, (1 << 32) - 1000))
        )
        operation = TPM_EO(choose((0, 1, 3, 10, 11, 12)))
        operand = bytes(choose((1, 8, 40)))
        return choose(
            (
                (commands.PolicyPCR(session, choose((b"", bytes(size))), selection), 0),
                (commands.PolicyOR(session, tuple([bytes(size)] * choose((1, 2, 3, 8)))), 0),
                (commands.PolicyCommandCode(session, TPM_CC(choose((0x15E, 0x155, 0x999)))), 0),
                (commands.PolicyAuthValue(session), 0),
                (commands.PolicyPassword(session), 0),
                (commands.PolicyLocality(session, TPMA_LOCALITY(choose((1, 2, 3, 0, 32, 64)))), 0),
                (commands.PolicyCpHash(session, b"c" * length), 0),
                (commands.PolicyNameHash(session, b"n" * length), 0),
                (commands.PolicyTemplate(session, b"t" * length), 0),
                (commands.PolicyDuplicationSelect(session, bytes(34), bytes(34), self._chance(0.5)), 0),
                (commands.PolicyNvWritten(session, self._chance(0.5)), 0),
                (commands.PolicyPhysicalPresence(session), 0),
                (commands.PolicyRestart(session), 0),
                (commands.PolicyNV(index, index, session, operand, choose((0, 1, 3000)), operation), index),
                (secret, TPM_RH.OWNER),
            )
        )

    def do_session(self) -> None:
        used = self._object()
        if used not in self._loaded or not self._has_private_part(used):
            return
        bind = TPM_RH.OWNER if self._chance(0.3) else TPM_RH.NULL
        cipher = TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB)
        sessions = self._start(
            lambda: SessionStart(TPM_SE.HMAC, TPM_ALG.SHA256, cipher, bind=bind, bind_auth=Secret(b""))
        )
        if sessions is None:
            return
        auth = self._auths[used] if self._chance(0.9) else b"wrong"
        encrypt, decrypt, audit = self._chance(0.5), self._chance(0.5), self._chance(0.5)
        self.both(
            lambda _: commands.HMAC(used, b"data", TPM_ALG.NULL),
            lambda side: sessions[side].use(auth, encrypt=encrypt, decrypt=decrypt),
        )
        self.both(lambda _: commands.GetRandom(8), lambda side: sessions[side].use(encrypt=True, audit=audit))
        self._flush_session(sessions[0].handle)
