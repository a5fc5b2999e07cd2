"""Base class and arguments of random commands for two TPMs, swtpm and the soft TPM.

Each command is built once for each TPM, because private areas, tickets and contexts differ. Handles are equal.
"""

import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.soft_allowed import is_allowed
from tpmwire import commands
from tpmwire.errors import EncodeError, TpmError, TransportError
from tpmwire.sessions import Password
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPMA_OBJECT
from tpmwire.spec.properties import TPMA_NV
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_SCHEME_ECDAA,
    TPMS_SCHEME_HASH,
    TPMS_SCHEME_XOR,
    TPMS_SYMCIPHER_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)
from tpmwire.tpm import Tpm

A, N = TPMA_OBJECT, TPMA_NV
NO_SYMMETRIC = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
AES = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)
SHA256 = TPMS_SCHEME_HASH(TPM_ALG.SHA256)
HMAC = TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, SHA256)
XOR = TPMT_KEYEDHASH_SCHEME(TPM_ALG.XOR, TPMS_SCHEME_XOR(TPM_ALG.SHA256, TPM_ALG.KDF1_SP800_108))
ECDSA = TPMT_ECC_SCHEME(TPM_ALG.ECDSA, SHA256)
NO_POINT = TPMS_ECC_POINT(b"", b"")
ECC_SCHEMES = (
    *[ECDSA] * 4,
    *[TPMT_ECC_SCHEME(alg, SHA256) for alg in (TPM_ALG.ECSCHNORR, TPM_ALG.SM2, TPM_ALG.ECDH, TPM_ALG.ECMQV)],
    *[TPMT_ECC_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, 0))] * 2,
)
NO_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)
SCHEMES = (
    NO_SCHEME,
    TPMT_SIG_SCHEME(TPM_ALG.ECDSA, SHA256),
    TPMT_SIG_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA1)),
    TPMT_SIG_SCHEME(TPM_ALG.HMAC, SHA256),
    TPMT_SIG_SCHEME(TPM_ALG.RSASSA, SHA256),
    TPMT_SIG_SCHEME(TPM_ALG.ECSCHNORR, SHA256),
    TPMT_SIG_SCHEME(TPM_ALG.SM2, SHA256),
    *[TPMT_SIG_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, count)) for count in range(3)],
)
BASE_POINT = TPMS_ECC_POINT(
    bytes.fromhex("6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"),
    bytes.fromhex("4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"),
)
STORAGE = A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN | A.USER_WITH_AUTH | A.RESTRICTED | A.DECRYPT
NO_KDF = TPMT_KDF_SCHEME(TPM_ALG.NULL)
CURVES = (TPM_ECC.NIST_P384, TPM_ECC.NIST_P224, TPM_ECC.NIST_P192, TPM_ECC.SM2_P256, TPM_ECC.NONE)
INDICES = (0x01500000, 0x01500001, 0x01C00002)
TRANSIENT = (0x80000000, 0x80000001, 0x80000002)
PERSISTENT = (0x81000001, 0x81000002)


def scheme_of(alg: TPM_ALG, hash_alg: TPM_ALG, count: int = 0) -> TPMT_SIG_SCHEME:
    """Returns a signature scheme with its hash."""
    if alg == TPM_ALG.ECDAA:
        return TPMT_SIG_SCHEME(alg, TPMS_SCHEME_ECDAA(hash_alg, count))
    return NO_SCHEME if alg == TPM_ALG.NULL else TPMT_SIG_SCHEME(alg, TPMS_SCHEME_HASH(hash_alg))


def sizes(response: Any) -> list[int]:
    """Returns the sizes of the buffers of a response, for values that are random."""
    return [len(value) for value in vars(response).values() if isinstance(value, bytes)]


class Step(NamedTuple):
    """A command that both TPMs got, as swtpm got it, and their response codes: swtpm's first."""

    command: Any
    codes: tuple[int, int]


