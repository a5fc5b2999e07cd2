"""More random commands for the two TPMs of `soft_pair`: hierarchies, clock, audit, imports, signatures."""

import time
from typing import Any

from tests.support.soft_pair import Pair
from tests.support.soft_pair_core import AES, BASE_POINT, HMAC, INDICES, NO_SCHEME, NO_SYMMETRIC, SCHEMES, SHA256
from tpmwire import commands
from tpmwire.crypto.formulas import digest
from tpmwire.sessions import Password, SessionStart
from tpmwire.soft import rsa
from tpmwire.soft.objects import to_buffer
from tpmwire.soft.random import Generator
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_RH, TPM_SE, TPM_ST, TPM_SU, TPMA_OBJECT
from tpmwire.spec.properties import TPM_CLOCK_ADJUST, TPM_EO
from tpmwire.spec.structures import (
    TPMS_KEYEDHASH_PARMS,
    TPMS_PCR_SELECTION,
    TPMS_RSA_PARMS,
    TPMS_SENSITIVE_CREATE,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_PUBLIC_PARMS,
    TPMT_RSA_DECRYPT,
    TPMT_RSA_SCHEME,
    TPMT_SENSITIVE,
    TPMT_SIGNATURE,
    TPMT_TK_AUTH,
    TPMT_TK_CREATION,
    TPMT_TK_HASHCHECK,
    TPMT_TK_VERIFIED,
)
from tpmwire.tpm import Tpm

__all__ = ["WidePair"]

A = TPMA_OBJECT
RSA = rsa.generate(2048, 0, Generator(b"the RSA key").bytes)
HIERARCHIES = (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM)
EVERY_HIERARCHY = (*HIERARCHIES, TPM_RH.LOCKOUT, TPM_RH.NULL)
SIGNATURES = (
    TPMT_SIGNATURE(TPM_ALG.ECDSA, TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, bytes(32), bytes(32))),
    TPMT_SIGNATURE(TPM_ALG.ECDSA, TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, b"\1" * 32, b"\2" * 32)),
    TPMT_SIGNATURE(TPM_ALG.ECDAA, TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, b"\1" * 32, b"\2" * 32)),
    TPMT_SIGNATURE(TPM_ALG.SM2, TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, b"\1" * 32, b"\2" * 32)),
    TPMT_SIGNATURE(TPM_ALG.RSASSA, TPMS_SIGNATURE_RSA(TPM_ALG.SHA256, bytes(256))),
    TPMT_SIGNATURE(TPM_ALG.HMAC, TPMT_HA(TPM_ALG.SHA256, bytes(32))),
    TPMT_SIGNATURE(TPM_ALG.NULL),
)


