"""Certificate requests without `cryptography`, which is one of the oracles here."""

import subprocess
from pathlib import Path

import pytest
from asn1crypto import csr as asn1
from asn1crypto import pem as asn1_pem
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.verbs import Tool
from tpmwire.crypto.public_key_formats import to_cryptography
from tpmwire.errors import EncodeError
from tpmwire.keys.csr import alternative_names, parse_subject
from tpmwire.keys.keyfile import parse

SUBJECTS = {
    "CN=host-1.example.com": "CN=host-1.example.com",
    "CN=host,O=Example,C=DE": "CN=host,O=Example,C=DE",
    "/C=DE/O=Example/CN=host": "CN=host,O=Example,C=DE",
    r"CN=host,O=Example\, Inc.": r"CN=host,O=Example\, Inc.",
    r"CN=a\+b\=c\\d\/e": r"CN=a\+b=c\\d/e",
    r"CN=caf\C3\A9 – Zürich": "CN=café – Zürich",
    " cn = host , O=Example ": "CN=host,O=Example",
    "CN=host+UID=7,DC=example,DC=com": "CN=host+UID=7,DC=example,DC=com",
    r"/CN=path\/to/O=a,b": r"O=a\,b,CN=path/to",
    r"CN=host\ ": r"CN=host\ ",
}


@pytest.mark.parametrize(("text", "expected"), SUBJECTS.items())
def test_a_subject_is_that_of_cryptography(text: str, expected: str) -> None:
    wanted = x509.Name.from_rfc4514_string(expected)
    assert parse_subject(text) == wanted.public_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a valid part"),
        ("host", "not a valid part"),
        ("CN=host,", "not a valid part"),
        ("/CN=host/", "not a valid part"),
        ("CN=", "the value is empty"),
        ("CN=a\nb", "not a valid value"),
        ("XX=host", "unknown type 'XX'"),
        ("C=Germany", "expected 2 characters"),
        ("C=D", "expected 2 characters"),
        (f"CN={'a' * 65}", "at most 64 characters"),
        ("serialNumber=a_b", "not a valid value"),
        ('O="Example"', "unescaped special character"),
        (r"CN=\FF", "not UTF-8"),
        ("CN=a\\", "backslash at the end"),
    ],
)
def test_an_invalid_subject(text: str, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        parse_subject(text)


@pytest.mark.parametrize("name", ["", "a b", "zürich.example", "-a", "a..b", "a" * 64, ".a", "a.", "*", "a.*.b"])
def test_an_invalid_dns_name(name: str) -> None:
    with pytest.raises(EncodeError, match="not a valid DNS name"):
        alternative_names([name])


@pytest.mark.parametrize("uri", ["", "host", "//host", "a:", "a:b c", "a:é"])
def test_an_invalid_uri(uri: str) -> None:
    with pytest.raises(EncodeError, match="not a valid URI"):
        alternative_names(uris=[uri])


@pytest.mark.parametrize("algorithm", ["ecc", "ecc384", "rsa2048"])
def test_a_request_of_a_key_in_the_tpm(tool: Tool, tmp_path: Path, algorithm: str) -> None:
    key, out, path = tmp_path / "host.key", tmp_path / "host.csr", f"soft:{tmp_path / 'state'}"
    make = ("roles-anywhere", "create-key", "--out", key, "--algorithm", algorithm, "--key-auth", "password")
    assert tool(*make, "--tpm-path", path).code == 0
    ran = tool(
        *("roles-anywhere", "csr", "--private-key", key, "--keyPass=password", "--tpm-path", path, "--out", out),
        *("--subject", "CN=host-1,O=Example", "--san-dns", "*.example.com", "--san-dns", "b.example"),
        *("--san-uri", "spiffe://example.com/a#b$c"),
    )
    assert (ran.code, ran.out) == (0, "")
    found = x509.load_pem_x509_csr(out.read_bytes())
    assert found.is_signature_valid
    public = to_cryptography(parse(key.read_text()).public)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert found.public_key().public_bytes(*form) == public.public_bytes(*form)
    assert found.subject.rfc4514_string() == "CN=host-1,O=Example"
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.example.com", "b.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://example.com/a#b$c"]
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_encipherment
    purposes = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [*purposes] == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    _, _, body = asn1_pem.unarmor(out.read_bytes())
    assert (
        asn1.CertificationRequest.load(body, strict=True)["certification_request_info"]["version"].native == "v1"
    )
    command = ["openssl", "req", "-in", str(out), "-noout", "-verify"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert b"verify OK" in done.stdout
    for part in ("keyUsage=critical,digitalSignature", r"spiffe://example.com/a\#b\$c", "acm-pca", str(out)):
        assert part in ran.err


def test_a_persistent_key_and_standard_output(tool: Tool, tmp_path: Path) -> None:
    tpm = ("--tpm-path", f"soft:{tmp_path / 'state'}")
    assert tool("roles-anywhere", "create-key", "--persistent-handle", "0x81010050", *tpm).code == 0
    ran = tool("roles-anywhere", "csr", "--private-key", "handle:0x81010050", "--subject=/CN=a", *tpm)
    assert ran.code == 0
    assert x509.load_pem_x509_csr(ran.out.encode()).is_signature_valid
    missing = tool("roles-anywhere", "csr", "--private-key", "handle:0x81010051", "--subject=/CN=a", *tpm)
    assert (missing.code, missing.out) != (0, "")
    assert "0x81010051" in missing.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--subject", "CN=a"), "--private-key is required"),
        (("--subject", "C=a", "--private-key", "x"), "expected 2 characters"),
        (("--subject", "CN=a", "--private-key", "x", "--san-dns", "a b"), "not a valid DNS name"),
        (("--subject", "CN=a", "--private-key", "/nonexistent"), "/nonexistent"),
        (("--subject", "CN=a", "--private-key", "pkcs11:x"), "PKCS #11 tokens are not supported"),
        (("--subject", "CN=a", "--private-key", "x", "extra"), "extra"),
    ],
)
def test_a_mistake_is_found_before_the_tpm_is_used(tool: Tool, options: tuple[str, ...], message: str) -> None:
    ran = tool("roles-anywhere", "csr", *options, "--tpm-path", "/nonexistent")
    assert ran.code != 0
    assert message in ran.err
    assert "internal" not in ran.err


def test_a_private_key_outside_the_tpm_is_refused(tool: Tool, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    ran = tool("roles-anywhere", "csr", "--private-key", key, "--subject", "CN=a", "--tpm-path", "/nonexistent")
    assert "create one there with `tpmwire roles-anywhere create-key`" in ran.err
