"""`tpmwire setup --roles-anywhere` at a terminal: from a new key to a profile that Roles Anywhere accepts."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.handles import handles
from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, Authority, VerifyingRolesAnywhere, pem
from tests.support.swtpm import Swtpm, tpm2
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Tool, held

PROMPTS = [b"): ", b"Anywhere: ", b"role: ", b"[y/N] "]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[VerifyingRolesAnywhere]:
    with VerifyingRolesAnywhere([authority.root]) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROLESANYWHERE", running.endpoint)
        yield running


def issue(authority: Authority, home: Path, profile: str) -> None:
    request = x509.load_pem_x509_csr((home / f"tpmwire-{profile}.csr").read_bytes())
    assert request.is_signature_valid
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    certificate = pem(authority.issue(key), authority.intermediate)
    (home / f"tpmwire-{profile}.pem").write_bytes(certificate)


def test_from_a_key_to_a_profile(
    home: Path, swtpm: Swtpm, tool: Tool, authority: Authority, server: VerifyingRolesAnywhere
) -> None:
    words, where = ["setup", "--roles-anywhere", "--tpm-path", swtpm.path], f"--tpm-path={swtpm.path}"
    code, shown = at_a_terminal(words, [b"work", b"CN=host-1,O=Example", b"y", b"y"], *PROMPTS)
    assert code == 0, shown
    assert "\r\n\r\nProfile to write (empty: default): work" in shown
    assert "\\n" not in shown
    assert f"$ tpmwire roles-anywhere create-key --persistent-handle=0x81010020 {where}\r\n" in shown
    assert shown.rstrip().endswith(f"$ tpmwire setup --roles-anywhere {where}")
    assert "next: tpmwire" not in shown
    # Without the certificate, another run creates neither a key nor a request.
    code, shown = at_a_terminal(words, [b"work"], *PROMPTS)
    assert (code, "create-key" in shown) == (0, False), shown
    assert f"openssl x509 -req -in {home}/tpmwire-work.csr " in shown
    assert f"-out {home}/tpmwire-work.pem" in shown
    issue(authority, home, "work")
    arns = [each.encode() for each in (ANCHOR, PROFILE, ROLE)]
    code, shown = at_a_terminal(words, [b"work", b"", *arns[1:]], *PROMPTS)
    assert (code, "no ARN of the trust anchor of Roles Anywhere; create it" in shown) == (2, True), shown
    code, shown = at_a_terminal(words, [b"work", *arns, b"n"], *PROMPTS)
    assert (code, (home / "config").exists()) == (0, False), shown
    code, shown = at_a_terminal(words, [b"work", *arns, b"y"], *PROMPTS)
    assert code == 0, shown
    assert shown.rstrip().endswith("$ aws sts get-caller-identity --profile work")
    line = (home / "config").read_text().partition("credential_process = ")[2]
    ran = tool(*shlex.split(line)[1:])
    assert json.loads(ran.out)["AccessKeyId"].startswith("ASIA"), ran
    assert [certificate.subject.rfc4514_string() for certificate, _ in server.seen] == ["CN=host-1.example.com"]
    assert handles(swtpm, "persistent") == ["0x81010020"]
    assert held(swtpm) == ""
    code, shown = at_a_terminal(words, [b"work"], *PROMPTS)
    assert (code, "the profile work has a credential_process" in shown) == (2, True), shown


def test_an_existing_key_is_found(home: Path, swtpm: Swtpm, tool: Tool) -> None:
    home.rmdir()
    imported = tool("import", "--persistent-handle=0x81010020", "--tpm-path", swtpm.path, stdin=b"x" * 40)
    assert imported.code == 0
    create = ["roles-anywhere", "create-key", "--persistent-handle=0x81010055", "--tpm-path", swtpm.path]
    assert tool(*create).code == 0
    bound = [each.replace("0x81010055", "0x81010056") for each in create]
    assert tool(*bound, "--pcrs=23").code == 0
    words = ["setup", "--roles-anywhere", "--tpm-path", swtpm.path]
    code, shown = at_a_terminal(words, [b"", b"", b"0x81010020"], *PROMPTS)
    assert (code, "is not the handle of one of these keys" in shown) == (2, True), shown
    code, shown = at_a_terminal(words, [b"", b"", b"0x81010055", b"y"], *PROMPTS)
    assert code == 0, shown
    assert "0x81010055  ECC NIST_P256 key\r\n" in shown
    assert "0x81010020  " not in shown
    assert x509.load_pem_x509_csr((home / "tpmwire-default.csr").read_bytes()).is_signature_valid
    assert "0x81010056  " not in shown
    assert len(handles(swtpm, "persistent")) == 3


def test_the_policy_of_a_key_is_noted(home: Path, swtpm: Swtpm, tool: Tool, authority: Authority) -> None:
    common = ("--pcrs=23", "--tpm-path", swtpm.path)
    assert tool("roles-anywhere", "create-key", "--persistent-handle=0x81010056", *common).code == 0
    csr = ("--private-key=0x81010056", "--subject=CN=a", "--out", home / "tpmwire-default.csr")
    assert tool("roles-anywhere", "csr", *csr, *common).code == 0
    issue(authority, home, "default")
    replies = [b"", *(each.encode() for each in (ANCHOR, PROFILE, ROLE)), b"y"]
    code, shown = at_a_terminal(["setup", "--roles-anywhere", "--tpm-path", swtpm.path], replies, *PROMPTS)
    assert (code, "if that names PCRs, add them to the profile's credential_process" in shown) == (0, True), shown


def test_a_certificate_of_another_key_is_refused(home: Path, swtpm: Swtpm, authority: Authority) -> None:
    certificate = authority.issue(ec.generate_private_key(ec.SECP256R1()).public_key())
    (home / "tpmwire-default.pem").write_bytes(pem(certificate, authority.intermediate))
    code, shown = at_a_terminal(["setup", "--roles-anywhere", "--tpm-path", swtpm.path], [b""], *PROMPTS)
    assert (code, "no persistent key of this TPM belongs to the certificate" in shown) == (2, True), shown
    assert not (home / "config").exists()


def test_the_owners_password_is_asked_for(home: Path, swtpm: Swtpm, monkeypatch: pytest.MonkeyPatch) -> None:
    tpm2(swtpm, "changeauth", "-c", "owner", "word")
    home.rmdir()
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    words, answers = ["setup", "--roles-anywhere", "--tpm-path", swtpm.path], [b"a", b"CN=a", b"y", b"word", b"y"]
    code, shown = at_a_terminal(words, answers, *PROMPTS)
    assert code == 0, shown
    assert (home.parent / "tpmwire-a.csr").exists()
    assert held(swtpm) == ""


def test_a_profile_in_use_is_refused(home: Path, swtpm: Swtpm) -> None:
    (home / "config").write_text("[profile a]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = b\n")
    code, shown = at_a_terminal(["setup", "--roles-anywhere", "--tpm-path", swtpm.path], [b"a"], *PROMPTS)
    assert (code, "the profile a has a role (role_arn), which AWS programs use before" in shown) == (2, True), (
        shown
    )


def test_the_commands_alone_change_nothing(home: Path, tool: Tool) -> None:
    done = tool("setup", "--roles-anywhere", "--dry-run", "--tpm-path=/nonexistent/tpm")
    assert (done.code, done.err) == (0, "")
    check, create, request, issue, section, line, use = done.out.splitlines()
    assert check == "tpmwire doctor --tpm-path=/nonexistent/tpm"
    assert create.startswith("tpmwire roles-anywhere create-key --persistent-handle=0x81010020 ")
    assert f"--out={home}/tpmwire-default.csr" in request
    assert (issue, section) == (f"# Issue the certificate. Then, in {home}/config:", "[default]")
    assert f"--certificate={home}/tpmwire-default.pem --private-key=handle:0x81010020" in line
    assert use == "aws sts get-caller-identity --profile default"
    assert list(home.iterdir()) == []


def test_a_tpm_that_does_not_respond_ends_it() -> None:
    words = ["setup", "--roles-anywhere", "--tpm-path", "soft:?silent-after=3", "--timeout=1s"]
    code, shown = at_a_terminal(words, [], *PROMPTS)
    assert (code, "then run `tpmwire setup --roles-anywhere` again" in shown) == (1, True), shown
