"""Public keys as people have them: whatever the form, the same key; whatever else, a line that says what it is."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tpmwire.crypto.public_keys import Found, read_public_key
from tpmwire.crypto.spki import into_template, parse_public_key
from tpmwire.errors import KeyFileError
from tpmwire.keys import templates

RSA, ECC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
SPKI = PublicFormat.SubjectPublicKeyInfo


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = RSA) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, SPKI)


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = RSA) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "maker")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(name).serial_number(7)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=9))
    return builder.public_key(key.public_key()).sign(ECC, hashes.SHA256())


KEY = parse_public_key(pem())
AREA = into_template(KEY, templates.ek_rsa())
assert AREA is not None
TPMT = AREA.build()
TPM2B = len(TPMT).to_bytes(2, "big") + TPMT
DER = RSA.public_key().public_bytes(Encoding.DER, SPKI)
PKCS1 = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
CERTIFICATE = certificate().public_bytes(Encoding.DER)
CERTIFICATE_PEM = certificate().public_bytes(Encoding.PEM).decode()

TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "binary": lambda data: data,
    "hex": lambda data: data.hex().encode(),
    "HEX with an end of line": lambda data: data.hex().upper().encode() + b"\n",
    "0x": lambda data: b"0x" + data.hex().encode(),
    "hex with colons": lambda data: data.hex(":").encode(),
    "hex in lines": lambda data: "\n".join(data.hex()[n : n + 60] for n in range(0, 2 * len(data), 60)).encode(),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 for URLs, without padding": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", ["SubjectPublicKeyInfo", "PKCS #1", "TPM2B_PUBLIC", "TPMT_PUBLIC", "certificate"])
def test_every_form(form: str, text: str) -> None:
    forms = {
        "SubjectPublicKeyInfo": (DER, Found(key=KEY)),
        "PKCS #1": (PKCS1, Found(key=KEY)),
        "TPM2B_PUBLIC": (TPM2B, Found(public=AREA)),
        "TPMT_PUBLIC": (TPMT, Found(public=AREA)),
    }
    if form == "certificate":
        found = read_public_key(TEXTS[text](CERTIFICATE))
        assert found.key == KEY
        assert x509.load_pem_x509_certificate(str(found.certificate).encode()).serial_number == 7
    else:
        data, expected = forms[form]
        assert read_public_key(TEXTS[text](data)) == expected


@pytest.mark.parametrize("key", [RSA, ECC, P384])
def test_pem(key: rsa.RSAPrivateKey) -> None:
    text = pem(key)
    expected = Found(key=parse_public_key(text))
    for form in (
        text,
        text.replace(b"\n", b"\r\n"),
        b"".join(b"    " + line for line in text.splitlines(True)),
        json.dumps({"ekPub": text.decode()}).encode(),
        json.dumps({"ekPub": text.decode()}).replace("/", "\\/").encode(),
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + text,
        base64.b64encode(text),
        text + text,
    ):
        assert read_public_key(form) == expected


@pytest.mark.parametrize("text", [b"-----BEGIN", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"])
def test_a_public_area_with_the_text_of_pem(text: bytes) -> None:
    area = AREA.replace(auth_policy=text)
    for data in (area.build(), area.build().hex().encode(), base64.b64encode(area.build())):
        assert read_public_key(data) == Found(public=area)


def test_certificates() -> None:
    found = read_public_key(certificate().public_bytes(Encoding.PEM))
    assert found.key == KEY
    chain = read_public_key((CERTIFICATE_PEM + certificate(ECC).public_bytes(Encoding.PEM).decode()).encode())
    assert chain.key == KEY  # the first one is the key's
    assert str(chain.certificate).count("BEGIN CERTIFICATE") == 2
    assert read_public_key(pem() + CERTIFICATE_PEM.encode()).certificate == CERTIFICATE_PEM
    assert read_public_key(pem(ECC) + CERTIFICATE_PEM.encode()) == Found(
        key=parse_public_key(pem(ECC))
    )  # another key's certificate
    # As tpm2_nvread gives it of an index that is larger.
    assert read_public_key(CERTIFICATE + bytes(100)).key == KEY
    assert read_public_key(CERTIFICATE + b"\xff" * 100).key == KEY


def test_the_algorithm_of_some_makers_certificates() -> None:
    """id-RSAES-OAEP in the place of rsaEncryption, with parameters or without."""
    oaep = bytes.fromhex("06092a864886f70d010107")
    plain = bytes.fromhex("300d06092a864886f70d0101010500")
    for algorithm in (b"\x30\x0d" + oaep + b"\x05\x00", b"\x30\x0d" + oaep + b"\x30\x00", b"\x30\x0b" + oaep):
        contents = DER[4:].replace(plain, algorithm)
        assert read_public_key(b"\x30\x82" + len(contents).to_bytes(2, "big") + contents).key == KEY


PRIVATE = RSA.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
OTHERS = {
    "nothing": (b"", "an empty file"),
    "blanks": (b" \n", "an empty file"),
    "a private key": (PRIVATE, "a private key, which is not needed"),
    "a key file": (
        b"-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n",
        "a TPM key file",
    ),
    "an SSH key": (
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "an SSH public key",
    ),
    "a context": (bytes.fromhex("badcc0de00000001"), "tpm2_readpublic"),
    "HTML": (b"<html>", "XML or HTML"),
    "UTF-16": ("{}".encode("utf-16"), "UTF-16"),
    "Ed25519": (
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, SPKI),
        "expected RSA or",
    ),
    "text": (b"web-1.example.com", "text of 17 bytes"),
    "another TPM2B": (b"\0\4abcd", "(TPM2B)"),
    "octets": (b"\x01\x02\x03\x80", "4 bytes in an unknown format"),
    "PEM without its END line": (pem()[:100], "PEM without its END line"),
    "a certificate request": (
        b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
        "a certificate request",
    ),
    "damaged PEM": (pem().replace(b"A", b"!", 3), "the PUBLIC KEY is damaged"),
    "two keys": (pem() + pem(ECC), "2 public keys"),
    "PEM of another key": (
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, SPKI),
        "the PUBLIC KEY does not contain a readable RSA or NIST-curve public key",
    ),
    "cut": (TPM2B[:-1], "bytes in an unknown"),
    "too long": (TPMT + b"\0", "bytes in an unknown"),
}


@pytest.mark.parametrize("before", [b"", b"\n", b"AKIA\n"])
def test_a_secret_that_is_mistaken_for_a_key_is_not_shown(before: bytes) -> None:
    secret = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
    with pytest.raises(KeyFileError) as caught:
        read_public_key(before + secret + b"\n")
    assert "wJal" not in str(caught.value)
    assert b"wJal".hex() not in str(caught.value)


@pytest.mark.parametrize("what", OTHERS)
def test_what_it_is_instead(what: str) -> None:
    data, says = OTHERS[what]
    with pytest.raises(KeyFileError) as caught:
        read_public_key(data)
    message = str(caught.value)
    assert says in message
    assert message.isprintable()
    assert len(message) < 330


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: ("-----BEGIN " + text).encode("utf-8")))
def test_anything(data: bytes) -> None:
    """Any octets are a key, or KeyFileError."""
    with suppress(KeyFileError):
        read_public_key(data)
