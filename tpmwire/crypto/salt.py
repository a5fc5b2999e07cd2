"""Encrypts a secret to a TPM key: the salt of a session, or the seed of a duplicate.

TPM 2.0 Part 1, Annex B.10 for RSA keys, Annex C.6.1 for ECC keys and, since version 1.85, §47.4 for ML-KEM keys.
The code uses Python integers unless `cryptography` is already loaded, because loading that package takes longer
(measurements: docs/security.md).
"""

from __future__ import annotations

import sys

from ..errors import EncodeError, SessionError
from ..secret import Secret
from ..spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_PUBLIC,
)
from .formulas import digest_size, hash_name, kdfa, kdfe, random_bytes
from .pure.curves import P256, P384, P521, Curve, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LEAST_RSA_BITS", "encapsulate_secret", "seal_secret", "secret_of_kem"]

LEAST_RSA_BITS = 2048
"""A shorter modulus does not protect today's recordings."""

CURVES = {TPM_ECC.NIST_P256: P256, TPM_ECC.NIST_P384: P384, TPM_ECC.NIST_P521: P521}


def seal_secret(public: TPMT_PUBLIC, label: bytes = b"SECRET") -> tuple[Secret, bytes]:
    """Returns (new secret, the secret encrypted to the key `public`, as in TPM2B_ENCRYPTED_SECRET).

    `label`, without the final zero byte, is SECRET for a session, DUPLICATE for a duplicate or an import, and
    IDENTITY for a credential. The secret is as long as a digest of the key's nameAlg. Raises EncodeError for a key
    that cannot decrypt a secret. Raises SessionError for a weak key, which an attacker who impersonates the TPM
    could have chosen.
    """
    if not public.object_attributes & TPMA_OBJECT.DECRYPT:
        raise EncodeError("the key for the salt is not a decryption key; use a storage or endorsement key")
    if isinstance(public.parameters, TPMS_RSA_PARMS) and isinstance(public.unique, bytes):
        return _create_rsa_salt(public, public.parameters, public.unique, label)
    if isinstance(public.parameters, TPMS_ECC_PARMS) and isinstance(public.unique, TPMS_ECC_POINT):
        return _for_ecc(public, public.parameters, public.unique, label)
    if isinstance(public.parameters, TPMS_MLKEM_PARMS) and isinstance(public.unique, bytes):
        return _for_mlkem(public, public.parameters, public.unique, label)
    raise EncodeError("the key for the salt is not an RSA, ECC or ML-KEM key; use a storage or endorsement key")


def _create_rsa_salt(
    public: TPMT_PUBLIC, parameters: TPMS_RSA_PARMS, unique: bytes, label: bytes
) -> tuple[Secret, bytes]:
    # late: only RSA keys need these modules, and the usual salt key is an ECC key
    from .pure.modulus import fault_of
    from .pure.oaep import encrypt

    modulus, exponent = int.from_bytes(unique, "big"), parameters.exponent or 65537
    if modulus.bit_length() != parameters.key_bits or modulus.bit_length() < LEAST_RSA_BITS or not modulus & 1:
        raise SessionError(
            "the RSA key for the salt has an invalid modulus: expected an odd number of "
            f"{max(parameters.key_bits, LEAST_RSA_BITS)} bits, got an {'odd' if modulus & 1 else 'even'} number "
            f"of {modulus.bit_length()} bits; do not trust this TPM"
        )
    if (fault := fault_of(modulus)) is not None:
        raise SessionError(f"the RSA key for the salt is weak: {fault}")
    if exponent < 65537 or not exponent & 1:
        raise SessionError(
            "the RSA key for the salt has an invalid exponent: expected an odd number of at least 65537, "
            f"got {exponent}; do not trust this TPM"
        )
    if parameters.scheme.scheme not in (TPM_ALG.NULL, TPM_ALG.OAEP):
        raise EncodeError(
            f"an RSA key with the scheme {parameters.scheme.scheme.name} cannot decrypt a salt: it needs OAEP"
        )
    # OAEP uses the hash of the key's scheme, if it has one (§B.4); the secret's size always follows nameAlg.
    details = parameters.scheme.details
    hash_alg = details.hash_alg if isinstance(details, TPMS_SCHEME_HASH) else public.name_alg
    secret = random_bytes(digest_size(public.name_alg))
    return Secret(secret), encrypt(modulus, exponent, secret, label + b"\0", hash_name(hash_alg))


def _for_ecc(
    public: TPMT_PUBLIC, parameters: TPMS_ECC_PARMS, unique: TPMS_ECC_POINT, label: bytes
) -> tuple[Secret, bytes]:
    curve = CURVES.get(parameters.curve_id)
    if curve is None:
        raise EncodeError(f"unsupported curve {parameters.curve_id.name}; use a key on P-256, P-384 or P-521")
    static = int.from_bytes(unique.x, "big"), int.from_bytes(unique.y, "big")
    if not curve.holds(static):
        raise SessionError("the ECC key for the salt is not a point on its curve; do not trust this TPM")
    (x, y), z = agree(parameters.curve_id, static)
    size = digest_size(public.name_alg)
    secret = kdfe(
        public.name_alg,
        z,
        label,
        x.to_bytes(curve.size, "big"),
        static[0].to_bytes(curve.size, "big"),
        8 * size,
    )
    return Secret(secret), TPMS_ECC_POINT(x.to_bytes(curve.size, "big"), y.to_bytes(curve.size, "big")).build()


