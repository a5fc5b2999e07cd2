"""Certificates of any fields: `tpmwire.keys.x509` reads them as cryptography and asn1crypto do."""

import contextlib
import datetime

import pytest
from asn1crypto import x509 as asn1  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from tpmwire.errors import DecodeError, UnusableCertificateError
from tpmwire.keys.x509 import X509Certificate, name_text, read_x509_certificates

KEYS = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    rsa.generate_private_key(65537, 2048),
)
USAGES = {
    "digitalSignature": "digital_signature",
    "contentCommitment": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
TIMES = st.datetimes(datetime.datetime(1951, 1, 1), datetime.datetime(2400, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
NAMES = st.lists(
    st.tuples(
        st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME]),
        st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=20),
    ),
    max_size=4,
)


@st.composite
def certificates(draw: st.DrawFn) -> x509.Certificate:
    key, signer = draw(st.sampled_from(KEYS)), KEYS[2]
    start, end = sorted((draw(TIMES), draw(TIMES)))
    names = [x509.Name([x509.NameAttribute(*pair) for pair in draw(NAMES)]) for _ in range(2)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(draw(st.integers(1, 2**159 - 1)))
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if draw(st.booleans()):
        ca = draw(st.booleans())
        length = draw(st.none() | st.integers(0, 300)) if ca else None
        builder = builder.add_extension(x509.BasicConstraints(ca, length), critical=draw(st.booleans()))
    if draw(st.booleans()):
        usage = {name: draw(st.booleans()) for name in USAGES.values()}
        if not usage["key_agreement"]:
            usage["encipher_only"] = usage["decipher_only"] = False
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=draw(st.booleans()))
    if draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from([*vars(ExtendedKeyUsageOID).values()][3:9]), min_size=1))
        oids = [oid for oid in chosen if isinstance(oid, x509.ObjectIdentifier)]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids or [ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    if draw(st.booleans()):
        builder = builder.add_extension(x509.SubjectKeyIdentifier(draw(st.binary(min_size=1, max_size=20))), False)
    if draw(st.booleans()):
        identifier = draw(st.none() | st.binary(min_size=1, max_size=20))
        issuer = [x509.DirectoryName(names[1])] if identifier is None else None
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier(identifier, issuer, None if issuer is None else 7), False
        )
    if draw(st.booleans()):
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("host.example")]), False)
    return builder.sign(signer, draw(st.sampled_from([hashes.SHA256(), hashes.SHA384()])))


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@given(certificates())
def test_every_field_is_read_as_others_read_it(certificate: x509.Certificate) -> None:
    data = certificate.public_bytes(Encoding.DER)
    (found,) = read_x509_certificates(certificate.public_bytes(Encoding.PEM))
    assert found.der == data
    assert found.serial == certificate.serial_number
    assert found.not_before == certificate.not_valid_before_utc.timestamp()
    assert found.not_after == certificate.not_valid_after_utc.timestamp()
    assert (found.version, found.weak_hash) == (3, "")
    assert found.subject == certificate.subject.public_bytes()
    assert found.issuer == certificate.issuer.public_bytes()
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert found.public_key_der == spki
    assert found.is_rsa == isinstance(certificate.public_key(), rsa.RSAPublicKey)
    assert name_text(found.subject).count("=") == len(list(certificate.subject))
    usage = _extension(certificate, x509.KeyUsage)
    expected = None
    if isinstance(usage, x509.KeyUsage):
        expected = {name for name, attribute in USAGES.items() if getattr(usage, f"_{attribute}")}
    assert found.key_usage == expected
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    oids = tuple(oid.dotted_string for oid in extended) if isinstance(extended, x509.ExtendedKeyUsage) else None
    assert found.extended_key_usage == oids
    constraints = _extension(certificate, x509.BasicConstraints)
    assert isinstance(constraints, x509.BasicConstraints | None)
    assert found.is_ca == (constraints is not None and constraints.ca)
    assert found.path_length == (None if constraints is None else constraints.path_length)
    other = asn1.Certificate.load(data)
    assert found.serial == other.serial_number
    assert found.subject_key_id == other.key_identifier
    assert found.authority_key_id == other.authority_key_identifier
    assert found.is_ca == bool(other.ca)


@given(certificates(), st.data())
def test_damage_is_an_error_of_the_library(certificate: x509.Certificate, data: st.DataObject) -> None:
    octets = bytearray(certificate.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(1, len(octets)))])
    try:
        found = read_x509_certificates(b"\x30" + cut[1:])
    except UnusableCertificateError:
        return
    for each in found:
        assert isinstance(name_text(each.subject), str)
        with contextlib.suppress(DecodeError):
            assert each.key_text


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", b"0"]
)
def test_other_data(data: bytes) -> None:
    with pytest.raises(UnusableCertificateError):
        read_x509_certificates(data)


def test_an_x509_certificate_has_a_repr() -> None:
    key = KEYS[0]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = builder.serial_number(5).not_valid_before(now).not_valid_after(now).sign(key, hashes.SHA256())
    found = X509Certificate(made.public_bytes(Encoding.DER))
    assert repr(found) == "<X509Certificate 'CN=a', serial number 5>"
    assert found.is_self_issued
