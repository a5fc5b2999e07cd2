"""`tpmwire enroll`: from a plaintext profile to one of the TPM; killed after each step, nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.awsconfig.edit import get_setting
from tests.support.home import ROOT, arn_of, files_with, make_home
from tests.support.interposer import Interposer
from tests.support.lacking import Lacking
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.spec.constants import TPM_ALG

pytestmark = pytest.mark.swtpm("tcp")

CONFIG = "# mine\n[default]\nregion = eu-central-1  ; near\n\n[profile work]\nregion = us-east-1\n"
STEPS = ["placed", "proven", "written", "removed"]
KILLED = """
import os, signal, sys
from cli.terminal.messages import guarded
from cli.terminal.options import Parser
from cli.verbs import enroll

def checkpoint(step):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

parser = Parser(prog="enroll")
enroll.configure(parser)
args = parser.parse_args(sys.argv[2:])
raise SystemExit(guarded("tpmwire", lambda: enroll.enroll(args, checkpoint)))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    plain = (
        f"# keys\n[other]\naws_access_key_id = AKIAOTHEROTHEROTHER\naws_secret_access_key = {'o' * 40}\n\n"
        f"[work]\naws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n"
    )
    return make_home(tmp_path, monkeypatch, sts, CONFIG, plain)


def role(home: Path, sts: VerifyingSts) -> None:
    """moto answers GetSessionToken with keys it does not know: the profile assumes a role instead."""
    config = home / ".aws" / "config"
    text = config.read_text()
    command = get_setting(text, "profile work", "credential_process")
    assert command is not None
    config.write_text(text.replace(command, f"{command} --assumeRole --aws-arn={sts.role_arn}"))


@pytest.mark.parametrize("where", ["file", "handle"])
def test_a_tpm_without_ecc(home: Path, sts: VerifyingSts, tool: Tool, where: str) -> None:
    place = [] if where == "file" else ["--persistent-handle", "0x81010052"]
    with Swtpm() as chip, Interposer(chip.path) as bus:
        Lacking(algorithms={TPM_ALG.ECC}).before(bus)
        done = tool("enroll", "--profile", "work", "--tpm-path", bus.path, *place, "--remove-plaintext")
        assert done.code == 0, done.err
        assert "@h1" in (home / ".aws" / "config").read_text()
        role(home, sts)
        assert tool("aws", "whoami", "--profile", "work").code == 0
        assert held(chip) == ""


@pytest.mark.parametrize("more", [[], ["--make-srk"]], ids=["", "storage root key made"])
@pytest.mark.parametrize("where", ["file", "handle"])
def test_where_the_owner_has_a_password(
    home: Path, sts: VerifyingSts, tool: Tool, where: str, more: list[str]
) -> None:
    """The profile works as it is written."""
    place = [] if where == "file" else ["--persistent-handle", "0x81010053"]
    password = home / "owner"
    password.touch(0o600)
    password.write_text("the owner's own")
    with Swtpm() as chip:
        tpm2(chip, "changeauth", "-c", "owner", "the owner's own")
        words = ["--profile", "work", "--tpm-path", chip.path, "--owner-auth-file", str(password)]
        done = tool("enroll", *words, *place, *more, "--remove-plaintext")
        assert done.code == 0, done.err
        config = (home / ".aws" / "config").read_text()
        assert ("--parentPass-file" in config) is (where == "file" and not more)
        assert ("@0x81000001" in config) is bool(more)
        role(home, sts)
        assert tool("aws", "whoami", "--profile", "work").code == 0
        assert held(chip) == ""


