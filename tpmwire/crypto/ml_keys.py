"""ML-KEM and ML-DSA keys: their OIDs, their public areas, and verification of ML-DSA signatures.

The OIDs come from NIST's algorithm registry (RFC 9881 for ML-DSA, RFC 9935 for ML-KEM).
"""

from __future__ import annotations

import hashlib

from ..errors import EncodeError, SignatureError
from ..spec.constants import TPM_ALG, TPM_MLDSA, TPM_MLKEM, TPMA_OBJECT
from ..spec.structures import (
    TPMS_HASH_MLDSA_PARMS,
    TPMS_MLDSA_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_SIGNATURE_HASH_MLDSA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
    TPMT_SYM_DEF_OBJECT,
)
from ..typed import NamedTuple
from .formulas import digest as hash_of
from .formulas import digest_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "MlKey",
    "area_of_ml_key",
    "describe_ml_parameters",
    "digest_mu",
    "message_mu",
    "ml_key_of",
    "ml_oid",
    "parse_ml_key",
    "verify_ml_signature",
]

_NIST = "2.16.840.1.101.3.4."
_SETS: dict[str, tuple[TPM_ALG, int, Any]] = {
    _NIST + "4.1": (TPM_ALG.MLKEM, 800, TPM_MLKEM.MLKEM_512),
    _NIST + "4.2": (TPM_ALG.MLKEM, 1184, TPM_MLKEM.MLKEM_768),
    _NIST + "4.3": (TPM_ALG.MLKEM, 1568, TPM_MLKEM.MLKEM_1024),
    _NIST + "3.17": (TPM_ALG.MLDSA, 1312, TPM_MLDSA.MLDSA_44),
    _NIST + "3.18": (TPM_ALG.MLDSA, 1952, TPM_MLDSA.MLDSA_65),
    _NIST + "3.19": (TPM_ALG.MLDSA, 2592, TPM_MLDSA.MLDSA_87),
}
"""Type, size of the public key and parameter set, by the object identifier."""

_HASH_OIDS = {
    TPM_ALG.SHA256: 1,
    TPM_ALG.SHA384: 2,
    TPM_ALG.SHA512: 3,
    TPM_ALG.SHA3_256: 8,
    TPM_ALG.SHA3_384: 9,
    TPM_ALG.SHA3_512: 10,
}
"""Last number of 2.16.840.1.101.3.4.2.n, the identifier of a hash (FIPS 204, §5.4.1)."""


class MlKey(NamedTuple):
    """A public key: its type (TPM_ALG.MLKEM or TPM_ALG.MLDSA), and its bytes as in FIPS 203 and 204.

    Outside TPM structures, a HashML-DSA key is an ML-DSA key.
    """

    kind: TPM_ALG
    value: bytes


def parse_ml_key(oid: str, value: bytes) -> MlKey | None:
    """Returns the key for an OID and the key's bytes, or None if the algorithm or the size is not supported."""
    found = _SETS.get(oid)
    return MlKey(found[0], value) if found is not None and found[1] == len(value) else None


def ml_oid(key: MlKey) -> str:
    """Returns the OID of a key. Raises EncodeError if no parameter set has keys of this size."""
    for oid, (kind, size, _) in _SETS.items():
        if (kind, size) == (key.kind, len(key.value)):
            return oid
    raise EncodeError(f"invalid {key.kind.name} public key: no parameter set has keys of {len(key.value)} bytes")


def ml_key_of(public: TPMT_PUBLIC) -> MlKey | None:
    """Returns the ML-KEM or ML-DSA key in a public area, or None for other types."""
    kinds = {TPM_ALG.MLKEM: TPM_ALG.MLKEM, TPM_ALG.MLDSA: TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA: TPM_ALG.MLDSA}
    kind, unique = kinds.get(public.type), public.unique
    return MlKey(kind, unique) if kind is not None and isinstance(unique, bytes) else None


def describe_ml_parameters(parameters: Any) -> str:
    """Returns the parameter set as text: "ML-KEM-768", "ML-DSA-65", "HashML-DSA-65 with SHA256"."""
    size = getattr(parameters.parameter_set, "name", "?").rpartition("_")[2]
    if isinstance(parameters, TPMS_HASH_MLDSA_PARMS):
        return f"HashML-DSA-{size} with {parameters.hash_alg.name}"
    return f"ML-{'KEM' if isinstance(parameters, TPMS_MLKEM_PARMS) else 'DSA'}-{size}"


