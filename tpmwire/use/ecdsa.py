"""ECDSA on P-256 with a key in the TPM: from a key file or at a handle, by password or policy (Part 3, §20.2).

The way to the key is that of an HMAC key (see `reaching`). A digest and its signature are no secrets, so a
session is worth its commands only where there is a password to keep off the bus, or a TPM to be sure of.
"""

from typing import TYPE_CHECKING

from ..crypto.pure.curves import P256
from ..errors import EncodeError, KeyFileError, SessionError, TpmError
from ..sessions import Password, Use
from ..spec.commands.signing import Sign
from ..spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPM_ST, TPMA_SESSION
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMT_SIG_SCHEME,
    TPMT_TK_HASHCHECK,
)
from ..tpm import Tpm
from .run import Authorizer, Key, Run, telling_what_is_gone

if TYPE_CHECKING:
    from ..spec.structures import TPMT_PUBLIC

__all__ = ["EcdsaKey", "check_signature", "is_p256_key"]

_SIZE = 32  # octets of a SHA-256 digest, and of each number of a P-256 signature


def is_p256_key(public: "TPMT_PUBLIC") -> bool:
    """Whether a public area is that of an ECC key on P-256."""
    return isinstance(public.parameters, TPMS_ECC_PARMS) and public.parameters.curve_id == TPM_ECC.NIST_P256


def check_signature(public: "TPMT_PUBLIC", digest: bytes, numbers: tuple[bytes, bytes]) -> None:
    """Raises SessionError where `numbers` (r and s) do not sign `digest` (SHA-256) for the P-256 key of `public`.

    Done here: what the TPM says of its own signature would prove nothing.
    """
    point = public.unique
    assert isinstance(point, TPMS_ECC_POINT)
    x, y, r, s = (int.from_bytes(number, "big") for number in (point.x, point.y, *numbers))
    if not (P256.holds((x, y)) and P256.verifies((x, y), digest, r, s)):
        raise SessionError("the TPM's signature is not valid for the key: modified in transit, or a faulty TPM")


class EcdsaKey(Key):
    """A P-256 key that signs; `Key` says how it is described. `memory` is not used."""

    def sign(self, tpm: Tpm, digest: bytes) -> tuple[bytes, bytes]:
        """The ECDSA signature of a SHA-256 digest (32 octets): its numbers r and s, 32 octets each, big-endian.

        Raises EncodeError for another size, KeyFileError for a file that holds no P-256 key, and TpmError,
        SessionError, TransportError, PolicyError. What it opened is flushed at the end, or by `Tpm.close()`
        where it fails.
        """
        if len(digest) != _SIZE:
            raise EncodeError(f"the digest has {len(digest)} octets; one of SHA-256 has {_SIZE}")
        if self.file is not None and not is_p256_key(self.file.public):
            kind = self.file.public.type.name
            raise KeyFileError(
                f"the key file holds a key of type {kind}, no ECC key on P-256; "
                "`tpmwire import --sigv4a-out` makes one"
            )
        with telling_what_is_gone(self):
            return _SignRun(self, tpm).signed(digest)


class _SignRun(Run):
    """One signature."""

    def signed(self, digest: bytes) -> tuple[bytes, bytes]:
        handle = self._reached()
        final = self._key_authorization(handle)
        try:
            numbers = self._sign(handle, digest, final)
        except TpmError as error:
            corrected = self._corrected(final, handle, error)
            if corrected is None:
                raise
            numbers = self._sign(handle, digest, corrected)
        self.tpm.flush_last(self.opened)
        if self.public is not None:
            check_signature(self.public, digest, numbers)
        return numbers

    def _sign(self, handle: int, digest: bytes, final: Authorizer) -> tuple[bytes, bytes]:
        command = Sign(
            handle,
            digest,
            TPMT_SIG_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256)),
            # No ticket: the key is not restricted, so it signs digests that the TPM has not made.
            TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b""),
        )
        answer = self.tpm.execute(command, *map(_open_answer, final(more=False)))
        signature = answer.signature.signature
        assert isinstance(signature, TPMS_SIGNATURE_ECC)  # the scheme that was asked for, or an error
        return signature.signature_r.rjust(_SIZE, b"\0"), signature.signature_s.rjust(_SIZE, b"\0")


def _open_answer(use: Password | Use) -> Password | Use:
    """The same without encryption of the answer, which begins with no sized buffer (Part 1, §21.1)."""
    if isinstance(use, Use):
        use.attributes = TPMA_SESSION(use.attributes & ~TPMA_SESSION.ENCRYPT)
    return use
