"""Parts of an X.509 certificate in DER, for TPM2_CertifyX509 (Part 3, §18.8; RFC 5280, §4.1)."""

from ..crypto.formulas import digest_size
from ..spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPMS_ECC_PARMS, TPMS_ECC_POINT, TPMS_RSA_PARMS, TPMT_PUBLIC
from . import rsa
from .refusal import Refusal, require

__all__ = [
    "INTEGER",
    "SEQUENCE",
    "VERSION",
    "check_extensions",
    "encode",
    "encode_algorithm",
    "encode_number",
    "encode_public_key",
    "split_certificate",
]

INTEGER, BIT_STRING, OCTET_STRING, SEQUENCE, EXTENSIONS = 0x02, 0x03, 0x04, 0x30, 0xA3
NULL = b"\x05\0"

KEY_USAGE, ATTRIBUTES = bytes.fromhex("0603551d0f"), bytes.fromhex("0607678105 0a010101")
"""Object identifiers of the extensions KeyUsage and tcg-tpmaObject, with tag and size."""

RSA_KEY, EC_KEY = bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06072a8648ce3d0201")
CURVES = {
    TPM_ECC.NIST_P192: bytes.fromhex("06082a8648ce3d030101"),
    TPM_ECC.NIST_P224: bytes.fromhex("06052b81040021"),
    TPM_ECC.NIST_P256: bytes.fromhex("06082a8648ce3d030107"),
    TPM_ECC.NIST_P384: bytes.fromhex("06052b81040022"),
    TPM_ECC.NIST_P521: bytes.fromhex("06052b81040023"),
}
HASHES = {
    TPM_ALG.SHA1: bytes.fromhex("06052b0e03021a"),
    TPM_ALG.SHA256: bytes.fromhex("0609608648016503040201"),
    TPM_ALG.SHA384: bytes.fromhex("0609608648016503040202"),
    TPM_ALG.SHA512: bytes.fromhex("0609608648016503040203"),
}
RSASSA = {TPM_ALG.SHA1: 5, TPM_ALG.SHA256: 11, TPM_ALG.SHA384: 12, TPM_ALG.SHA512: 13}
"""Last number of 1.2.840.113549.1.1.n, the identifier of an RSA signature."""
ECDSA = {
    TPM_ALG.SHA1: bytes.fromhex("06072a8648ce3d0401"),
    TPM_ALG.SHA256: bytes.fromhex("06082a8648ce3d040302"),
    TPM_ALG.SHA384: bytes.fromhex("06082a8648ce3d040303"),
    TPM_ALG.SHA512: bytes.fromhex("06082a8648ce3d040304"),
}
RSAPSS, MGF1 = bytes.fromhex("06092a864886f70d01010a"), bytes.fromhex("06092a864886f70d010108")
VERSION = bytes.fromhex("a003020102")


def encode(tag: int, *parts: bytes) -> bytes:
    """Returns the DER element with this tag byte and the joined parts as its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def encode_number(value: int) -> bytes:
    """Returns a non-negative number as a DER INTEGER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _read_header(data: bytes, start: int) -> tuple[int, int, int]:
    """Returns (tag, start of the content, end) of the DER element at `start`. Raises Refusal for invalid DER."""
    require(len(data) >= start + 2 and data[start] & 0x1F != 0x1F, TPM_RC.VALUE)
    size, content = data[start + 1], start + 2
    if size >= 0x80:
        require(size in (0x81, 0x82) and len(data) >= content + size - 0x80, TPM_RC.VALUE)
        content += size - 0x80
        size = int.from_bytes(data[start + 2 : content], "big")
    require(content + size <= len(data), TPM_RC.VALUE)
    return data[start], content, content + size


def split_certificate(partial: bytes) -> tuple[list[bytes], bytes]:
    """Returns (three or four sequences, extensions) of a partialCertificate. Raises Refusal if it is not valid."""
    require(partial, TPM_RC.VALUE)
    try:
        tag, at, end = _read_header(partial, 0)
    except Refusal:
        raise Refusal(TPM_RC.SIZE) from None
    require(tag == SEQUENCE and end == len(partial), TPM_RC.SIZE)
    sequences: list[bytes] = []
    extensions = b""
    while at < end:
        start = at
        tag, _, at = _read_header(partial, start)
        if tag == EXTENSIONS:
            require(not extensions, TPM_RC.VALUE)
            extensions = partial[start:at]
        else:
            require(tag == SEQUENCE, TPM_RC.VALUE)
            sequences.append(partial[start:at])
    require(len(sequences) in (3, 4) and extensions, TPM_RC.VALUE)
    return sequences, extensions


