"""Public keys as openssl and `tpm2_readpublic -f pem` write them: SubjectPublicKeyInfo (RFC 5280, §4.1.2.7).

Only as far as a salt key needs: RSA, and the NIST curves.
"""

import binascii
from typing import Any

from . import der
from .errors import DecodeError, KeyFileError
from .spec.constants import TPM_ALG, TPM_ECC
from .spec.structures import TPMS_ECC_PARMS, TPMS_ECC_POINT, TPMS_RSA_PARMS, TPMT_PUBLIC

__all__ = ["PublicKey", "into_template", "parse"]

_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_CURVES = {
    "1.2.840.10045.3.1.7": (TPM_ECC.NIST_P256, 32),
    "1.3.132.0.34": (TPM_ECC.NIST_P384, 48),
    "1.3.132.0.35": (TPM_ECC.NIST_P521, 66),
}


class _BitString(der.Element):
    """BIT STRING of whole octets (X.690, §8.6)."""

    def read(self, contents: bytes) -> bytes:
        if contents[:1] != b"\0":
            raise DecodeError("a BIT STRING that is no whole number of octets", 0, len(contents))
        return contents[1:]


class _Null(der.Element):
    """NULL (X.690, §8.8)."""

    def read(self, contents: bytes) -> str:
        if contents:
            raise DecodeError("a NULL that is not empty", 0, len(contents))
        return "NULL"


class _Natural(der.Element):
    """INTEGER of any size, not negative, as its octets without the zero in front."""

    def read(self, contents: bytes) -> bytes:
        if not contents or contents[0] >= 0x80 or (contents[0] == 0 and len(contents) > 1 and contents[1] < 0x80):
            raise DecodeError("an INTEGER that is negative or not in its shortest form", 0, len(contents))
        return contents.lstrip(b"\0")


def _spki(parameters: der.Element) -> der.Sequence:
    algorithm = der.Sequence(("algorithm", der.OBJECT_IDENTIFIER), ("parameters", parameters))
    return der.Sequence(("algorithm", algorithm), ("subjectPublicKey", _BitString(0x03)))


_RSA, _EC = _spki(_Null(0x05)), _spki(der.OBJECT_IDENTIFIER)
_RSA_KEY = der.Sequence(("modulus", _Natural(0x02)), ("publicExponent", _Natural(0x02)))

PublicKey = tuple[TPM_ECC, TPMS_ECC_POINT] | tuple[bytes, int]
"""A curve and a point, or a modulus and an exponent."""


def parse(data: bytes) -> PublicKey:
    """The public key in PEM (label PUBLIC KEY) or DER. Raises KeyFileError."""
    try:
        if _BEGIN.encode() in data:
            data = binascii.a2b_base64(data.decode("ascii").split(_BEGIN)[1].split(_END)[0])
        return _read(data)
    except (DecodeError, ValueError, IndexError) as error:
        raise KeyFileError(f"this holds no RSA or NIST-curve public key in PEM or DER ({error})") from error


def _read(data: bytes) -> PublicKey:
    values: Any
    try:
        values = der.parse(_EC, data)
    except DecodeError:
        (oid, _), octets = der.parse(_RSA, data)
        if oid != "1.2.840.113549.1.1.1":
            raise DecodeError(f"the algorithm {oid} is not RSA") from None
        modulus, exponent = der.parse(_RSA_KEY, octets)
        return modulus, int.from_bytes(exponent, "big")
    (_, curve), point = values
    if curve not in _CURVES:
        raise DecodeError(f"the curve {curve} is none of NIST's")
    identifier, size = _CURVES[curve]
    if point[:1] != b"\x04" or len(point) != 1 + 2 * size:
        raise DecodeError("the point is not in its uncompressed form")
    return identifier, TPMS_ECC_POINT(point[1 : 1 + size], point[1 + size :])


def into_template(key: PublicKey, template: TPMT_PUBLIC) -> TPMT_PUBLIC | None:
    """The public area of a primary key made from `template` whose public key is `key`; None where it cannot be."""
    kind, value = key
    if isinstance(value, TPMS_ECC_POINT):
        fits = isinstance(template.parameters, TPMS_ECC_PARMS) and template.parameters.curve_id == kind
        return template.replace(unique=value) if fits else None
    parameters = template.parameters
    if template.type != TPM_ALG.RSA or not isinstance(parameters, TPMS_RSA_PARMS) or not isinstance(kind, bytes):
        return None
    fits = 8 * len(kind) == parameters.key_bits and value == (parameters.exponent or 65537)
    return template.replace(unique=kind) if fits else None
