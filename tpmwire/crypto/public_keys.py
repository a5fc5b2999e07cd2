"""Reads public keys in all common formats, which are detected by content.

The formats are SubjectPublicKeyInfo and PKCS #1 (PEM or DER), X.509 certificates (PEM or DER), TPM2B_PUBLIC and
TPMT_PUBLIC, JWK, and OpenSSH's public keys. Each can be binary, hex or base64. PEM can be inside other text,
indented, or have escaped line ends, as in JSON.
"""

import binascii
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from ..errors import DecodeError, KeyFileError
from ..spec.structures import TPMT_PUBLIC
from .jwk_ssh import parse_jwk, parse_ssh, parse_ssh_blob
from .spki import PublicKey, certified_key, parse_public_key_der

__all__ = ["FORMS", "Found", "read_public_key"]

FORMS = (
    "a public key in PEM or DER, a public area (TPM2B_PUBLIC or TPMT_PUBLIC) in binary, hex or base64, a "
    "JWK, an SSH public key, or an X.509 certificate"
)
"""The formats that `read_public_key` accepts, for messages."""


class Found(NamedTuple):
    """A public key: a TPM public area (`public`) or a key without attributes (`key`).

    `certificate` is the key's certificate in PEM, if any. A key without attributes can belong to several public
    areas. Certificates of the issuers may follow the certificate.
    """

    public: TPMT_PUBLIC | None = None
    key: PublicKey | None = None
    certificate: str | None = None


def read_public_key(data: bytes) -> Found:
    """Finds the public key in data of any supported format.

    Raises KeyFileError if the data contains no key, or several keys. For data of another type, the message names
    the likely type.
    """
    if found := _parse_area(data):  # precedes PEM, since its fields may contain any text
        return found
    if b"-----BEGIN" in data:
        return _parse_pem(data)
    if key := parse_jwk(data) or parse_ssh(data):
        return Found(key=key)
    for decoded in chain(_decode_text(data), (data,)):
        if found := _parse_area(decoded):
            return found
        if b"-----BEGIN" in decoded:
            return _parse_pem(decoded)
        if found := _parse_binary(decoded):
            return found
    raise KeyFileError(f"not a public key: this looks like {_guess_type(data)}; expected {FORMS}")


def _parse_binary(data: bytes) -> Found | None:
    """Parses a public key in DER or in a TPM structure. Returns None for any other data."""
    if data[:1] == b"\x30":
        return _parse_der(data)
    if key := parse_ssh_blob(data):
        return Found(key=key)
    return _parse_area(data)


def _parse_area(data: bytes) -> Found | None:
    """Parses a TPMT_PUBLIC or a TPM2B_PUBLIC. Returns None for any other data."""
    sized = len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2
    try:
        return Found(public=TPMT_PUBLIC.parse(data[2:] if sized else data))
    except DecodeError:
        return None


def _parse_der(data: bytes) -> Found | None:
    try:
        return Found(key=parse_public_key_der(data))
    except DecodeError:
        pass
    try:
        key, certificate = certified_key(data)
    except DecodeError:
        return None
    return Found(key=key, certificate=_pem("CERTIFICATE", certificate))


def _decode_text(data: bytes) -> Iterator[bytes]:
    """Yields the text decoded as hex, then as base64, for each encoding that is valid."""
    text = b"".join(data.split())
    digits = text.removeprefix(b"0x").replace(b":", b"")
    if re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", digits):
        yield bytes.fromhex(digits.decode())
    if re.fullmatch(rb"[A-Za-z0-9+/_-]+={0,2}", text):
        body = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield binascii.a2b_base64(body + b"=" * (-len(body) % 4), strict_mode=True)
        except ValueError:
            return


_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_KEYS, _CERTIFICATES = ("PUBLIC KEY", "RSA PUBLIC KEY"), ("CERTIFICATE", "X509 CERTIFICATE")
_OTHERS = {
    "TSS2 PRIVATE KEY": "a TPM key file; give the public key of its parent, as tpm2_readpublic writes it",
    "CERTIFICATE REQUEST": "a certificate request, not a certificate",
}


def _parse_pem(data: bytes) -> Found:
    text = data.decode("latin-1").replace("\\r", "\n").replace("\\n", "\n").replace("\\/", "/")
    blocks = [(label, _der(label, body)) for label, body in _BLOCK.findall(text)]
    keys = list({found for label, der in blocks if label in _KEYS and (found := _parse_der(der))})
    certificates = [found for label, der in blocks if label in _CERTIFICATES and (found := _parse_der(der))]
    if len(keys) > 1:
        raise KeyFileError(f"the text contains {len(keys)} public keys; give only one (gcloud: use --format=json)")
    if not keys and not certificates:
        label = next((label for label, _ in blocks if label in _KEYS + _CERTIFICATES), "")
        raise KeyFileError(_not_in_pem(label, [label for label, _ in blocks]))
    (key,) = keys or certificates[:1]
    if not certificates or certificates[0].key != key.key:
        return key
    return key._replace(certificate="".join(found.certificate or "" for found in certificates))


def _not_in_pem(unread: str, labels: list[str]) -> str:
    if unread:
        return f"the {unread} does not contain a readable RSA or NIST-curve public key"
    what = next((_OTHERS[label] for label in labels if label in _OTHERS), None)
    if what is None and any("PRIVATE KEY" in label for label in labels):
        what = "a private key, which is not needed; keep it secret"
    what = what or (f"PEM with the label {labels[0]}" if labels else "PEM without its END line")
    return f"not a public key: this looks like {what}; expected {FORMS}"


def _der(label: str, body: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(body.split()), strict_mode=True)
    except ValueError as error:
        raise KeyFileError(f"the {label} is damaged: invalid base64") from error


def _pem(label: str, der: bytes) -> str:
    body = binascii.b2a_base64(der, newline=False).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _guess_type(data: bytes) -> str:
    """Returns the likely type of data that is not a public key, for an error message.

    The message does not quote the data, which may be a secret.
    """
    start = data[:64].strip()
    for begin, what in (
        (b"\xba\xdc\xc0\xde", "a context file of tpm2-tools; give the output of `tpm2_readpublic -c FILE -o`"),
        (b"ssh-", "an SSH public key"),
        (b"ecdsa-sha2-", "an SSH public key"),
        (b"<", "XML or HTML"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
        (b"\x30", "other DER data, or a key of an unsupported type (expected RSA or a NIST curve)"),
    ):
        if start.startswith(begin):
            return what
    if not start:
        return "an empty file"
    if len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
        return "a different TPM structure with its size (TPM2B)"
    if start.isascii() and start.decode("ascii").isprintable():
        return f"text of {len(data)} bytes"
    return f"{len(data)} bytes in an unknown format"