@pytest.mark.parametrize("where", ["file", "handle"])
def test_one_command_takes_a_profile_into_the_tpm(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool, where: str
) -> None:
    place = [] if where == "file" else ["--persistent-handle", "0x81010051"]
    words = ["enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, *place]
    kept = tool(*words)
    assert kept.code == 0, kept.err
    assert "--remove-plaintext removes them" in kept.err
    assert files_with(home, sts.secret_access_key) == [home / ".aws" / "credentials"]

    done = tool(*words, "--remove-plaintext")
    assert done.code == 0, done.err
    assert "already in the TPM, at" in done.err
    assert sts.secret_access_key not in done.out + done.err
    assert files_with(home, sts.secret_access_key) == []
    assert (home / ".aws" / "credentials").read_text() == (
        f"# keys\n[other]\naws_access_key_id = AKIAOTHEROTHEROTHER\naws_secret_access_key = {'o' * 40}\n\n"
    )
    config = (home / ".aws" / "config").read_text()
    assert [line for line in config.splitlines(keepends=True) if "credential_process" not in line] == (
        CONFIG.splitlines(keepends=True)
    )
    assert "--tpm-session-encrypt-with-name=000b" in config
    again = tool(*words)
    assert again.code == 0
    assert "enrolled already" in again.err
    role(home, sts)
    assert "assumed-role/demo/" in arn_of("work")
    assert held(shared_swtpm) == ""


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_any_step_the_profile_works_and_a_second_run_ends_it(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool, step: str
) -> None:
    words = ["--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, step, *words], check=False, cwd=ROOT, capture_output=True, timeout=60
    )
    assert killed.returncode == -9, killed.stderr
    if step == "removed":
        role(home, sts)
        assert "assumed-role/demo/" in arn_of("work")
    else:
        # Programs prefer the plaintext key, which is there until the very end.
        assert arn_of("work").endswith(":user/device")
    done = tool("enroll", *words)
    assert done.code == 0, done.err
    assert files_with(home, sts.secret_access_key) == []
    assert len(list((home / ".aws" / "tpmwire").iterdir())) == 1


def test_the_steps_are_all(home: Path, shared_swtpm: Swtpm) -> None:
    from cli.terminal.options import Parser
    from cli.verbs import enroll

    parser = Parser(prog="enroll")
    enroll.configure(parser)
    seen: list[str] = []
    words = ["--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext"]
    assert enroll.enroll(parser.parse_args(words), seen.append) == 0
    assert seen == STEPS


def test_aws_is_where_the_profile_says(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    settings = f"endpoint_url = {sts.tls_endpoint()}\nca_bundle = {sts.authority().bundle}\n"
    (home / ".aws" / "config").write_text(CONFIG + settings)
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0, done.err
    assert files_with(home, sts.secret_access_key) == []


def test_a_key_that_aws_refuses_changes_no_file(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool
) -> None:
    credentials = home / ".aws" / "credentials"
    wrong = credentials.read_text().replace(sts.secret_access_key, "w" * 40)
    credentials.write_text(wrong)
    refused = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert refused.code == 6
    assert "SignatureDoesNotMatch" in refused.err
    assert credentials.read_text() == wrong
    assert (home / ".aws" / "config").read_text() == CONFIG
    assert not (home / ".aws" / "tpmwire").exists()
    # The right secret, later.
    credentials.write_text(wrong.replace("w" * 40, sts.secret_access_key))
    assert tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path).code == 0


def test_a_key_without_the_policy_that_is_asked_for_is_not_taken_for_it(
    home: Path, shared_swtpm: Swtpm, tool: Tool
) -> None:
    words = ["enroll", "--profile", "work", "--tpm-path", shared_swtpm.path]
    assert tool(*words).code == 0
    bound = tool(*words, "--pcrs", "23", "--remove-plaintext")
    assert bound.code == 2
    assert "has a different key" in bound.err
    assert tool(*words, "--pcrs", "23", "--force").code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[work]\n", "[work]\naws_session_token = t\n"), "is temporary"),
        (("[work]\n", "[elsewhere]\n"), "no aws_access_key_id in the profile [work]"),
    ],
)
def test_what_cannot_be_enrolled_is_refused_in_one_line(
    home: Path, shared_swtpm: Swtpm, tool: Tool, change: tuple[str, str], says: str
) -> None:
    credentials = home / ".aws" / "credentials"
    credentials.write_text(credentials.read_text().replace(*change))
    refused = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path)
    assert refused.code == 2
    assert says in refused.err
    assert refused.err.count("\n") == 1
    assert not (home / ".aws" / "tpmwire").exists()


def test_another_credential_process_stays(home: Path, shared_swtpm: Swtpm, tool: Tool) -> None:
    config = home / ".aws" / "config"
    config.write_text("[profile work]\ncredential_process = mine\n")
    refused = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path)
    assert refused.code == 2
    assert "--force replaces it" in refused.err
    assert config.read_text() == "[profile work]\ncredential_process = mine\n"


def test_the_same_secret_elsewhere_is_told(home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool) -> None:
    credentials = home / ".aws" / "credentials"
    credentials.write_text(credentials.read_text() + f"# {sts.secret_access_key}\n")
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0
    assert "the same secret elsewhere" in done.err


def test_undo_is_impossible_and_says_why(tool: Tool) -> None:
    refused = tool("enroll", "--undo")
    assert refused.code == 2
    assert "cannot be exported from the TPM" in refused.err