class WidePair(Pair):
    """Two TPMs that get random commands of all chapters of Part 3."""

    def __init__(self, seed: int, swtpm: Tpm, soft: Tpm) -> None:
        super().__init__(seed, swtpm, soft)
        self._credentials: list[tuple[int, int, list[Any]]] = []
        self._creations: list[tuple[bytes, list[Any]]] = []

    def do_credential(self) -> None:
        handle, other = self._object(), self._object()
        if self._credentials and self._chance(0.5):
            activated, key, made = self.random.choice(self._credentials)
            other = activated if self._chance(0.8) else other
            self.both(
                lambda side: commands.ActivateCredential(
                    other, key, made[side].credential_blob, made[side].secret
                ),
                self._auth(other),
                self._auth(key),
                compare=lambda r: r.cert_info,
            )
            return
        names = []
        for tpm in self.tpms:
            entity = tpm.transport.machine.transient.get(other) if hasattr(tpm.transport, "machine") else None
            names.append(entity.name if entity is not None else b"")
        if not names[1]:
            return
        real = self.both(lambda _: commands.ReadPublic(other))
        if real is None:
            return
        made = self.both(lambda side: commands.MakeCredential(handle, b"a credential", real[side].name))
        if made is not None:
            self._credentials.append((other, handle, made))

    def do_create_loaded(self) -> None:
        parent = self._object() if self._chance(0.7) else self.random.choice(EVERY_HIERARCHY)
        public, auth = self._template(), self._password()
        data = b"" if self._chance(0.6) else bytes(self.random.choice((16, 5, 32, 128)))
        template = public.build() if self._chance(0.95) else public.build()[:-1]
        made = self.both(
            lambda _: commands.CreateLoaded(parent, TPMS_SENSITIVE_CREATE(auth, data), template),
            self._auth(parent),
            compare=lambda r: (len(r.out_private), r.out_public.replace(unique=public.unique)),
        )
        self._note_loaded(made, auth)

    def do_rsa(self) -> None:
        if self._chance(0.3):
            scheme = self.random.choice(
                (
                    TPMT_RSA_SCHEME(TPM_ALG.NULL),
                    TPMT_RSA_SCHEME(TPM_ALG.OAEP, SHA256),
                    TPMT_RSA_SCHEME(TPM_ALG.RSASSA, SHA256),
                )
            )
            attributes = self.random.choice(
                (A.DECRYPT, A.SIGN_ENCRYPT, A.SIGN_ENCRYPT | A.DECRYPT, A.DECRYPT | A.RESTRICTED)
            )
            symmetric = self.random.choice((NO_SYMMETRIC, NO_SYMMETRIC, AES))
            bits = self.random.choice((2048, 2048, 2048, 1024, 100))
            exponent = self.random.choice((0, 0, 65537, 3))
            parameters = TPMS_RSA_PARMS(symmetric, scheme, bits, exponent)
            modulus = RSA.modulus.to_bytes(256, "big")
            public = TPMT_PUBLIC(
                TPM_ALG.RSA, TPM_ALG.SHA256, attributes | A.USER_WITH_AUTH, b"", parameters, modulus
            )
            prime = RSA.prime.to_bytes(128, "big") if self._chance(0.9) else bytes(self.random.choice((128, 5)))
            private = TPMT_SENSITIVE(TPM_ALG.RSA, b"", b"", prime) if self._chance(0.8) else None
            hierarchy = TPM_RH.NULL if self._chance(0.8) else TPM_RH.OWNER
            made = self.both(lambda _: commands.LoadExternal(private, public, hierarchy), compare=lambda r: r.name)
            self._note_loaded(made, b"")
            return
        handle = self._object()
        padding = self.random.choice(
            (
                TPMT_RSA_DECRYPT(TPM_ALG.NULL),
                TPMT_RSA_DECRYPT(TPM_ALG.RSAES),
                TPMT_RSA_DECRYPT(TPM_ALG.OAEP, SHA256),
            )
        )
        label = self.random.choice((b"", b"", b"label\0", b"label"))
        message = bytes([1]) * self.random.choice((1, 5, 190, 191, 245, 246, 256))
        if self._chance(0.5):
            self.both(
                lambda _: commands.RSA_Encrypt(handle, message, padding, label), compare=lambda r: len(r.out_data)
            )
        else:
            data = bytes([self.random.choice((1, 255))]) * self.random.choice((256, 256, 255, 10))
            command = commands.RSA_Decrypt(handle, data, padding, label)
            self.both(lambda _: command, self._auth(handle), compare=lambda r: r.message)

    def do_verify(self) -> None:
        handle, other = self._object(), self._object()
        if self._chance(0.5):
            signature = self.random.choice(SIGNATURES)
            self.both(lambda _: commands.VerifySignature(handle, bytes(32), signature))
            return
        ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
        scheme = self.random.choice(SCHEMES)
        made = self.both(lambda _: commands.Sign(handle, b"d" * 32, scheme, ticket), self._auth(handle))
        if made is None:
            return
        other = handle if self._chance(0.8) else other
        value = self.random.choice((b"d" * 32, b"d" * 32, b"e" * 32))
        self.both(
            lambda side: commands.VerifySignature(other, value, made[side].signature),
            compare=lambda r: (r.validation.tag, r.validation.hierarchy, len(r.validation.hmac)),
        )

    def do_hierarchy(self) -> None:
        by, other = self.random.choice(EVERY_HIERARCHY), self.random.choice(EVERY_HIERARCHY)
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.NULL, TPM_ALG.SHA1, TPM_ALG.SHA3_256))
        size = self.random.choice((0, 32, 20))
        choice = self.random.randrange(7)
        if choice == 0:
            new = self.random.choice((b"", b"", b"new", bytes(64)))
            if self.both(lambda _: commands.HierarchyChangeAuth(by, new), self._auth(by)) is not None:
                self._auths[by] = new
                self._reset_passwords()
        elif choice == 1:
            self.both(lambda _: commands.SetPrimaryPolicy(by, bytes(size), alg), self._auth(by))
        elif choice == 2 and other != TPM_RH.PLATFORM:
            state = self._chance(0.5)
            changed = self.both(lambda _: commands.HierarchyControl(by, other, state), self._auth(by))
            if changed is not None and not state:
                self._reset_hierarchies()
        elif choice == 3:
            by = self.random.choice((TPM_RH.LOCKOUT, TPM_RH.PLATFORM, TPM_RH.OWNER))
            self.both(lambda _: commands.ClearControl(by, self._chance(0.3)), self._auth(by))
        elif choice == 4 and self._chance(0.3):
            self.both(lambda _: commands.Clear(self.random.choice((by, TPM_RH.PLATFORM))), self._auth(by))
            self._reset_hierarchies()
        elif choice == 5 and self._chance(0.3):
            command = self.random.choice((commands.ChangeEPS, commands.ChangePPS))
            self.both(lambda _: command(self.random.choice((by, TPM_RH.PLATFORM))), self._auth(by))
            self._reset_hierarchies()
        else:
            times = (0, 1, 1 << 63)
            accepted = self.both(lambda _: commands.ClockSet(by, self.random.choice(times)), self._auth(by))
            if accepted is not None:
                time.sleep(0.005)  # within a millisecond, the same time would be valid again (Part 3, §29.2)

    def _reset_passwords(self) -> None:
        for handle in (*HIERARCHIES, TPM_RH.LOCKOUT):
            if self._auths.get(handle):
                for tpm in self.tpms:
                    tpm.execute(commands.HierarchyChangeAuth(handle, b""), Password(self._auths[handle]))
                self._auths[handle] = b""

    def _reset_hierarchies(self) -> None:
        self._flush_all()
        platform = self._auths.get(TPM_RH.PLATFORM, b"")
        self._auths.clear()
        self._auths[TPM_RH.PLATFORM] = platform
        for tpm in self.tpms:
            for handle in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM_NV):
                tpm.execute(commands.HierarchyControl(TPM_RH.PLATFORM, handle, True), self._auth_of_platform())

    def _auth_of_platform(self) -> Password:
        return Password(self._auths.get(TPM_RH.PLATFORM, b""))

    def do_clock_and_audit(self) -> None:
        handle, by = self._object(), self.random.choice(EVERY_HIERARCHY)
        key = handle if self._chance(0.7) else TPM_RH.NULL
        scheme = self.random.choice(SCHEMES)
        adjust = self.random.choice(
            (TPM_CLOCK_ADJUST.FINE_SLOWER, TPM_CLOCK_ADJUST.NO_CHANGE, TPM_CLOCK_ADJUST(9))
        )
        codes = (TPM_CC(self.random.choice((0x17B, 0x144, 0x999, 0x140))),)
        alg = self.random.choice((TPM_ALG.NULL, TPM_ALG.SHA256, TPM_ALG.SHA3_256))
        ticket = TPMT_TK_CREATION(TPM_ST.CREATION, self.random.choice((TPM_RH.OWNER, TPM_RH.NULL)), bytes(64))
        index = self.random.choice(INDICES)
        audit = commands.SetCommandCodeAuditStatus
        made: list[tuple[Any, tuple[int, ...]]] = [
            (commands.ReadClock(), ()),
            (commands.ClockRateAdjust(by, adjust), (by,)),
            (audit(by, alg, (), ()), (by,)),
            (audit(by, TPM_ALG.NULL, codes, ()), (by,)),
            (audit(by, TPM_ALG.NULL, (), codes), (by,)),
            (commands.GetTime(by, key, b"nonce", scheme), (by, key)),
            (commands.GetCommandAuditDigest(by, key, b"nonce", scheme), (by, key)),
            (commands.GetSessionAuditDigest(by, key, 0x02000000, b"", scheme), (by, key)),
            (commands.CertifyCreation(key, handle, b"", bytes(32), scheme, ticket), (key,)),
            (
                commands.NV_Certify(key, TPM_RH.OWNER, index, b"", scheme, self.random.choice((0, 8, 2000)), 0),
                (key, TPM_RH.OWNER),
            ),
            (commands.DictionaryAttackParameters(by, self.random.choice((3, 5)), 1000, 1000), (by,)),
            (commands.DictionaryAttackLockReset(by), (by,)),
        ]
        command, authorized = self.random.choice(made)
        self.both(
            lambda _: command,
            *map(self._auth, authorized),
            compare=lambda r: [len(v) for v in vars(r).values() if isinstance(v, bytes)],
        )

    def _auth(self, handle: int) -> Any:
        # One wrong password would disable lockoutAuth for a while.
        if handle == TPM_RH.LOCKOUT:
            return lambda _: Password(self._auths.get(handle, b""))
        return super()._auth(handle)

    def do_various(self) -> None:
        public, index = self._template(), self.random.choice(INDICES)
        by = self.random.choice((*HIERARCHIES, index))
        alg = self.random.choice((TPM_ALG.SHA256, TPM_ALG.NULL, TPM_ALG.SHA1))
        banks = (
            TPMS_PCR_SELECTION(TPM_ALG.SHA256, b"\xff\xff\xff"),
            TPMS_PCR_SELECTION(TPM_ALG.SHA1, b"\xff\xff\xff"),
        )
        made: list[tuple[Any, tuple[int, ...]]] = [
            (commands.TestParms(TPMT_PUBLIC_PARMS(public.type, public.parameters)), ()),
            (commands.SelfTest(self._chance(0.5)), ()),
            (commands.GetTestResult(), ()),
            (commands.StirRandom(bytes(self.random.choice((0, 5, 128)))), ()),
            (commands.ECC_Parameters(TPM_ECC(self.random.choice((1, 2, 3, 4, 5, 0x20, 0, 99)))), ()),
            (commands.PP_Commands(by, (), ()), (by,)),
            (commands.SetAlgorithmSet(by, 0), (by,)),
            (commands.Startup(TPM_SU.CLEAR), ()),
            (commands.Shutdown(TPM_SU(self.random.choice((0, 1, 2)))), ()),
            (
                commands.PCR_SetAuthPolicy(
                    by, bytes(self.random.choice((0, 32))), alg, self.random.choice((0, 16, 20))
                ),
                (by,),
            ),
            (commands.PCR_SetAuthValue(self.random.choice((0, 16, 20)), b""), (TPM_RH.NULL,)),
            (commands.PCR_Allocate(by, banks), (by,)),
            (commands.NV_GlobalWriteLock(by), (by,)),
            (commands.NV_ChangeAuth(index, b"new"), (index,)),
            (commands.NV_UndefineSpaceSpecial(index, TPM_RH.PLATFORM), (index, TPM_RH.PLATFORM)),
        ]
        command, authorized = self.random.choice(made)
        shown = vars if isinstance(command, (commands.ECC_Parameters, commands.PCR_Allocate)) else (lambda _: None)
        if isinstance(command, commands.PCR_Allocate):
            shown = lambda r: r.allocation_success  # noqa: E731
        self.both(lambda _: command, *map(self._auth, authorized), compare=shown)

    def do_import(self) -> None:
        parent = self._object()
        attributes = self._attributes()
        if self._chance(0.7):
            attributes &= ~(A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN)
        seed, secret = bytes(32), bytes(16)
        unique = digest(TPM_ALG.SHA256, seed, secret)
        public = TPMT_PUBLIC(
            TPM_ALG.KEYEDHASH, TPM_ALG.SHA256, attributes, b"", TPMS_KEYEDHASH_PARMS(HMAC), unique
        )
        private = to_buffer(TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, b"", seed, secret))
        private = private if self._chance(0.9) else private[:-1]
        inner = self.random.choice((NO_SYMMETRIC, NO_SYMMETRIC, NO_SYMMETRIC, AES))
        key = b"" if inner is NO_SYMMETRIC or self._chance(0.3) else bytes(16)
        wrapped = b"" if self._chance(0.8) else bytes(self.random.choice((5, 68)))
        if self._chance(0.2):
            old, new = self.random.choice((parent, TPM_RH.NULL)), self.random.choice((parent, TPM_RH.NULL))
            self.both(lambda _: commands.Rewrap(old, new, private, bytes(34), wrapped), self._auth(old))
            return
        made = self.both(
            lambda _: commands.Import(parent, key, public, private, wrapped, inner),
            self._auth(parent),
            compare=lambda r: len(r.out_private),
        )
        if made is not None:
            self._blobs.append((parent, tuple(r.out_private for r in made), (public, public), b""))

    def do_policy_of_keys(self) -> None:
        handle = self._object()
        kind = self.random.choice((TPM_SE.POLICY, TPM_SE.TRIAL))
        sessions = self._start(lambda: SessionStart(kind, TPM_ALG.SHA256))
        if sessions is None:
            return
        session = sessions[0].handle
        index = self.random.choice(INDICES)
        signature = self.random.choice(SIGNATURES)
        hierarchy = self.random.choice((TPM_RH.OWNER, TPM_RH.NULL))
        auth_ticket = TPMT_TK_AUTH(
            self.random.choice((TPM_ST.AUTH_SIGNED, TPM_ST.AUTH_SECRET)), hierarchy, bytes(64)
        )
        verified = TPMT_TK_VERIFIED(TPM_ST.VERIFIED, hierarchy, hmac=self.random.choice((b"", bytes(64))))
        expiration = self.random.choice((0, 1000, (1 << 32) - 1000))
        name = self.random.choice((b"", bytes(34), b"\0\x0b" + bytes(32)))
        made: list[tuple[Any, tuple[int, ...]]] = [
            (commands.PolicySigned(handle, session, b"", b"", b"ref", expiration, signature), ()),
            (commands.PolicyAuthorize(session, b"", b"ref", name, verified), ()),
            (
                commands.PolicyTicket(session, bytes(self.random.choice((0, 8))), b"", b"ref", name, auth_ticket),
                (),
            ),
            (
                commands.PolicyCounterTimer(
                    session, bytes(8), self.random.choice((0, 8, 99)), TPM_EO(self.random.choice((0, 7, 12)))
                ),
                (),
            ),
            (commands.PolicyAuthorizeNV(index, index, session), (index,)),
            (commands.PolicySecret(handle, session, b"", b"", b"", expiration), (handle,)),
        ]
        command, authorized = self.random.choice(made)
        self.both(lambda _: command, *map(self._auth, authorized))
        # The Names of keys differ.
        shown = None if isinstance(command, (commands.PolicySigned, commands.PolicySecret)) else "policy_digest"
        self.both(lambda _: commands.PolicyGetDigest(session), compare=lambda r: shown and r.policy_digest)
        self._flush_session(session)

    def do_encrypt(self) -> None:
        handle = self._object()
        size = self.random.choice((16, 32, 5, 0, 1024))
        mode = self.random.choice((TPM_ALG.NULL, TPM_ALG.CFB, TPM_ALG.CBC, TPM_ALG.ECB, TPM_ALG.CTR))
        command = commands.EncryptDecrypt2(
            handle, bytes(size), self._chance(0.5), mode, bytes(self.random.choice((16, 0)))
        )
        self.both(lambda _: command, self._auth(handle), compare=lambda r: (len(r.out_data), len(r.iv_out)))
        self.both(lambda _: commands.ECDH_ZGen(handle, BASE_POINT), self._auth(handle))
        self.both(lambda _: commands.Quote(handle, b"", NO_SCHEME, ()), self._auth(handle))