def _find_bits(data: bytes, identifier: bytes) -> int | None:
    """Returns the bit string of an extension as a number whose highest bit (31) is the first bit of the string.

    `data` contains the extensions. Returns None if there is no extension with this object identifier.
    """
    at = 0
    while at < len(data):
        tag, content, at = _read_header(data, at)
        require(tag == SEQUENCE, TPM_RC.VALUE)
        extension = data[content:at]
        if extension.startswith(identifier):
            return _read_bits(extension, len(identifier))
    return None


def _read_bits(extension: bytes, at: int) -> int:
    while at < len(extension):
        tag, content, at = _read_header(extension, at)
        if tag == OCTET_STRING:
            tag, start, end = _read_header(extension[content:at], 0)
            bits = extension[content + start : content + end]
            require(tag == BIT_STRING and bits and bits[0] < 8 and len(bits) <= 5, TPM_RC.VALUE)
            return int.from_bytes(bits[1:].ljust(4, b"\0"), "big") >> bits[0] << bits[0]
    raise Refusal(TPM_RC.VALUE)


def check_extensions(extensions: bytes, attributes: TPMA_OBJECT) -> None:
    """Raises Refusal unless the extensions match the attributes of the certified key.

    The extension tcg-tpmaObject, if present, equals the attributes. KeyUsage is required.
    """
    _, content, end = _read_header(extensions, 0)
    tag, start, end = _read_header(extensions[:end], content)
    require(tag == SEQUENCE, TPM_RC.VALUE)
    data = extensions[start:end]
    claimed = _find_bits(data, ATTRIBUTES)
    require(claimed in (None, attributes), TPM_RC.ATTRIBUTES)
    usage = _find_bits(data, KEY_USAGE)
    if usage is None:
        raise Refusal(TPM_RC.VALUE)
    # Bit 31 is digitalSignature, bit 23 decipherOnly (RFC 5280, §4.2.1.3).
    for bits, needed in (
        (0x86000000, TPMA_OBJECT.SIGN_ENCRYPT),
        (0x39800000, TPMA_OBJECT.DECRYPT),
        (0x40000000, TPMA_OBJECT.FIXED_TPM),
        (0x08000000, TPMA_OBJECT.RESTRICTED),
    ):
        require(not usage & bits or attributes & needed, TPM_RC.VALUE)


def encode_public_key(public: TPMT_PUBLIC) -> bytes | None:
    """Returns the SubjectPublicKeyInfo of an RSA or ECC key; None for another object or a curve without OID."""
    parameters, unique = public.parameters, public.unique
    if isinstance(parameters, TPMS_RSA_PARMS) and isinstance(unique, bytes):
        numbers = encode_number(int.from_bytes(unique, "big")), encode_number(parameters.exponent or rsa.EXPONENT)
        return encode(
            SEQUENCE, encode(SEQUENCE, RSA_KEY, NULL), encode(BIT_STRING, b"\0", encode(SEQUENCE, *numbers))
        )
    if (
        isinstance(parameters, TPMS_ECC_PARMS)
        and isinstance(unique, TPMS_ECC_POINT)
        and parameters.curve_id in CURVES
    ):
        point = encode(BIT_STRING, b"\0\x04", unique.x, unique.y)
        return encode(SEQUENCE, encode(SEQUENCE, EC_KEY, CURVES[parameters.curve_id]), point)
    return None


def encode_algorithm(public: TPMT_PUBLIC, scheme: int, alg: TPM_ALG) -> bytes | None:
    """Returns the AlgorithmIdentifier of a signature, or None for a scheme that X.509 does not support.

    `public` is the public area of the signing key, `alg` the hash algorithm.
    """
    if scheme == TPM_ALG.ECDSA:
        return encode(SEQUENCE, ECDSA[alg])
    if scheme == TPM_ALG.RSASSA:
        return encode(SEQUENCE, RSA_KEY[:-1] + bytes([RSASSA[alg]]), NULL)
    if scheme != TPM_ALG.RSAPSS or not isinstance(public.unique, bytes):
        return None
    if alg == TPM_ALG.SHA1:
        return encode(SEQUENCE, RSAPSS, NULL)
    hashed, size = encode(SEQUENCE, HASHES[alg], NULL), digest_size(alg)
    salt = min(size, len(public.unique) - size - 2)
    parameters = (
        encode(0xA0, hashed),
        encode(0xA1, encode(SEQUENCE, MGF1, hashed)),
        encode(0xA2, encode_number(salt)),
    )
    return encode(SEQUENCE, RSAPSS, encode(SEQUENCE, *parameters))
