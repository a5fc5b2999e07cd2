"""Certificate requests (PKCS #10, RFC 2986) with the extensions of a client certificate, without `cryptography`.

    subject = parse_subject("CN=host-1.example.com,O=Example")
    info = build_request_info(subject, public_key_der, alternative_names(["host-1.example.com"]))
    pem = request_pem(build_request(info, signature, rsa=False))

The key of the request signs `info`, with SHA-256.
"""

import re
from base64 import encodebytes
from collections.abc import Sequence

from ..crypto import der
from ..errors import EncodeError
from .x509 import CLIENT_AUTH

__all__ = [
    "alternative_names",
    "build_request",
    "build_request_info",
    "parse_subject",
    "request_pem",
]

_SEQUENCE, _SET, _BIT_STRING, _NULL, _BOOLEAN = 0x30, 0x31, 0x03, 0x05, 0x01
_UTF8, _PRINTABLE, _IA5 = 0x0C, 0x13, 0x16
_ECDSA_SHA256, _RSA_SHA256, _EXTENSION_REQUEST = (
    "1.2.840.10045.4.3.2",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.9.14",
)
_KEY_USAGE, _ALTERNATIVE_NAME, _CONSTRAINTS, _EXTENDED = "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"

_ATTRIBUTES = {
    "CN": ("2.5.4.3", _UTF8, 64),
    "SERIALNUMBER": ("2.5.4.5", _PRINTABLE, 64),
    "C": ("2.5.4.6", _PRINTABLE, 2),
    "L": ("2.5.4.7", _UTF8, 128),
    "ST": ("2.5.4.8", _UTF8, 128),
    "STREET": ("2.5.4.9", _UTF8, 128),
    "O": ("2.5.4.10", _UTF8, 64),
    "OU": ("2.5.4.11", _UTF8, 64),
    "TITLE": ("2.5.4.12", _UTF8, 64),
    "UID": ("0.9.2342.19200300.100.1.1", _UTF8, 256),
    "DC": ("0.9.2342.19200300.100.1.25", _IA5, 63),
    "EMAILADDRESS": ("1.2.840.113549.1.9.1", _IA5, 255),
}
"""(OID, string type, maximum number of characters) of each attribute type (RFC 5280, appendix A; RFC 4519)."""