class PairCore:
    """Two TPMs, swtpm and the soft TPM, that get the same commands.

    `differences` has what was not equal, `history` all commands.
    """

    def __init__(self, seed: int, swtpm: Tpm, soft: Tpm) -> None:
        self.random = random.Random(seed)
        self.tpms = (swtpm, soft)
        self.count = 0
        self.differences: list[str] = []
        self.history: list[Step] = []
        self._loaded: list[int] = []
        self._auths: dict[int, bytes] = {}
        self._blobs: list[tuple[int, tuple[bytes, ...], tuple[TPMT_PUBLIC, ...], bytes]] = []
        self._contexts: list[tuple[tuple[Any, ...], bytes]] = []
        self._actions = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        # The clocks of new TPMs differ: TPM2_ClockSet to 0 is valid in the first millisecond (Part 3, §29.2).
        time.sleep(0.01)

    def run(self, steps: int) -> None:
        """Executes random commands. Every 40 steps, both TPMs forget what is loaded, and lockout ends."""
        for step in range(steps):
            if len(self._loaded) == len(TRANSIENT) and self.random.random() < 0.6:
                self.do_flush()
            else:
                self.random.choice(self._actions)()
            if step % 40 == 39:
                self._flush_all()

    # The same command for both.

    def both(
        self,
        make: Callable[[int], Any],
        *auths: Callable[[int], Any],
        compare: Callable[[Any], Any] = lambda _: None,
    ) -> list[Any] | None:
        """Executes the commands `make(0)` and `make(1)`; returns both responses if both TPMs accept.

        `auths` return the authorizations, `compare` what is equal in both responses.
        """
        codes, responses, sent = [], [], []
        state = self.random.getstate()
        for side, tpm in enumerate(self.tpms):
            self.random.setstate(state)
            try:
                command = make(side)
                sent.append(command)
            except TpmError:
                return None  # a command that prepares this one is refused
            try:
                responses.append(tpm.execute(command, *(auth(side) for auth in auths)))
                codes.append(0)
            except TpmError as error:
                codes.append(error.rc)
            except TransportError as error:
                self.differences.append(f"{self.count + 1}: {error}: {command!r}")
                raise
            except EncodeError:
                return None  # a wrong value that has no wire form
        self.count += 1
        self.history.append(Step(sent[0], (codes[0], codes[1])))
        name = type(command).__name__
        if codes[0] != codes[1]:
            if not is_allowed(name, codes[0], codes[1]):
                self.differences.append(f"{self.count}: swtpm 0x{codes[0]:x}, soft 0x{codes[1]:x}: {command!r}")
        elif not codes[0] and compare(responses[0]) != compare(responses[1]):
            self.differences.append(f"{self.count}: {compare(responses[0])} {compare(responses[1])}: {command!r}")
        if codes == [0, 0]:
            return responses
        if 0 in codes:
            self._flush_all()
        return None

    def _flush_all(self) -> None:
        for tpm in self.tpms:
            for handle in TRANSIENT:
                try:
                    tpm.execute(commands.FlushContext(handle))
                except TpmError:
                    continue
            for handle in PERSISTENT:
                try:
                    tpm.execute(commands.EvictControl(TPM_RH.OWNER, handle, handle))
                except TpmError:
                    continue
            tpm.execute(commands.DictionaryAttackLockReset(), Password())
        self._loaded.clear()

    def _note_loaded(self, responses: list[Any] | None, auth: bytes) -> None:
        if responses is None:
            return
        first, second = (next(v for k, v in vars(r).items() if k.endswith("_handle")) for r in responses)
        if first != second:
            self.differences.append(f"{self.count}: handles 0x{first:x}, 0x{second:x}")
            self._flush_all()
            return
        self._loaded.append(first)
        self._auths[first] = auth

    # Random values.

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _password(self) -> bytes:
        return self.random.choice((b"", b"", b"", b"pw"))

    def _object(self) -> int:
        if self._loaded and self._chance(0.9):
            return self.random.choice(self._loaded)
        return self.random.choice((*TRANSIENT, TPM_RH.OWNER, TPM_RH.NULL, 0x80000005))

    def _auth(self, handle: int) -> Callable[[int], Password]:
        wrong = self._chance(0.06)
        return lambda side: Password(b"wrong" if wrong else self._auths.get(handle, b""))

    def _attributes(self) -> TPMA_OBJECT:
        if self._chance(0.25):
            return TPMA_OBJECT(self.random.getrandbits(20) & 0x70CF6)
        found = A.USER_WITH_AUTH | A.SENSITIVE_DATA_ORIGIN
        if self._chance(0.6):
            found |= A.FIXED_TPM | A.FIXED_PARENT
        if self._chance(0.3):
            found |= A.NO_DA
        found |= self.random.choice(
            (A.SIGN_ENCRYPT, A.DECRYPT, A.SIGN_ENCRYPT | A.RESTRICTED, A.DECRYPT | A.RESTRICTED, A(0))
        )
        return found | A.ADMIN_WITH_POLICY if self._chance(0.1) else found

    def _template(self) -> TPMT_PUBLIC:
        attributes, kind = self._attributes(), self.random.random()
        policy = b"" if self._chance(0.85) else bytes(self.random.choice((32, 20, 31)))
        alg = self.random.choice((*[TPM_ALG.SHA256] * 5, TPM_ALG.SHA1, TPM_ALG.SHA384, TPM_ALG.NULL))
        storage = attributes & (A.RESTRICTED | A.DECRYPT) == (A.RESTRICTED | A.DECRYPT)
        if kind < 0.4:
            named = self._chance(0.1 if storage else 0.6)
            scheme = self.random.choice(ECC_SCHEMES) if named else TPMT_ECC_SCHEME(TPM_ALG.NULL)
            symmetric = AES if storage == self._chance(0.9) else NO_SYMMETRIC
            curve = self.random.choice((*[TPM_ECC.NIST_P256] * 6, *CURVES))
            parameters: Any = TPMS_ECC_PARMS(symmetric, scheme, curve, NO_KDF)
            return TPMT_PUBLIC(TPM_ALG.ECC, alg, attributes, policy, parameters, TPMS_ECC_POINT(b"", b""))
        if kind < 0.8:
            if self._chance(0.4):
                attributes &= ~A.SENSITIVE_DATA_ORIGIN
            keyed = self.random.choice((HMAC, TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL), XOR))
            return TPMT_PUBLIC(TPM_ALG.KEYEDHASH, alg, attributes, policy, TPMS_KEYEDHASH_PARMS(keyed), b"")
        mode = self.random.choice((*[TPM_ALG.CFB] * 3, TPM_ALG.CBC, TPM_ALG.NULL, TPM_ALG.CMAC))
        symmetric = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, self.random.choice((128, 256, 128, 100)), mode)
        return TPMT_PUBLIC(TPM_ALG.SYMCIPHER, alg, attributes, policy, TPMS_SYMCIPHER_PARMS(symmetric), b"")

    def _has_private_part(self, handle: int) -> bool:
        # swtpm 0.7.1 enters failure mode if a session authorizes an object whose private part is not loaded.
        return self.tpms[1].transport.machine.transient[handle].sensitive is not None  # type: ignore[attr-defined]

    def _flush_session(self, handle: int) -> None:
        self.both(lambda _: commands.FlushContext(handle))
