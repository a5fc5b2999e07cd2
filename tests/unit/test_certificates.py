"""EK certificates as octets: padding, bundles, and damage, which is one kind of error whatever is broken."""

import datetime
import ipaddress
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tpmwire.errors import CertificateError, UnusableCertificateError
from tpmwire.keys.certificates import (
    Certificate,
    Trust,
    describe,
    load_certificates,
    public_key,
    verify_chain,
    without_padding,
)


@cache
def made(common_name: str = "a TPM") -> bytes:
    """A self-signed certificate with an extension of each kind that is looked at."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    manufacturer = x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.1"), "id:54455354")
    names = [x509.DirectoryName(x509.Name([manufacturer])), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.1")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@given(contents=st.binary(max_size=70_000), padding=st.binary(max_size=50))
def test_a_value_is_found_whatever_follows_it(contents: bytes, padding: bytes) -> None:
    size = len(contents)
    octets = (size.bit_length() + 7) // 8
    length = bytes([size]) if size < 0x80 else bytes([0x80 | octets]) + size.to_bytes(octets, "big")
    value = b"\x30" + length + contents
    assert without_padding(value + padding) == value
    for cut in {1, size // 2, size} - {0}:
        with pytest.raises(UnusableCertificateError):
            without_padding(value[: len(value) - cut])


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\0" * 20, b"\xff" * 20, b"\x30\x80abc", b"\x30\x85" + b"\1" * 50]
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableCertificateError):
        without_padding(data)


def test_bundles_in_pem_and_der_are_read_whole() -> None:
    ders = [made(), made("another"), made("a third")]
    pem = b"".join(
        b"# a comment\n" + x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
        for der in ders
    )
    for bundle in (pem, b"".join(ders), b"".join(ders) + bytes(40)):
        assert [one.der for one in load_certificates(bundle, "it").certificates] == ders


def test_what_a_certificate_says_of_itself() -> None:
    said = describe(Certificate(made()))
    assert said.subject == said.issuer == "CN=a TPM"
    assert said.serial == "4d"
    assert (said.not_before, said.not_after) == ("2020-01-01T00:00:00Z", "2119-12-08T00:00:00Z")
    assert said.tpm == {"manufacturer": "id:54455354"}


@given(data=st.data())
def test_damage_is_always_one_kind_of_error(data: st.DataObject) -> None:
    octets = bytearray(made())
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    said = ""
    try:
        (certificate,), _ = load_certificates(bytes(octets), "it")
        public_key(certificate)
        chain = verify_chain(certificate, Trust([Certificate(made())]))
    except CertificateError as error:
        said = str(error)
    if said:
        assert "\n" not in said
    else:
        assert [one.der for one in chain] == [made()]


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"-----BEGIN CERTIFICATE-----\n" + tail))
def test_noise_is_never_a_certificate(data: bytes) -> None:
    with pytest.raises(UnusableCertificateError, match="the file"):
        load_certificates(data, "the file")