_CHARACTERS = {_UTF8: r"[^\x00-\x1f\x7f]+", _PRINTABLE: r"[A-Za-z0-9 '()+,./:=?-]+", _IA5: r"[ -~]+"}
_DNS = re.compile(
    r"(\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_LONGEST_DNS = 253


def parse_subject(text: str) -> bytes:
    """Returns a subject as a Name in DER.

    `text` is a name as in RFC 4514, such as "CN=host,O=Example", or as openssl's -subj, such as
    "/O=Example/CN=host". The last attribute of RFC 4514 comes first in the Name. Raises EncodeError for an invalid
    name.
    """
    groups = _split(text[1:], "/") if text.startswith("/") else _split(text, ",")[::-1]
    return _element(_SEQUENCE, *(_element(_SET, *sorted(map(_attribute, _split(each, "+")))) for each in groups))


def _split(text: str, mark: str) -> list[str]:
    """Returns the parts of `text` between the unescaped characters `mark`, with their escapes."""
    parts, escaped = [""], False
    for character in text:
        if character == mark and not escaped:
            parts.append("")
            continue
        parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def _attribute(text: str) -> bytes:
    """Returns one AttributeTypeAndValue, such as "CN=host", in DER."""
    kind, equals, escaped = text.partition("=")
    kind = kind.strip()
    if not equals:
        raise EncodeError(
            f"{text!r} is not a valid part of a subject; use TYPE=VALUE, such as CN=host-1,O=Example"
        )
    if kind.upper() not in _ATTRIBUTES:
        raise EncodeError(
            f"unknown type {kind!r} in the subject; use CN, O, OU, C, ST, L, DC, UID or serialNumber"
        )
    oid, tag, longest = _ATTRIBUTES[kind.upper()]
    value = _unescape(escaped)
    if not re.fullmatch(_CHARACTERS[tag], value):
        raise EncodeError(f"{kind}={value!r}: {'not a valid value' if value else 'the value is empty'}")
    if len(value) > longest or (kind.upper() == "C" and len(value) != longest):
        raise EncodeError(
            f"{kind}: expected {'2' if longest == 2 else f'at most {longest}'} characters, got {len(value)}"
        )
    return _element(_SEQUENCE, _oid(oid), _element(tag, value.encode()))


def _unescape(text: str) -> str:
    """Returns a value of RFC 4514 without its escapes: a character or two hex digits after a backslash."""
    stripped = text.strip()
    if (len(stripped) - len(stripped.rstrip("\\"))) % 2 and text.rstrip() != text:
        stripped += " "
    if (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        raise EncodeError(f"{text!r} has a backslash at the end; write two backslashes for one")
    if re.search(r'(?<!\\)(?:\\\\)*["<>;]', stripped):
        raise EncodeError(f"{text!r} has an unescaped special character; write a backslash before it")
    found = re.sub(
        rb"\\([0-9A-Fa-f]{2}|[^0-9A-Fa-f])", _replace_escape, stripped.encode("utf-8", "surrogateescape")
    )
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise EncodeError(f"{text!r} is not UTF-8") from None


def _replace_escape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if len(match[1]) == 2 else match[1]


def alternative_names(dns: Sequence[str] = (), uris: Sequence[str] = ()) -> bytes:
    """Returns the value of subjectAltName in DER, or b"" without names. Raises EncodeError for an invalid name."""
    for name in dns:
        if not _DNS.fullmatch(name) or len(name) > _LONGEST_DNS:
            raise EncodeError(f"{name!r} is not a valid DNS name; write other scripts in Punycode (xn--...)")
    for uri in uris:
        if not _URI.fullmatch(uri):
            raise EncodeError(f"{uri!r} is not a valid URI; use one such as spiffe://example.com/host-1")
    names = [*(_element(0x82, each.encode()) for each in dns), *(_element(0x86, each.encode()) for each in uris)]
    return _element(_SEQUENCE, *names) if names else b""


def build_request_info(subject: bytes, public_key_der: bytes, names: bytes = b"") -> bytes:
    """Returns a CertificationRequestInfo in DER, which the key signs (RFC 2986, §4.1).

    `subject` is a Name, `public_key_der` a SubjectPublicKeyInfo, `names` the value of subjectAltName or b"". The
    request has basicConstraints CA:FALSE, keyUsage digitalSignature and extendedKeyUsage clientAuth.
    """
    extensions = [
        _extension(_CONSTRAINTS, _element(_SEQUENCE), critical=True),
        _extension(_KEY_USAGE, _element(_BIT_STRING, b"\x07\x80"), critical=True),
        _extension(_EXTENDED, _element(_SEQUENCE, _oid(CLIENT_AUTH))),
        *([_extension(_ALTERNATIVE_NAME, names)] if names else []),
    ]
    values = _element(_SET, _element(_SEQUENCE, *extensions))
    attributes = _element(0xA0, _element(_SEQUENCE, _oid(_EXTENSION_REQUEST), values))
    return _element(_SEQUENCE, der.build_element(der.INTEGER, 0), subject, public_key_der, attributes)


def build_request(info: bytes, signature: bytes, *, rsa: bool) -> bytes:
    """Returns the request in DER, signed with SHA-256.

    `signature` is that of PKCS #1 v1.5 if `rsa` is true, else that of ECDSA in DER.
    """
    algorithm = [_oid(_RSA_SHA256), _element(_NULL)] if rsa else [_oid(_ECDSA_SHA256)]
    return _element(_SEQUENCE, info, _element(_SEQUENCE, *algorithm), _element(_BIT_STRING, b"\0", signature))


def request_pem(request: bytes) -> str:
    """Returns a request in DER as PEM."""
    text = encodebytes(request).decode().replace("\n", "")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n"


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = der.build_element(der.BOOLEAN, True) if critical else b""
    return _element(_SEQUENCE, _oid(oid), flag, der.build_element(der.OCTET_STRING, value))


def _oid(text: str) -> bytes:
    return der.build_element(der.OBJECT_IDENTIFIER, text)


def _element(tag: int, *contents: bytes) -> bytes:
    return der.build_element(der.OctetString(tag), b"".join(contents))
