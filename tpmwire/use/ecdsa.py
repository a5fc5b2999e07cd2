"""ECDSA signatures on P-256 with a key in the TPM (Part 3, §20.2).

Digests and signatures are not secret. A session is opened only to protect a password, or to prove that the
response comes from the pinned TPM.
"""

from ..crypto.pure.curves import P256
from ..errors import EncodeError, KeyFileError, SessionError, TpmError
from ..sessions import plain_response
from ..spec.commands.signing import Sign
from ..spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPM_ST
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_TK_HASHCHECK,
)
from ..tpm import Tpm
from .key import Authorizer, Key, explain_missing_key, verify_refused_pin
from .run import Run

__all__ = ["EcdsaKey", "check_signature", "is_p256_key"]

_SIZE = 32  # bytes of a SHA-256 digest, and of each number of a P-256 signature


def is_p256_key(public: TPMT_PUBLIC) -> bool:
    """Returns whether a public area is for an ECC key on P-256."""
    return isinstance(public.parameters, TPMS_ECC_PARMS) and public.parameters.curve_id == TPM_ECC.NIST_P256


def check_signature(public: TPMT_PUBLIC, digest: bytes, numbers: tuple[bytes, bytes]) -> None:
    """Raises SessionError if `numbers` (r and s) are not the P-256 key's signature of `digest` (SHA-256).

    The check runs on the host. TPM2_VerifySignature would only be the TPM's own statement about its signature.
    """
    point = public.unique
    assert isinstance(point, TPMS_ECC_POINT)
    x, y, r, s = (int.from_bytes(number, "big") for number in (point.x, point.y, *numbers))
    if not (P256.holds((x, y)) and P256.verifies((x, y), digest, r, s)):
        raise SessionError("the TPM's signature is not valid for the key: modified in transit, or a faulty TPM")


class EcdsaKey(Key):
    """A P-256 signing key in the TPM. `Key` describes the constructor's arguments."""

    def sign(self, tpm: Tpm, digest: bytes) -> tuple[bytes, bytes]:
        """Returns the ECDSA signature of a SHA-256 digest: the numbers r and s, 32 bytes each, big-endian.

        Raises EncodeError for a digest of a wrong size, KeyFileError if the file's key is not a P-256 key,
        TpmError if the TPM refuses, SessionError if a response or the signature is not authentic, TransportError
        if the TPM does not respond, and PolicyError if the key's policy is not satisfied. Flushes the objects and
        sessions that it opened; after an error, `Tpm.close()` flushes them.
        """
        if len(digest) != _SIZE:
            raise EncodeError(f"invalid SHA-256 digest: expected {_SIZE} bytes, got {len(digest)}")
        if self.file is not None and not is_p256_key(self.file.public):
            kind = self.file.public.type.name
            raise KeyFileError(
                f"the key file has a key of type {kind}, not an ECC key on P-256: "
                "create one with `tpmwire import --sigv4a-out`"
            )
        with explain_missing_key(self), verify_refused_pin(self, tpm):
            return _SignRun(self, tpm).sign(digest)


class _SignRun(Run):
    """One use of an ECDSA key."""

    def sign(self, digest: bytes) -> tuple[bytes, bytes]:
        """Returns the signature (r, s) of a digest. Verifies the signature if the key's public area is known."""
        handle = self.reach()
        final = self.authorize_key(handle)
        try:
            numbers = self._sign(handle, digest, final)
        except TpmError as error:
            corrected = self.correct_authorization(final, handle, error)
            if corrected is None:
                raise
            numbers = self._sign(handle, digest, corrected)
        self.finish(handle)
        if self.public is not None:
            check_signature(self.public, digest, numbers)
        return numbers

    def _sign(self, handle: int, digest: bytes, final: Authorizer) -> tuple[bytes, bytes]:
        command = Sign(
            handle,
            digest,
            TPMT_SIG_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256)),
            # The ticket is empty: an unrestricted key also signs digests that the TPM has not computed.
            TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b""),
        )
        response = self.tpm.execute(command, *map(plain_response, final(more=False)))
        signature = response.signature.signature
        assert isinstance(signature, TPMS_SIGNATURE_ECC)  # the TPM uses the requested scheme, or returns an error
        return signature.signature_r.rjust(_SIZE, b"\0"), signature.signature_s.rjust(_SIZE, b"\0")
