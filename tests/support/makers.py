"""EK certificates with the peculiarities of those that makers of TPMs ship, byte by byte.

`cryptography` writes canonical certificates only, so these are put together here: each field can be replaced by
any bytes, and the whole is signed afterwards.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "ECDSA_SHA256",
    "Issued",
    "Spec",
    "attribute",
    "boolean",
    "chain",
    "extension",
    "integer",
    "length",
    "name",
    "octets",
    "oid",
    "pem",
    "sequence",
    "tlv",
    "utc",
]

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def length(size: int) -> bytes:
    """In its shortest form."""
    if size < 0x80:
        return bytes([size])
    body = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(body)]) + body


def tlv(tag: int, *parts: bytes) -> bytes:
    """A DER value."""
    body = b"".join(parts)
    return bytes([tag]) + length(len(body)) + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def octets(*parts: bytes) -> bytes:
    return tlv(0x04, *parts)


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\0")


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *others = (int(arc) for arc in dotted.split("."))
    body = b""
    for arc in (40 * first + second, *others):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.insert(0, 0x80 | arc & 0x7F)
        body += bytes(groups)
    return tlv(0x06, body)


def attribute(dotted: str, text: str, tag: int = 0x0C) -> bytes:
    """A type and value of a name; the tag is UTF8String's unless another is given."""
    encoded = text.encode("utf-16-be" if tag == 0x1E else "latin-1" if tag == 0x14 else "utf-8")
    return sequence(oid(dotted), tlv(tag, encoded))


def name(*relative: bytes | Sequence[bytes]) -> bytes:
    """A Name: each argument is an attribute, or several that make one RelativeDistinguishedName in that order."""
    return sequence(*(tlv(0x31, *([one] if isinstance(one, bytes) else one)) for one in relative))


def utc(when: datetime.datetime) -> bytes:
    return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def extension(dotted: str, value: bytes, critical: bool | None = None) -> bytes:
    """None leaves `critical` out, False writes the default out as some makers do."""
    return sequence(oid(dotted), b"" if critical is None else boolean(critical), octets(value))


ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
RSA_SHA256 = sequence(oid("1.2.840.113549.1.1.11"), tlv(0x05))


def common(text: str, tag: int = 0x0C) -> bytes:
    return name(attribute("2.5.4.3", text, tag))


def tpm_name() -> bytes:
    """The directoryName of §3.2.9, in three RelativeDistinguishedNames."""
    model = [attribute(f"2.23.133.2.{n}", text) for n, text in ((1, "id:54455354"), (2, "m"), (3, "id:1"))]
    return name(*model)


def key_usage(*bits: int) -> bytes:
    """5 is keyCertSign, 2 keyEncipherment."""
    value = sum(0x80 >> bit for bit in bits)
    return tlv(0x03, bytes([max(7 - max(bits), 0), value]))


CA = {
    "2.5.29.19": extension("2.5.29.19", sequence(boolean(True)), True),
    "2.5.29.15": extension("2.5.29.15", key_usage(5, 6), True),
}
LEAF = {
    "2.5.29.17": extension("2.5.29.17", sequence(tlv(0xA4, tpm_name())), True),
    "2.5.29.19": extension("2.5.29.19", sequence(), True),
    "2.5.29.15": extension("2.5.29.15", key_usage(2), True),
    "2.5.29.37": extension("2.5.29.37", sequence(oid("2.23.133.8.1"))),
}


def sign(key: Key, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def spki(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Spec:
    """The fields of a certificate, in DER; what is None is filled in from its place in the chain."""

    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    subject: bytes = b"\x30\0"
    extensions: dict[str, bytes] = field(default_factory=dict)
    version: bytes = b"\xa0\x03\x02\x01\x02"
    serial: bytes = integer(0x1234567890)
    not_before: bytes = field(default_factory=lambda: utc(NOW - 100 * DAY))
    not_after: bytes = field(default_factory=lambda: utc(NOW + 100 * DAY))
    issuer: bytes | None = None
    public: bytes | None = None
    algorithm: bytes | None = None
    sign: Callable[[Key, bytes], bytes] = sign
    whole: Callable[[bytes], bytes] = lambda der: der

    def having(self, **changed: bytes | None) -> "Spec":
        """With other extensions: `x2_5_29_14=…`; None takes one away."""
        extensions = dict(self.extensions)
        for key, value in changed.items():
            dotted = key[1:].replace("_", ".")
            extensions.pop(dotted, None)
            if value is not None:
                extensions[dotted] = value
        return replace(self, extensions=extensions)


@dataclass(frozen=True)
class Issued:
    """A certificate as it is issued by `by`; a root by itself."""

    spec: Spec
    by: Spec

    @cached_property
    def der(self) -> bytes:
        spec = self.spec
        default = RSA_SHA256 if isinstance(self.by.key, rsa.RSAPrivateKey) else ECDSA_SHA256
        algorithm = spec.algorithm or default
        extensions = tlv(0xA3, sequence(*spec.extensions.values())) if spec.extensions else b""
        fields = sequence(
            spec.version,
            spec.serial,
            algorithm,
            self.by.subject if spec.issuer is None else spec.issuer,
            sequence(spec.not_before, spec.not_after),
            spec.subject,
            spki(spec.key) if spec.public is None else spec.public,
            extensions,
        )
        return spec.whole(sequence(fields, algorithm, tlv(0x03, b"\0", spec.sign(self.by.key, fields))))


def chain() -> dict[str, Spec]:
    """The specifications of a root, an intermediate CA and an EK certificate, without peculiarities."""
    return {
        "root": Spec(subject=common("root"), extensions=dict(CA)),
        "intermediate": Spec(subject=common("intermediate"), extensions=dict(CA)),
        "leaf": Spec(extensions=dict(LEAF)),
    }


def pem(*ders: bytes, label: str = "CERTIFICATE") -> bytes:
    import base64

    return b"".join(
        f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()
        for der in ders
    )