def _for_mlkem(
    public: TPMT_PUBLIC, parameters: TPMS_MLKEM_PARMS, unique: bytes, label: bytes
) -> tuple[Secret, bytes]:
    size = 384 * (parameters.parameter_set + 1) + 32  # FIPS 203, §8: 800, 1184 or 1568
    try:
        if len(unique) != size:
            raise ValueError(f"expected a public key of {size} bytes, got {len(unique)} bytes")
        shared, ciphertext = encapsulate_secret(unique)
    except ValueError as error:
        raise SessionError(f"the ML-KEM key for the salt is invalid: {error}; do not trust this TPM") from None
    return secret_of_kem(public, label, shared, ciphertext), ciphertext


def secret_of_kem(public: TPMT_PUBLIC, label: bytes, shared: Secret, ciphertext: bytes) -> Secret:
    """Returns the secret that a key derives from an ML-KEM shared secret (Part 1, §47.4).

    `public` is the key's public area, `label` as in `seal_secret`.
    """
    assert isinstance(public.unique, bytes)
    bits = 8 * digest_size(public.name_alg)
    return Secret(kdfa(public.name_alg, shared.reveal(), label, ciphertext, public.unique, bits))


def encapsulate_secret(public_key: bytes) -> tuple[Secret, bytes]:
    """Returns (new ML-KEM shared secret, its ciphertext for the key) (FIPS 203, §7.2).

    The key's size selects ML-KEM-512, 768 or 1024. The computation in Python takes 3 to 5 ms. If `cryptography` 47
    or later is already loaded, it computes ML-KEM-768 and 1024. Raises ValueError if the key is not valid.
    """
    shared, ciphertext = _encapsulate_by_cryptography(public_key) or _encapsulate_in_python(public_key)
    return Secret(shared), ciphertext


def _encapsulate_in_python(public_key: bytes) -> tuple[bytes, bytes]:
    """Implements `encapsulate_secret` with Python's integers."""
    from .pure.mlkem import encapsulate_in_python  # late: only ML-KEM keys need it

    return encapsulate_in_python(public_key)


def _encapsulate_by_cryptography(public_key: bytes) -> tuple[bytes, bytes] | None:
    """Implements `encapsulate_secret` with `cryptography`. Returns None if it is not loaded or too old."""
    if "cryptography.hazmat" not in sys.modules:
        return None
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # late, as the next line: slow, and optional
        from cryptography.hazmat.primitives.asymmetric import mlkem
    except ImportError:
        return None
    kinds: dict[int, Any] = {1184: mlkem.MLKEM768PublicKey, 1568: mlkem.MLKEM1024PublicKey}
    if (kind := kinds.get(len(public_key))) is None:
        return None
    try:
        shared, ciphertext = kind.from_public_bytes(public_key).encapsulate()
    except UnsupportedAlgorithm:  # built with an older OpenSSL
        return None
    return shared, ciphertext


def agree(curve_id: TPM_ECC, static: Point) -> tuple[Point, bytes]:
    """Returns an ephemeral ECDH public key, and the secret that it shares with the public key `static`.

    The secret is the x coordinate of the shared point, padded to the size of the curve. Importing `cryptography`
    costs a process 10 ms and more; the exchange in Python costs 2 ms on P-256, 6 ms on P-384, 14 ms on P-521. If
    `cryptography` is already loaded, its exchange is faster and runs in constant time.
    """
    if curve_id == TPM_ECC.NIST_P521 or "cryptography.hazmat" in sys.modules:
        try:
            return agree_by_cryptography(curve_id, static)
        except ImportError:
            pass
    return agree_in_python(CURVES[curve_id], static)


def agree_in_python(curve: Curve, static: Point) -> tuple[Point, bytes]:
    """Implements `agree` with Python's integers. The ephemeral scalar is used for two multiplications only."""
    scalar = curve.random_scalar()
    return curve.multiply(scalar, curve.g), curve.multiply(scalar, static)[0].to_bytes(curve.size, "big")


def agree_by_cryptography(curve_id: TPM_ECC, static: Point) -> tuple[Point, bytes]:
    """Implements `agree` with `cryptography`. Raises ImportError if it is not installed."""
    from cryptography.hazmat.primitives.asymmetric import ec  # late: slow to import, and optional

    curves: dict[TPM_ECC, ec.EllipticCurve] = {
        TPM_ECC.NIST_P256: ec.SECP256R1(),
        TPM_ECC.NIST_P384: ec.SECP384R1(),
        TPM_ECC.NIST_P521: ec.SECP521R1(),
    }
    curve = curves[curve_id]
    key = ec.generate_private_key(curve)
    own = key.public_key().public_numbers()
    peer = ec.EllipticCurvePublicNumbers(*static, curve).public_key()
    return (own.x, own.y), key.exchange(ec.ECDH(), peer)
