"""SubjectPublicKeyInfo, the public key format of openssl and `tpm2_readpublic -f pem` (RFC 5280, §4.1.2.7).

Supports RSA, and the NIST and Brainpool curves and SM2, which TPMs have. Also parses PKCS #1's RSAPublicKey, and
the public key in a certificate. Other fields of a certificate are ignored.
"""

import binascii
import io

from ..errors import DecodeError, EncodeError, KeyFileError
from ..spec.constants import TPM_ALG, TPM_ECC
from ..spec.structures import TPMS_ECC_PARMS, TPMS_ECC_POINT, TPMS_RSA_PARMS, TPMT_PUBLIC
from . import der
from .ml_keys import MlKey, area_of_ml_key, ml_key_of, ml_oid, parse_ml_key

__all__ = [
    "PublicKey",
    "build_public_key_der",
    "certified_key",
    "curve_of_oid",
    "curve_size",
    "into_template",
    "parse_public_key",
    "parse_public_key_der",
    "public_key_of",
]

_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_CURVES = {
    "1.2.840.10045.3.1.1": (TPM_ECC.NIST_P192, 24),
    "1.3.132.0.33": (TPM_ECC.NIST_P224, 28),
    "1.2.840.10045.3.1.7": (TPM_ECC.NIST_P256, 32),
    "1.3.132.0.34": (TPM_ECC.NIST_P384, 48),
    "1.3.132.0.35": (TPM_ECC.NIST_P521, 66),
    "1.2.156.10197.1.301": (TPM_ECC.SM2_P256, 32),
    "1.3.36.3.3.2.8.1.1.7": (TPM_ECC.BP_P256_R1, 32),
    "1.3.36.3.3.2.8.1.1.11": (TPM_ECC.BP_P384_R1, 48),
    "1.3.36.3.3.2.8.1.1.13": (TPM_ECC.BP_P512_R1, 64),
}
_RSA_OIDS = ("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.7")
"""rsaEncryption, and id-RSAES-OAEP, which some makers write in the certificates of endorsement keys."""
_EC_OID = "1.2.840.10045.2.1"


class _BitString(der.Element):
    """BIT STRING of whole bytes (X.690, §8.6)."""

    def read(self, contents: bytes) -> bytes:
        if contents[:1] != b"\0":
            raise DecodeError("the BIT STRING is empty or has unused bits", 0, len(contents))
        return contents[1:]

    def written(self, value: bytes) -> bytes:
        return b"\0" + value


class _Null(der.Element):
    """The ASN.1 value NULL (X.690, §8.8)."""

    def written(self, value: bytes) -> bytes:
        return value


_ALGORITHM = der.Sequence(
    ("algorithm", der.OBJECT_IDENTIFIER), ("parameters", der.AnyElement()), optional=("parameters",)
)
_SPKI = der.Sequence(("algorithm", _ALGORITHM), ("subjectPublicKey", _BitString(0x03)))
_RSA_SPKI = der.Sequence(
    ("algorithm", der.Sequence(("algorithm", der.OBJECT_IDENTIFIER), ("parameters", _Null(0x05)))),
    ("subjectPublicKey", _BitString(0x03)),
)
_EC_SPKI = der.Sequence(
    ("algorithm", der.Sequence(("algorithm", der.OBJECT_IDENTIFIER), ("parameters", der.OBJECT_IDENTIFIER))),
    ("subjectPublicKey", _BitString(0x03)),
)
_RSA_KEY = der.Sequence(("modulus", der.Natural(0x02)), ("publicExponent", der.Natural(0x02)))

PublicKey = tuple[TPM_ECC, TPMS_ECC_POINT] | tuple[bytes, int] | MlKey
"""A curve and a point, a modulus and an exponent, or an ML-KEM or ML-DSA key."""


def parse_public_key(data: bytes) -> PublicKey:
    """Parses a public key in PEM (label PUBLIC KEY) or DER. Raises KeyFileError for any other data."""
    try:
        if _BEGIN.encode() in data:
            data = binascii.a2b_base64(data.decode("ascii").split(_BEGIN)[1].split(_END)[0])
        return parse_public_key_der(data)
    except (DecodeError, ValueError, IndexError) as error:
        raise KeyFileError(f"not a supported public key in PEM or DER ({error})") from error


def parse_public_key_der(data: bytes) -> PublicKey:
    """Parses a public key in DER, a SubjectPublicKeyInfo or an RSAPublicKey.

    Raises DecodeError for any other data.
    """
    if data[der.header_size(data) : der.header_size(data) + 1] == b"\x02":
        return _rsa(data)
    (oid, parameters), key = der.parse_element(_SPKI, data)
    if oid in _RSA_OIDS:
        return _rsa(key)
    if found := parse_ml_key(oid, key):
        return found
    if oid != _EC_OID:
        raise DecodeError(f"unsupported algorithm {oid}; expected RSA, ECC, ML-DSA or ML-KEM")
    curve = der.parse_element(der.OBJECT_IDENTIFIER, parameters or b"")
    if curve not in _CURVES:
        raise DecodeError(f"unsupported curve {curve}; expected a NIST or Brainpool curve or SM2")
    identifier, size = _CURVES[curve]
    if key[:1] != b"\x04" or len(key) != 1 + 2 * size:
        raise DecodeError("the point is not in uncompressed form")
    return identifier, TPMS_ECC_POINT(key[1 : 1 + size], key[1 + size :])


