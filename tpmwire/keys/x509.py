"""X.509 certificates and chains (RFC 5280), read without `cryptography`; signatures are not verified.

`certificates` verifies chains of endorsement keys. This module reads the certificate of a signing key before the
key is used: serial number, public key, validity, usages and names.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Sequence

from ..crypto import der
from ..crypto.spki import PublicKey, parse_public_key_der
from ..errors import DecodeError, UnusableCertificateError
from ..spec.constants import TPM_ECC
from ..wires import bytes_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "ANY_EXTENDED_USAGE",
    "CLIENT_AUTH",
    "X509Certificate",
    "name_text",
    "order_chain",
    "read_subject_public_key",
    "read_x509_certificates",
]

CLIENT_AUTH, ANY_EXTENDED_USAGE = "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"

_PEM = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_SEQUENCE, _INTEGER, _BIT_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0x03, 0x17, 0x18
_KEY_USAGE, _EXTENDED_KEY_USAGE, _CONSTRAINTS = "2.5.29.15", "2.5.29.37", "2.5.29.19"
_SUBJECT_KEY, _ALTERNATIVE_NAME, _AUTHORITY_KEY = "2.5.29.14", "2.5.29.17", "2.5.29.35"
_USAGES = (
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
_WEAK_HASHES = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
}
"""Hash functions below SHA-256 by the OID of the signature algorithm (RFC 3279, §2.2)."""

_SHORT = {"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
_TEXT_CODECS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}


class X509Certificate:
    """The fields of a certificate in DER.

    - `serial`: the serial number; `version`: 1 to 3.
    - `issuer`, `subject`: names in DER.
    - `not_before`, `not_after`: POSIX seconds.
    - `public_key_der`: the SubjectPublicKeyInfo.
    - `key_usage`: names of the usages; None without the extension.
    - `extended_key_usage`: OIDs; None without the extension.
    - `is_ca`: cA of basicConstraints, False without the extension; `path_length`: a number or None.
    - `alternative_names`: the value of subjectAltName in DER; b"" without the extension.
    - `subject_key_id`, `authority_key_id`: bytes or None.
    - `weak_hash`: the name of a signature hash below SHA-256, or "".

    Raises DecodeError if the DER is damaged.
    """

    def __init__(self, data: bytes) -> None:
        certificate = _elements(data, _SEQUENCE)
        if len(certificate) != 3:
            raise DecodeError(f"a certificate has 3 elements, not {len(certificate)}")
        self.der = data
        fields = _elements(certificate[0], _SEQUENCE)
        self.version = 1
        if fields and fields[0][0] == 0xA0:
            self.version = der.parse_element(der.Explicit(0, der.INTEGER), fields.pop(0)) + 1
        if len(fields) < 6:
            raise DecodeError("the certificate lacks mandatory fields")
        self.serial = _integer(fields[0])
        algorithm = der.parse_element(der.OBJECT_IDENTIFIER, (_elements(fields[1], _SEQUENCE) or [b""])[0])
        self.weak_hash = _WEAK_HASHES.get(algorithm, "")
        self.issuer, self.subject, self.public_key_der = fields[2], fields[4], fields[5]
        validity = _elements(fields[3], _SEQUENCE)
        if len(validity) != 2:
            raise DecodeError("the validity needs two times")
        self.not_before, self.not_after = map(_time, validity)
        self.key_usage: frozenset[str] | None = None
        self.extended_key_usage: tuple[str, ...] | None = None
        self.is_ca = False
        self.path_length: int | None = None
        self.alternative_names = b""
        self.subject_key_id: bytes | None = None
        self.authority_key_id: bytes | None = None
        for field in fields[6:]:
            if field[0] == 0xA3:
                self._read_extensions(
                    der.parse_element(der.AnyElement(_SEQUENCE), field[der.header_size(field) :])
                )

    def __repr__(self) -> str:
        return f"<X509Certificate {name_text(self.subject)!r}, serial number {self.serial}>"

    @property
    def public_key(self) -> PublicKey:
        """The public key. Raises DecodeError for a key of a kind that TPMs do not have."""
        return parse_public_key_der(self.public_key_der)

    @property
    def is_rsa(self) -> bool:
        """Whether the key is an RSA key."""
        return isinstance(self.public_key[0], bytes)

    @property
    def key_text(self) -> str:
        """The kind of the key for messages: RSA 2048, or NIST_P256."""
        key = self.public_key
        if isinstance(key[0], TPM_ECC):
            return key[0].name
        return f"RSA {int.from_bytes(key[0], 'big').bit_length()}" if isinstance(key[0], bytes) else str(key[0])

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name, as in a root certificate."""
        return self.subject == self.issuer

    def issued(self, other: X509Certificate) -> bool:
        """Returns whether this certificate's name and key identifier are those of the issuer of `other`."""
        known = self.subject_key_id is not None and other.authority_key_id is not None
        return self.subject == other.issuer and (not known or self.subject_key_id == other.authority_key_id)

    def _read_extensions(self, data: bytes) -> None:
        for extension in _elements(data, _SEQUENCE):
            parts = _elements(extension, _SEQUENCE)
            if len(parts) < 2:
                raise DecodeError("an extension needs an OID and a value")
            oid = der.parse_element(der.OBJECT_IDENTIFIER, parts[0])
            value = der.parse_element(der.OCTET_STRING, parts[-1])
            if oid == _KEY_USAGE:
                self.key_usage = _bits(value)
            elif oid == _EXTENDED_KEY_USAGE:
                found = [der.parse_element(der.OBJECT_IDENTIFIER, each) for each in _elements(value, _SEQUENCE)]
                self.extended_key_usage = tuple(found)
            elif oid == _CONSTRAINTS:
                for each in _elements(value, _SEQUENCE):
                    if each[0] == _INTEGER:
                        self.path_length = _integer(each)
                    else:
                        self.is_ca = der.parse_element(der.BOOLEAN, each)
            elif oid == _ALTERNATIVE_NAME:
                self.alternative_names = value
            elif oid == _SUBJECT_KEY:
                self.subject_key_id = der.parse_element(der.OCTET_STRING, value)
            elif oid == _AUTHORITY_KEY:
                key = next((each for each in _elements(value, _SEQUENCE) if each[0] == 0x80), None)
                self.authority_key_id = None if key is None else key[der.header_size(key) :]