def area_of_ml_key(key: MlKey, template: TPMT_PUBLIC | None, attributes: TPMA_OBJECT) -> TPMT_PUBLIC:
    """Returns the public area for a key, with `attributes` and nameAlg SHA-256, for TPM2_LoadExternal.

    With a template, everything but the key is taken from the template. Raises EncodeError if the types differ.
    """
    parameter_set = _SETS[ml_oid(key)][2]
    if template is not None:
        parameters: Any = template.parameters
        if ml_key_of(template) is None or (template.type == TPM_ALG.MLKEM) != (key.kind == TPM_ALG.MLKEM):
            raise EncodeError(f"key type {key.kind.name} does not match template type {template.type.name}")
        return template.replace(parameters=parameters.replace(parameter_set=parameter_set), unique=key.value)
    if key.kind == TPM_ALG.MLKEM:
        kem = TPMS_MLKEM_PARMS(TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), parameter_set)
        return TPMT_PUBLIC(key.kind, TPM_ALG.SHA256, attributes & ~TPMA_OBJECT.SIGN_ENCRYPT, b"", kem, key.value)
    dsa = TPMS_MLDSA_PARMS(parameter_set)
    return TPMT_PUBLIC(key.kind, TPM_ALG.SHA256, attributes & ~TPMA_OBJECT.DECRYPT, b"", dsa, key.value)


def verify_ml_signature(
    public: TPMT_PUBLIC,
    signature: TPMT_SIGNATURE,
    data: bytes | None,
    digest: bytes | None,
    context: bytes,
) -> None:
    """Raises SignatureError unless an ML-DSA or HashML-DSA signature is valid for a key.

    Give either `data` or `digest`. For ML-DSA, `digest` is Mu (64 bytes), which includes the context. Raises
    EncodeError if `cryptography` is older than version 47.
    """
    parameters, value = public.parameters, signature.signature
    key = ml_key_of(public)
    if key is None or public.type != signature.sig_alg:
        raise SignatureError(f"expected a key of type {signature.sig_alg.name}, got {public.type.name}")
    if len(context) > 255:
        raise EncodeError(f"the context of a signature has at most 255 bytes, got {len(context)}")
    # FIPS 204, Algorithms 3 and 5: the message with its context; Algorithm 7, line 6: Mu.
    if isinstance(value, TPMS_SIGNATURE_HASH_MLDSA):
        assert isinstance(parameters, TPMS_HASH_MLDSA_PARMS)  # by the type
        if value.hash != parameters.hash_alg or value.hash not in _HASH_OIDS:
            raise SignatureError(
                f"the key signs with {parameters.hash_alg.name} only; the signature's hash is {value.hash.name}"
            )
        hashed = hash_of(value.hash, data) if data is not None else digest or b""
        if len(hashed) != digest_size(value.hash):
            raise SignatureError(f"expected a digest of {digest_size(value.hash)} bytes, got {len(hashed)}")
        mu, signed = digest_mu(key.value, value.hash, hashed, context), value.signature
    elif isinstance(value, bytes) and data is not None:
        mu, signed = message_mu(key.value, data, context), value
    else:
        assert isinstance(value, bytes)  # by the type
        mu, signed = digest or b"", value
    if len(mu) != 64:
        raise SignatureError(f"expected a Mu of 64 bytes, got {len(mu)}")
    _verify_mu(key, signed, mu)


def message_mu(public_key: bytes, message: bytes, context: bytes) -> bytes:
    """Returns Mu, which ML-DSA signs for a message (FIPS 204, Algorithms 2 and 7).

    The context is at most 255 bytes.
    """
    return _mu(public_key, b"\0" + bytes([len(context)]) + context + message)


def digest_mu(public_key: bytes, hash_alg: TPM_ALG, digest: bytes, context: bytes) -> bytes:
    """Returns Mu, which HashML-DSA signs for the digest of a message (FIPS 204, Algorithm 4).

    The context is at most 255 bytes. `hash_alg` is a hash of the SHA-2 or SHA-3 family with 256 bits or more.
    """
    oid = bytes.fromhex("06096086480165030402") + bytes([_HASH_OIDS[hash_alg]])
    return _mu(public_key, b"\x01" + bytes([len(context)]) + context + oid + digest)


def _mu(public_key: bytes, message: bytes) -> bytes:
    return hashlib.shake_256(hashlib.shake_256(public_key).digest(64) + message).digest(64)


def _verify_mu(key: MlKey, signature: bytes, mu: bytes) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # late: optional

    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa
    except ImportError:
        raise EncodeError("ML-DSA signatures need the package cryptography in version 47 or later") from None
    kinds: dict[int, Any] = {
        1312: mldsa.MLDSA44PublicKey,
        1952: mldsa.MLDSA65PublicKey,
        2592: mldsa.MLDSA87PublicKey,
    }
    ml_oid(key)  # checks the size
    try:
        kinds[len(key.value)].from_public_bytes(key.value).verify_mu(signature, mu)
    except InvalidSignature:
        raise SignatureError("the signature is not valid for the key and the data") from None
    except (UnsupportedAlgorithm, ValueError) as error:
        raise EncodeError(f"the installed cryptography cannot verify this signature ({error})") from error