def _rsa(data: bytes) -> PublicKey:
    modulus, exponent = der.parse_element(_RSA_KEY, data)
    if len(modulus) < 64 or not 0 < len(exponent) <= 4:
        raise DecodeError("not an RSA public key: the modulus is too small, or the exponent exceeds 32 bits")
    return modulus, int.from_bytes(exponent, "big")


def certified_key(data: bytes) -> tuple[PublicKey, bytes]:
    """Returns the public key in a certificate, and the certificate's DER without trailing padding.

    The certificate (RFC 5280, §4.1) is not verified. Raises DecodeError if the DER is damaged.
    """
    stream = io.BytesIO(data)
    certificate = der.AnyElement(0x30)._parse(stream, {}, "")
    if data[len(certificate) :].strip(b"\0") and data[len(certificate) :].strip(b"\xff"):
        raise DecodeError("trailing data after the certificate", len(certificate), len(data) - len(certificate))
    inside = io.BytesIO(certificate[der.header_size(certificate) :])
    tbs = der.AnyElement(0x30)._parse(inside, {}, "")
    fields = io.BytesIO(tbs[der.header_size(tbs) :])
    # Skips version (optional), serialNumber, signature, issuer, validity and subject.
    before = 6 if tbs[der.header_size(tbs) : der.header_size(tbs) + 1] == b"\xa0" else 5
    for _ in range(before):
        der.AnyElement()._parse(fields, {}, "")
    return parse_public_key_der(der.AnyElement(0x30)._parse(fields, {}, "")), certificate


def build_public_key_der(key: PublicKey) -> bytes:
    """Returns a public key as a SubjectPublicKeyInfo in DER. Raises EncodeError for a curve without an OID."""
    if isinstance(key, MlKey):
        return der.build_element(_SPKI, ((ml_oid(key), None), key.value))
    kind, value = key
    if isinstance(value, TPMS_ECC_POINT):
        curve = TPM_ECC(int(kind))
        oid = next((oid for oid, (known, _) in _CURVES.items() if known == curve), None)
        if oid is None:
            raise EncodeError(f"the curve {curve.name} has no key format outside TPMs")
        size = curve_size(curve)
        point = b"\x04" + value.x.rjust(size, b"\0") + value.y.rjust(size, b"\0")
        return der.build_element(_EC_SPKI, ((_EC_OID, oid), point))
    modulus = der.build_element(_RSA_KEY, (kind, value.to_bytes(4, "big")))
    return der.build_element(_RSA_SPKI, ((_RSA_OIDS[0], b""), modulus))


def curve_of_oid(oid: str) -> TPM_ECC | None:
    """Returns the curve with an OID such as "1.2.840.10045.3.1.7", or None if TPMs do not support the curve."""
    return _CURVES[oid][0] if oid in _CURVES else None


def curve_size(curve: TPM_ECC) -> int:
    """Returns the size of a coordinate on a curve, in bytes. Raises EncodeError for an unsupported curve."""
    for known, size in _CURVES.values():
        if known == curve:
            return size
    raise EncodeError(f"unsupported curve {curve.name}; expected a NIST or Brainpool curve or SM2")


def public_key_of(public: TPMT_PUBLIC) -> PublicKey:
    """Returns the public key in a public area. Raises EncodeError for a type without a public key."""
    if (found := ml_key_of(public)) is not None:
        return found
    parameters, unique = public.parameters, public.unique
    if isinstance(unique, TPMS_ECC_POINT) and isinstance(parameters, TPMS_ECC_PARMS):
        return parameters.curve_id, unique
    if isinstance(unique, bytes) and isinstance(parameters, TPMS_RSA_PARMS):
        return unique, parameters.exponent or 65537
    wanted = "expected RSA, ECC, ML-DSA or ML-KEM"
    raise EncodeError(f"a public area of type {public.type.name} has no public key; {wanted}")


def into_template(key: PublicKey, template: TPMT_PUBLIC) -> TPMT_PUBLIC | None:
    """Returns `template` with the public key `key` inserted.

    Returns None if the key's type, size, curve or exponent differs from the template's.
    """
    if isinstance(key, MlKey):
        try:
            area = area_of_ml_key(key, template, template.object_attributes)
        except EncodeError:
            return None
        return area if area.parameters == template.parameters else None
    kind, value = key
    if isinstance(value, TPMS_ECC_POINT):
        fits = isinstance(template.parameters, TPMS_ECC_PARMS) and template.parameters.curve_id == kind
        return template.replace(unique=value) if fits else None
    parameters = template.parameters
    if template.type != TPM_ALG.RSA or not isinstance(parameters, TPMS_RSA_PARMS) or not isinstance(kind, bytes):
        return None
    fits = 8 * len(kind) == parameters.key_bits and value == (parameters.exponent or 65537)
    return template.replace(unique=kind) if fits else None