def read_x509_certificates(data: bytes) -> list[X509Certificate]:
    """Returns the certificates in a file's content: PEM, where other blocks are ignored, or one in DER.

    Raises UnusableCertificateError if there is no certificate, or a damaged one.
    """
    if data[:1] == bytes([_SEQUENCE]):
        encodings = [data]
    else:
        found = _PEM.findall(data)
        labels = [label.decode() for label in _LABEL.findall(data)]
        begun = [label for label in labels if label in _CERTIFICATES]
        if len(begun) > len(found):
            raise UnusableCertificateError(
                f"a certificate is truncated: BEGIN {begun[-1]} without END {begun[-1]}; copy the whole file again"
            )
        if not found:
            other = f"only {', '.join(sorted({*labels}))}" if labels else "no PEM block and no DER"
            raise UnusableCertificateError(f"no certificate: expected BEGIN CERTIFICATE, got {other}")
        try:
            encodings = [binascii.a2b_base64(body) for _, body in found]
        except binascii.Error as error:
            raise UnusableCertificateError(f"the certificate's base64 is damaged: {error}") from None
    try:
        return [X509Certificate(each) for each in encodings]
    except DecodeError as error:
        raise UnusableCertificateError(f"the certificate is damaged: {error}") from None


def order_chain(
    leaf: X509Certificate, certificates: Sequence[X509Certificate]
) -> tuple[list[X509Certificate], list[X509Certificate]]:
    """Returns (intermediate certificates from the issuer of `leaf` upwards, unused certificates).

    Copies of `leaf` and self-issued certificates are in neither list, because a trust anchor is not sent.
    """
    rest: list[X509Certificate] = []
    for each in certificates:
        if each.der != leaf.der and not each.is_self_issued and all(each.der != one.der for one in rest):
            rest.append(each)
    chain: list[X509Certificate] = []
    last = leaf
    while (issuer := next((each for each in rest if each.issued(last)), None)) is not None:
        rest.remove(issuer)
        chain.append(issuer)
        last = issuer
    return chain, rest


def name_text(name: bytes) -> str:
    """Returns a distinguished name in DER as text for messages, such as "CN=host,O=Example" (RFC 4514)."""
    parts = []
    try:
        for group in reversed(_elements(name, _SEQUENCE)):
            for pair in _elements(group, 0x31):
                oid, value = _elements(pair, _SEQUENCE)[:2]
                kind = der.parse_element(der.OBJECT_IDENTIFIER, oid)
                text = value[der.header_size(value) :].decode(_TEXT_CODECS.get(value[0], "ascii"), "replace")
                parts.append(f"{_SHORT.get(kind, kind)}={text}")
    except (DecodeError, ValueError):
        return "a damaged name"
    return ",".join(parts)


def read_subject_public_key(public_key_der: bytes) -> bytes:
    """Returns the BIT STRING in a SubjectPublicKeyInfo: an RSAPublicKey in DER, or an uncompressed point.

    Raises DecodeError if the DER is damaged.
    """
    parts = _elements(public_key_der, _SEQUENCE)
    if len(parts) != 2 or parts[1][0] != _BIT_STRING:
        raise DecodeError("a SubjectPublicKeyInfo has an algorithm and a BIT STRING")
    return parts[1][der.header_size(parts[1]) + 1 :]


def _elements(data: bytes, tag: int) -> list[bytes]:
    """Returns the elements inside a constructed element with the given tag, each with tag and length."""
    whole = der.parse_element(der.AnyElement(tag), data)
    stream = io.BytesIO(whole[der.header_size(whole) :])
    found = []
    while bytes_left(stream):
        found.append(der.AnyElement()._parse(stream, {}, ""))
    return found


def _integer(data: bytes) -> int:
    contents = der.parse_element(der.AnyElement(_INTEGER), data)[der.header_size(data) :]
    if not contents:
        raise DecodeError("an INTEGER needs at least one byte")
    return int.from_bytes(contents, "big", signed=True)


def _bits(data: bytes) -> frozenset[str]:
    contents = der.parse_element(der.AnyElement(_BIT_STRING), data)[der.header_size(data) :]
    return frozenset(
        name
        for at, name in enumerate(_USAGES)
        if contents[1 + at // 8 : 2 + at // 8] > b"" and contents[1 + at // 8] & 0x80 >> at % 8
    )


def _time(data: bytes) -> int:
    """Returns the POSIX seconds of a Time (RFC 5280, §4.1.2.5), computed without the module datetime."""
    text: Any = data[der.header_size(data) :].decode("ascii", "replace")
    if data[0] == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif data[0] != _GENERALIZED_TIME:
        raise DecodeError(f"expected a time, got {der.tag_name(data[0])}")
    if not re.fullmatch("[0-9]{14}Z", text):
        raise DecodeError("the time is not YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ")
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    hour, minute, second = int(text[8:10]), int(text[10:12]), int(text[12:14])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        raise DecodeError("the time is out of range")
    # Days from 0000-03-01 to the date, with years that begin in March, so that leap days are at the end.
    start = year - (month < 3)
    days = 365 * start + start // 4 - start // 100 + start // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (days - 719468) * 86400 + hour * 3600 + minute * 60 + second
