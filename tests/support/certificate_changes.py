"""Changes of certificates, as in those of TPM makers and of attackers."""

from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.makers import (
    Spec,
    boolean,
    extension,
    integer,
    octets,
    oid,
    sequence,
    tlv,
)

Specs = dict[str, Spec]
Change = Callable[[Specs], None]
UNCOMPRESSED = PublicFormat.UncompressedPoint
CURVE_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
CURVE_GAP = 0x4319055258E8617B0C46353D039CDAAF  # of P-256: how far its order is from a sum of powers of two


def identifier(number: int) -> bytes:
    """Returns a key identifier."""
    return octets(bytes([number]) * 20)


def authority(number: int) -> bytes:
    """Returns the extension authorityKeyIdentifier."""
    return extension("2.5.29.35", sequence(tlv(0x80, bytes([number]) * 20)))


def change(who: str, **fields: object) -> Change:
    """Returns a change of fields in one certificate of the chain."""

    def apply(specs: Specs) -> None:
        specs[who] = replace(specs[who], **fields)  # type: ignore[arg-type]

    return apply


def having(who: str, **extensions: bytes | None) -> Change:
    """Returns a change of extensions in one certificate of the chain."""

    def apply(specs: Specs) -> None:
        specs[who] = specs[who].having(**extensions)

    return apply


def each(*changes: Change) -> Change:
    """Returns one change that makes all changes."""

    def apply(specs: Specs) -> None:
        for one in changes:
            one(specs)

    return apply


def default_written_out(specs: Specs) -> None:
    """Intel, Nuvoton: `critical FALSE`, and `cA FALSE`, which DER leaves out."""
    specs["leaf"] = specs["leaf"].having(
        x2_5_29_37=extension("2.5.29.37", sequence(oid("2.23.133.8.1")), False),
        x2_5_29_19=extension("2.5.29.19", sequence(boolean(False)), True),
        x2_5_29_9=extension("2.5.29.9", sequence(sequence(oid("2.23.133.2.16"), tlv(0x31, sequence()))), False),
    )


def identifiers(specs: Specs) -> None:
    """Adds key identifiers that match each other."""
    having("root", x2_5_29_14=extension("2.5.29.14", identifier(1)))(specs)
    having("intermediate", x2_5_29_14=extension("2.5.29.14", identifier(2)), x2_5_29_35=authority(1))(specs)
    having("leaf", x2_5_29_35=authority(2))(specs)


def longer(size: int) -> Callable[[bytes], bytes]:
    """Returns a function that encodes the outermost length in more bytes than necessary."""
    return lambda der: der[:1] + bytes([0x80 | size]) + (len(der) - 4).to_bytes(size, "big") + der[4:]


def with_sha1(key: object, data: bytes) -> bytes:
    """Returns an ECDSA signature with SHA-1."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(data, ec.ECDSA(hashes.SHA1()))


def with_sha384(key: object, data: bytes) -> bytes:
    """Returns an ECDSA signature with SHA-384."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(data, ec.ECDSA(hashes.SHA384()))


def with_pss(key: object, data: bytes) -> bytes:
    """Returns an RSA signature with PSS padding."""
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def with_md5(key: object, data: bytes) -> bytes:
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.sign(data, padding.PKCS1v15(), hashes.MD5())


def compressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A SubjectPublicKeyInfo with the point in its short form."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), tlv(0x03, b"\0", point))


def explicit(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A SubjectPublicKeyInfo with all numbers of P-256 in place of its name."""
    prime, order = 2**256 - 2**224 + 2**192 + 2**96 - 1, 2**256 - 2**224 + 2**192 - CURVE_GAP
    curve = sequence(*(octets(number.to_bytes(32, "big")) for number in (prime - 3, CURVE_B)))
    base = octets(ec.derive_private_key(1, key.curve).public_key().public_bytes(Encoding.X962, UNCOMPRESSED))
    field = sequence(oid("1.2.840.10045.1.1"), integer(prime))
    parameters = sequence(integer(1), field, curve, base, integer(order), integer(1))
    point = key.public_key().public_bytes(Encoding.X962, UNCOMPRESSED)
    return sequence(sequence(oid("1.2.840.10045.2.1"), parameters), tlv(0x03, b"\0", point))
