"""`tpmwire roles-anywhere` beside recorded outputs of AWS's `aws_signing_helper`, and its help."""

import base64
import json
from hashlib import sha512
from pathlib import Path

import pytest

from cli.credentials.roles_anywhere.certificate import check_leaf
from cli.credentials.roles_anywhere.key import text_to_test
from tests.support.verbs import Tool
from tpmwire.keys.x509 import X509Certificate
from tpmwire.spec.constants import TPM_ALG
from tpmwire.use.asymmetric import verify_numbers

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rolesanywhere"


@pytest.mark.parametrize(
    ("left", "text"),
    [(9 * 86400, "9 days"), (86400, "24 hours"), (5400, "2 hours"), (5399, "90 minutes"), (20, "1 minute")],
)
def test_the_time_left_of_a_certificate(left: float, text: str) -> None:
    certificate = X509Certificate(base64.b64decode(SIGNED["certificate_der_base64"]))
    reports: list[str] = []
    check_leaf(certificate, "a.pem", certificate.not_after - left, reports.append)
    assert f"the certificate expires in {text}, at" in reports[-1]


def test_a_backslash_of_a_shell(tool: Tool) -> None:
    ran = tool("roles-anywhere", "credential-process", "--certificate", "x.pem", "\\")
    assert ran.code == 2
    assert "--private-key, --role-arn, --profile-arn, --trust-anchor-arn are required" in ran.err
    assert "no line continuation" in ran.err


def test_help_names_the_values_of_refused_options(tool: Tool, capfd: pytest.CaptureFixture[str]) -> None:
    for verb in ("credential-process", "serve", "update", "sign-string"):
        with pytest.raises(SystemExit):
            tool("roles-anywhere", verb, "--help")
        text = capfd.readouterr().out
        assert ("--pkcs11-lib [VALUE]" in text, "SUPPRESS" in text) == (True, False)


SIGNED = json.loads((FIXTURES / "helper-sign-string.json").read_text())


def test_read_certificate_data(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "certificate.der"
    path.write_bytes(base64.b64decode(SIGNED["certificate_der_base64"]))
    ran = tool("roles-anywhere", "read-certificate-data", "--certificate", path)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == SIGNED["read_certificate_data"]


def test_the_test_string_is_that_of_the_helper() -> None:
    certificate = X509Certificate(base64.b64decode(SIGNED["certificate_der_base64"]))
    assert text_to_test(certificate.public_key_der).hex() == SIGNED["signed_octets_hex"]
    (digest,) = {each["signature_hex"] for each in SIGNED["results"] if each["digest"] == "SHA512"}
    assert verify_numbers(
        certificate.public_key,
        sha512(bytes.fromhex(SIGNED["signed_octets_hex"])).digest(),
        (bytes.fromhex(digest),),
        TPM_ALG.SHA512,
    )


def test_a_family_lists_its_verbs(tool: Tool) -> None:
    ran = tool("roles-anywhere", "--help")
    assert ran.code == 0
    for verb in ("credential-process", "serve", "update", "read-certificate-data", "sign-string"):
        assert verb in ran.out
    assert tool("roles-anywhere").code == 2
