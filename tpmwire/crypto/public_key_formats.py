"""Public keys of TPM objects in the formats of other programs: PEM, DER, JWK, OpenSSH, and `cryptography` objects.

Everything but `to_cryptography` and `from_cryptography` works without the package `cryptography`.
"""

import binascii
from typing import TYPE_CHECKING, Any

from ..errors import DecodeError, EncodeError
from ..spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)
from .jwk_ssh import build_jwk, build_ssh
from .ml_keys import MlKey, area_of_ml_key
from .public_keys import read_public_key
from .spki import PublicKey, build_public_key_der, parse_public_key_der, public_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = [
    "area_of",
    "from_cryptography",
    "parse_public",
    "to_cryptography",
    "to_der",
    "to_jwk",
    "to_pem",
    "to_ssh",
]

_NONE = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)


def area_of(
    key: PublicKey,
    template: TPMT_PUBLIC | None = None,
    attributes: TPMA_OBJECT = TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.DECRYPT,
) -> TPMT_PUBLIC:
    """Returns the public area for a public key, for TPM2_LoadExternal: nameAlg SHA-256, no scheme, no policy.

    With `template`, everything but the key is taken from the template: attributes, nameAlg, policy and scheme.
    Without it, the object has `attributes`. Raises EncodeError if the types of key and template differ.
    """
    if isinstance(key, MlKey):
        return area_of_ml_key(key, template, attributes)
    kind, value = key
    parms: TPMS_ECC_PARMS | TPMS_RSA_PARMS
    unique: TPMS_ECC_POINT | bytes
    if isinstance(value, TPMS_ECC_POINT):
        curve = TPM_ECC(int(kind))
        parms = TPMS_ECC_PARMS(_NONE, TPMT_ECC_SCHEME(TPM_ALG.NULL), curve, TPMT_KDF_SCHEME(TPM_ALG.NULL))
        if template is not None and isinstance(template.parameters, TPMS_ECC_PARMS):
            return template.replace(parameters=template.parameters.replace(curve_id=curve), unique=value)
        found, unique = TPM_ALG.ECC, value
    else:
        assert isinstance(kind, bytes)
        sizes: dict[str, Any] = {"key_bits": 8 * len(kind), "exponent": 0 if value == 65537 else value}
        parms = TPMS_RSA_PARMS(_NONE, TPMT_RSA_SCHEME(TPM_ALG.NULL), **sizes)
        if template is not None and isinstance(template.parameters, TPMS_RSA_PARMS):
            return template.replace(parameters=template.parameters.replace(**sizes), unique=kind)
        found, unique = TPM_ALG.RSA, kind
    if template is not None:
        raise EncodeError(f"key type {found.name} does not match template type {template.type.name}")
    return TPMT_PUBLIC(found, TPM_ALG.SHA256, attributes, b"", parms, unique)


def parse_public(data: bytes | str, template: TPMT_PUBLIC | None = None) -> TPMT_PUBLIC:
    """Returns the public area in `data`, or a public area for the public key or certificate in `data`.

    `data` can be TPM2B_PUBLIC, TPMT_PUBLIC, PEM, DER, a JWK, an OpenSSH public key, or any of these in hex or
    base64. A key without a public area gets the attributes of `template`; see `from_cryptography`. Raises
    KeyFileError if `data` contains no public key.
    """
    found = read_public_key(data.encode() if isinstance(data, str) else data)
    if found.public is not None:
        return found.public
    assert found.key is not None  # one of the two is always set
    return area_of(found.key, template)


def to_der(public: TPMT_PUBLIC) -> bytes:
    """Returns the public key as a SubjectPublicKeyInfo in DER.

    Raises EncodeError for a type without a public key.
    """
    return build_public_key_der(public_key_of(public))


def to_pem(public: TPMT_PUBLIC) -> str:
    """Returns the public key in PEM, with the label PUBLIC KEY.

    Raises EncodeError for a type without a public key.
    """
    body = binascii.b2a_base64(to_der(public), newline=False).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def to_jwk(public: TPMT_PUBLIC) -> dict[str, Any]:
    """Returns the public key as a JSON Web Key object (RFC 7518, §6).

    Raises EncodeError for keys other than RSA, P-256, P-384 and P-521.
    """
    jwk: dict[str, Any] = build_jwk(public_key_of(public))  # libraries of JOSE differ in the type of a value
    return jwk


def to_ssh(public: TPMT_PUBLIC, comment: str = "") -> str:
    """Returns the public key as a line of authorized_keys: "ecdsa-sha2-nistp256 AAAA… comment".

    Raises EncodeError for keys other than RSA, P-256, P-384 and P-521.
    """
    return build_ssh(public_key_of(public), comment)


def to_cryptography(public: TPMT_PUBLIC) -> "RSAPublicKey | EllipticCurvePublicKey":
    """Returns the public key as an object of the package `cryptography`.

    ML-DSA, ML-KEM-768 and ML-KEM-1024 keys need `cryptography` 47 or later. Raises EncodeError for a type without
    a public key, for a curve or parameter set that the package does not support, and for a point that is not on
    its curve; ModuleNotFoundError if the package is not installed.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # late: optional
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return load_der_public_key(to_der(public))  # type: ignore[return-value]
    except (UnsupportedAlgorithm, ValueError) as error:
        raise EncodeError(f"the installed cryptography cannot load this public key ({error})") from error


def from_cryptography(key: Any, template: TPMT_PUBLIC | None = None) -> TPMT_PUBLIC:
    """Returns a public area for a public key, private key or certificate of the package `cryptography`.

    With `template`, such as `templates.ek_rsa()`, everything but the key is taken from the template: attributes,
    nameAlg, policy and scheme. Otherwise the public area is for TPM2_LoadExternal: userWithAuth, sign and decrypt,
    nameAlg SHA-256, no scheme. Only the public part of a private key is used. Raises EncodeError for types other
    than RSA, ECC, ML-DSA and ML-KEM, and if the types of key and template differ.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # late: optional

    public = key.public_key() if hasattr(key, "public_key") else key
    try:
        data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return area_of(parse_public_key_der(data), template)
    except DecodeError as error:
        raise EncodeError(error.reason) from error
