"""TPM-backed ML-DSA private keys for the package `cryptography` 47 or newer (see `tpmwire.calls.private_keys`)."""

from typing import Any, Never

from cryptography.hazmat.primitives.asymmetric import mldsa

from ..errors import EncodeError
from ..spec.constants import TPM_MLDSA
from ..spec.structures import TPMS_MLDSA_PARMS, TPMT_PUBLIC
from .private_keys import TpmKey
from .version_185 import sign_digest, sign_sequence

__all__ = ["Mldsa44PrivateKey", "Mldsa65PrivateKey", "Mldsa87PrivateKey", "mldsa_class"]


class _MldsaKey(TpmKey):
    """Base class of TPM-backed ML-DSA private keys."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._describe_key()}>"

    @property
    def key_size(self) -> int:
        """Always raises AttributeError: an ML-DSA key has a parameter set, and no size."""
        raise AttributeError("key_size")

    def private_bytes_raw(self) -> Never:
        """Always raises UnsupportedAlgorithm, because the TPM never releases a private key."""
        self.private_bytes()

    def public_key(self) -> Any:
        """Returns the public key, an object of `cryptography` that does not use the TPM."""
        return self._public_key

    def sign(self, data: Any, context: Any = None) -> bytes:
        """Returns the ML-DSA signature of data of any length. `context` is the context string (FIPS 204, §5.2)."""
        with self._authorize() as by:
            made = sign_sequence(self.tpm, self.key, bytes(data), context=bytes(context or b""), by=by)
        return bytes(made.signature)

    def sign_mu(self, mu: Any) -> bytes:
        """Returns the ML-DSA signature of Mu (64 bytes). The TPM refuses unless the key has allowExternalMu."""
        with self._authorize() as by:
            return bytes(sign_digest(self.tpm, self.key, bytes(mu), by=by).signature)


class Mldsa44PrivateKey(_MldsaKey, mldsa.MLDSA44PrivateKey):
    """A TPM-backed ML-DSA-44 private key."""


class Mldsa65PrivateKey(_MldsaKey, mldsa.MLDSA65PrivateKey):
    """A TPM-backed ML-DSA-65 private key."""


class Mldsa87PrivateKey(_MldsaKey, mldsa.MLDSA87PrivateKey):
    """A TPM-backed ML-DSA-87 private key."""


_CLASSES: dict[int, type[Mldsa44PrivateKey | Mldsa65PrivateKey | Mldsa87PrivateKey]] = {
    TPM_MLDSA.MLDSA_44: Mldsa44PrivateKey,
    TPM_MLDSA.MLDSA_65: Mldsa65PrivateKey,
    TPM_MLDSA.MLDSA_87: Mldsa87PrivateKey,
}


def mldsa_class(public: TPMT_PUBLIC) -> type[Mldsa44PrivateKey | Mldsa65PrivateKey | Mldsa87PrivateKey]:
    """Returns the class for an ML-DSA key. Raises EncodeError for an unknown parameter set."""
    parameters = public.parameters
    if not isinstance(parameters, TPMS_MLDSA_PARMS) or parameters.parameter_set not in _CLASSES:
        raise EncodeError(
            f"unsupported parameter set of the {public.type.name} key; expected ML-DSA-44, -65 or -87"
        )
    return _CLASSES[parameters.parameter_set]
