"""ML-KEM and ML-DSA (FIPS 203 and 204), computed by the packages kyber-py and dilithium-py.

`pip install tpmwire[soft]` installs both packages. Without them, the soft TPM does not support these algorithms.
"""

import copy
import hashlib
from typing import Any

from ..spec.constants import TPM_ALG, TPM_MLDSA, TPM_MLKEM
from ..spec.structures import TPMS_HASH_MLDSA_PARMS, TPMS_MLDSA_PARMS, TPMS_MLKEM_PARMS

try:
    from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87
    from kyber_py.ml_kem import ML_KEM_512, ML_KEM_768, ML_KEM_1024
except ImportError:  # the extra is not installed
    _KEMS: dict[int, Any] = {}
    _DSAS: dict[int, Any] = {}
else:
    _KEMS = {TPM_MLKEM.MLKEM_512: ML_KEM_512, TPM_MLKEM.MLKEM_768: ML_KEM_768, TPM_MLKEM.MLKEM_1024: ML_KEM_1024}
    _DSAS = {TPM_MLDSA.MLDSA_44: ML_DSA_44, TPM_MLDSA.MLDSA_65: ML_DSA_65, TPM_MLDSA.MLDSA_87: ML_DSA_87}

__all__ = [
    "MISSING",
    "PREHASHES",
    "SIGNING",
    "TYPES",
    "TYPES_OF_PACKAGES",
    "MlParameters",
    "ciphertext_size",
    "decapsulate",
    "derive_public_key",
    "public_key_size",
    "seed_size",
    "sign_mu",
    "verify_mu",
]

MISSING = "ML-KEM and ML-DSA need the packages kyber-py and dilithium-py: pip install 'tpmwire[soft]'"

TYPES_OF_PACKAGES = (TPM_ALG.MLKEM, TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA)

TYPES = TYPES_OF_PACKAGES if _KEMS else ()
"""The supported types of keys."""

SIGNING = TYPES[1:]
"""The supported types of signing keys, which are also the signature schemes."""

PREHASHES = (TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)
"""The hash algorithms for HashML-DSA (FIPS 204, §5.4.1)."""

MlParameters = TPMS_MLKEM_PARMS | TPMS_MLDSA_PARMS | TPMS_HASH_MLDSA_PARMS


def seed_size(parameters: MlParameters) -> int:
    """Returns the size of a private key in bytes: d || z for ML-KEM, the seed for ML-DSA (Part 2, §12.3.2)."""
    return 64 if isinstance(parameters, TPMS_MLKEM_PARMS) else 32


def public_key_size(parameters: MlParameters) -> int:
    """Returns the size of a public key in bytes."""
    sizes = (800, 1184, 1568) if isinstance(parameters, TPMS_MLKEM_PARMS) else (1312, 1952, 2592)
    return sizes[parameters.parameter_set - 1]


def derive_public_key(parameters: MlParameters, seed: bytes) -> bytes:
    """Returns the public key that belongs to a private key."""
    kinds = _KEMS if isinstance(parameters, TPMS_MLKEM_PARMS) else _DSAS
    public, _ = kinds[parameters.parameter_set].key_derive(seed)
    return bytes(public)


def ciphertext_size(parameters: TPMS_MLKEM_PARMS) -> int:
    """Returns the size of an ML-KEM ciphertext in bytes (FIPS 203, §8)."""
    return {TPM_MLKEM.MLKEM_512: 768, TPM_MLKEM.MLKEM_768: 1088}.get(parameters.parameter_set, 1568)


def decapsulate(parameters: TPMS_MLKEM_PARMS, seed: bytes, ciphertext: bytes) -> bytes:
    """Returns the shared secret of 32 bytes in an ML-KEM ciphertext (FIPS 203, §7.3).

    A changed ciphertext gives another secret, not an error.
    """
    kem = _KEMS[parameters.parameter_set]
    _, private = kem.key_derive(seed)
    return bytes(kem.decaps(private, ciphertext))


def sign_mu(parameters: TPMS_MLDSA_PARMS | TPMS_HASH_MLDSA_PARMS, seed: bytes, mu: bytes) -> bytes:
    """Returns the deterministic ML-DSA signature of a Mu of 64 bytes (FIPS 204, §6.2)."""
    dsa = _DSAS[parameters.parameter_set]
    _, private = dsa.key_derive(seed)
    return bytes(dsa.sign_external_mu(private, mu, deterministic=True))


def verify_mu(
    parameters: TPMS_MLDSA_PARMS | TPMS_HASH_MLDSA_PARMS, public: bytes, mu: bytes, signature: bytes
) -> bool:
    """Returns whether an ML-DSA signature of a Mu of 64 bytes is valid (FIPS 204, §6.3)."""
    dsa = _DSAS[parameters.parameter_set]
    # dilithium-py only verifies messages: Mu = H(H(public key) || message). Here, that hash is Mu itself.
    verifier = copy.copy(dsa)
    message = hashlib.shake_256(public).digest(64) + mu
    verifier._h = lambda data, size: mu if data == message else dsa._h(data, size)
    return bool(verifier._verify_internal(public, mu, signature))
