"""Signatures of messages by an RSA or ECDSA key in the TPM (Part 3, §20.2).

For an unrestricted key, the host computes the digest. A restricted key signs only digests that the TPM has
computed: TPM2_Hash returns the digest and a ticket. A key's own scheme must be RSASSA or ECDSA with the same hash.
"""

import hashlib

from ..crypto import der
from ..crypto.pure.curves import P256, P384, P521, Curve
from ..crypto.spki import PublicKey, public_key_of
from ..errors import KeyFileError, SessionError, TpmError
from ..primary import read_loaded
from ..sessions import plain_response
from ..spec.codes import TPM_RC_ATTRIBUTES, TPM_RC_KEY, TPM_RC_SCHEME, TPM_RC_TICKET
from ..spec.commands.signing import Sign
from ..spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPM_ST, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
)
from ..tpm import Tpm
from .key import Authorizer, Key, explain_missing_key, verify_refused_pin
from .run import Run

__all__ = ["AsymmetricKey", "explain_unfit_key", "signature_octets", "verify_numbers"]

_CURVES = {TPM_ECC.NIST_P256: P256, TPM_ECC.NIST_P384: P384, TPM_ECC.NIST_P521: P521}
_PREFIXES = {
    TPM_ALG.SHA256: bytes.fromhex("3031300d060960864801650304020105000420"),
    TPM_ALG.SHA384: bytes.fromhex("3041300d060960864801650304020205000430"),
    TPM_ALG.SHA512: bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""DigestInfo without the digest (RFC 8017, §9.2)."""

_ECDSA_SIGNATURE = der.Sequence(("r", der.Natural(0x02)), ("s", der.Natural(0x02)))
_NULL_TICKET = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
_UNFIT = (TPM_RC_SCHEME, TPM_RC_KEY, TPM_RC_ATTRIBUTES)

Numbers = tuple[bytes, ...]
"""The number of an RSA signature, or r and s of an ECDSA signature: big-endian, as long as modulus or curve."""


def explain_unfit_key(public: TPMT_PUBLIC, hash_alg: TPM_ALG = TPM_ALG.SHA256) -> str | None:
    """Returns why a key cannot sign by RSASSA or ECDSA with a hash; None if it can."""
    parameters = public.parameters
    if not isinstance(parameters, TPMS_RSA_PARMS | TPMS_ECC_PARMS):
        return f"the key is of type {public.type.name}; expected RSA or ECC"
    if not public.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT:
        return "the key is for decryption only; create a key with the attribute sign"
    if isinstance(parameters, TPMS_ECC_PARMS) and parameters.curve_id not in _CURVES:
        return f"the key is on curve {parameters.curve_id.name}; expected NIST_P256, NIST_P384 or NIST_P521"
    scheme = parameters.scheme.scheme
    wanted = TPM_ALG.RSASSA if isinstance(parameters, TPMS_RSA_PARMS) else TPM_ALG.ECDSA
    if scheme not in (wanted, TPM_ALG.NULL):
        return f"the key signs by {scheme.name} only; create a key with scheme {wanted.name} or without a scheme"
    details = parameters.scheme.details
    if isinstance(details, TPMS_SCHEME_HASH) and details.hash_alg != hash_alg:
        other = details.hash_alg.name
        return f"the key signs with {other} only; create a key for {hash_alg.name} or without a scheme"
    return None


def verify_numbers(key: PublicKey, digest: bytes, numbers: Numbers, hash_alg: TPM_ALG = TPM_ALG.SHA256) -> bool:
    """Returns whether `numbers` are the signature of a digest by a public key.

    RSA signatures are those of PKCS #1 v1.5.
    """
    kind, value = key[0], key[1]
    if isinstance(value, TPMS_ECC_POINT):
        curve: Curve | None = _CURVES.get(TPM_ECC(int(kind)))
        point = int.from_bytes(value.x, "big"), int.from_bytes(value.y, "big")
        r, s = (int.from_bytes(number, "big") for number in numbers)
        # Of a longer digest, ECDSA uses the first bytes (FIPS 186-5, §6.4.2).
        return curve is not None and curve.holds(point) and curve.verifies(point, digest[: curve.size], r, s)
    assert isinstance(kind, bytes)
    assert isinstance(value, int)
    size, modulus = len(kind), int.from_bytes(kind, "big")
    info = _PREFIXES[hash_alg] + digest
    padded = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    (number,) = numbers
    recovered = pow(int.from_bytes(number, "big"), value, modulus)
    return len(number) == size and recovered == int.from_bytes(padded, "big")


def signature_octets(numbers: Numbers) -> bytes:
    """Returns a signature as used in certificates and TLS: the number of RSA unchanged, those of ECDSA in DER."""
    if len(numbers) == 1:
        return numbers[0]
    return der.build_element(_ECDSA_SIGNATURE, numbers)


class AsymmetricKey(Key):
    """An RSA or ECC signing key in the TPM. `Key` describes the constructor's arguments."""

    def sign_message(
        self, tpm: Tpm, message: bytes, expected: PublicKey, hash_alg: TPM_ALG = TPM_ALG.SHA256
    ) -> Numbers:
        """Returns the signature of `message` (at most 1024 bytes) by the key `expected`.

        Raises KeyFileError if the file's key is not `expected` or cannot sign this way; SessionError if the
        signature is not by `expected`; TpmError, TransportError, PolicyError. Flushes the objects and sessions
        that it opened; after an error, `Tpm.close()` flushes them.
        """
        if self.file is not None:
            if (unfit := explain_unfit_key(self.file.public, hash_alg)) is not None:
                raise KeyFileError(unfit)
            if public_key_of(self.file.public) != expected:
                raise KeyFileError(
                    "the key file has a public key other than the expected one; use the right key file"
                )
        with explain_missing_key(self), verify_refused_pin(self, tpm):
            return _MessageRun(self, tpm).sign(message, expected, hash_alg)


class _MessageRun(Run):
    """One use of a signing key."""

    def sign(self, message: bytes, expected: PublicKey, hash_alg: TPM_ALG) -> Numbers:
        """Returns the signature of a message, verified with the public key `expected`."""
        handle = self.reach()
        ecc = isinstance(expected[1], TPMS_ECC_POINT)
        scheme = TPMT_SIG_SCHEME(TPM_ALG.ECDSA if ecc else TPM_ALG.RSASSA, TPMS_SCHEME_HASH(hash_alg))
        restricted = self.public is not None and self.public.object_attributes & TPMA_OBJECT.RESTRICTED
        digest, ticket = hashlib.new(hash_alg.name, message).digest(), _NULL_TICKET
        if restricted:
            digest, ticket = self._hash_in_tpm(message, hash_alg)
        final = self.authorize_key(handle)
        try:
            signature = self._execute(handle, Sign(handle, digest, scheme, ticket), final)
        except TpmError as error:
            if error.code != TPM_RC_TICKET or restricted:
                self._explain(handle, error, hash_alg)
                raise
            # The key at a handle is restricted, which its public area would have shown in one more command.
            digest, ticket = self._hash_in_tpm(message, hash_alg)
            signature = self._execute(handle, Sign(handle, digest, scheme, ticket), final)
        self.finish(handle)
        numbers = _numbers(signature, expected)
        if not verify_numbers(expected, digest, numbers, hash_alg):
            raise SessionError(
                "the TPM's signature is not valid for the expected public key: a different key, a modified "
                "response, or a faulty TPM"
            )
        return numbers

    def _hash_in_tpm(self, message: bytes, hash_alg: TPM_ALG) -> tuple[bytes, TPMT_TK_HASHCHECK]:
        from ..spec.commands.symmetric import Hash  # late: few keys are restricted

        response = self.tpm.execute(Hash(message, hash_alg, TPM_RH.OWNER))
        return response.out_hash, response.validation

    def _execute(self, handle: int, command: Sign, final: Authorizer) -> TPMT_SIGNATURE:
        """Executes TPM2_Sign, a second time if the first attempt shows what the key's policy needs."""
        try:
            return self._send(command, final)
        except TpmError as error:
            corrected = self.correct_authorization(final, handle, error)
            if corrected is None:
                raise
            return self._send(command, corrected)

    def _send(self, command: Sign, final: Authorizer) -> TPMT_SIGNATURE:
        return self.tpm.execute(command, *map(plain_response, final(more=False))).signature

    def _explain(self, handle: int, error: TpmError, hash_alg: TPM_ALG) -> None:
        """Adds to an error why the key at `handle` cannot sign, which takes one more command for a handle."""
        if error.code in _UNFIT:
            public = self.public or read_loaded(self.tpm, handle).public
            if (unfit := explain_unfit_key(public, hash_alg)) is not None:
                error.add_note(unfit)


def _numbers(signature: TPMT_SIGNATURE, expected: PublicKey) -> Numbers:
    """Returns the numbers of a signature, padded to the size of the key."""
    found = signature.signature
    if isinstance(found, TPMS_SIGNATURE_RSA):
        return (found.sig,)
    assert isinstance(found, TPMS_SIGNATURE_ECC)  # the TPM uses the requested scheme, or returns an error
    size = _CURVES[TPM_ECC(int(expected[0]))].size
    return found.signature_r.rjust(size, b"\0"), found.signature_s.rjust(size, b"\0")
