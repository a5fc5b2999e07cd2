"""From a plaintext secret to a profile in one command: what `tpmwire import --write-profile` writes, aws uses."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.awsconfig.edit import get_setting
from cli.toolbox import main
from tests.support.interposer import Interposer
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm, tpm2

HANDLE = 0x81010040


@pytest.fixture(scope="module")
def bus() -> Iterator[Interposer]:
    with Swtpm("tcp") as swtpm, Interposer(swtpm.path) as interposer:
        tpm2(swtpm, "tpm2_createprimary", "-C", "o", "-G", "ecc256", "-c", "/dev/null")
        tpm2(swtpm, "flushcontext", "-t")
        yield interposer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    """A home directory with AWS files, and our two programs on PATH."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("# mine\n[default]\nregion = eu-central-1\n")
    (tmp_path / ".aws" / "credentials").write_text(
        f"[plain]\naws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n"
    )
    program = tmp_path / "bin" / "aws-tpm-process-credential"
    program.parent.mkdir()
    root = Path(__file__).parents[2]
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from cli.credential_process import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint)
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL_STS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return tmp_path


def aws(*words: str) -> dict[str, str]:
    done = subprocess.run(
        ["aws", *words, "--output", "json"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, str] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("where", ["handle", "file"])
def test_the_profile_works_and_pins_this_tpm(
    home: Path, bus: Interposer, sts: VerifyingSts, capfd: pytest.CaptureFixture[str], where: str
) -> None:
    bus.clear()
    place = ["--persistent-handle", f"{HANDLE:#x}"] if where == "handle" else ["--out", str(home / "key.pem")]
    words = ["import", "--from-profile", "plain", "--tpm-path", bus.path, "--write-profile", "tpm", *place]
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert sts.secret_access_key not in out + err
    config = (home / ".aws" / "config").read_text()
    assert config.startswith("# mine\n[default]\nregion = eu-central-1\n\n[profile tpm]\ncredential_process = ")
    # The secret went in encrypted.
    assert sts.secret_access_key.encode() not in bus.octets

    bus.clear()
    command = get_setting(config, "profile tpm", "credential_process")
    assert command is not None
    role = config.replace(command, f"{command} --assumeRole --aws-arn={sts.role_arn}")
    (home / ".aws" / "config").write_text(role)
    identity = aws("sts", "get-caller-identity", "--profile", "tpm")
    assert "assumed-role/demo/" in identity["Arn"]
    if where == "handle":
        # The Name of the key stands in the profile: it is read within the session, whose cipher that shows.
        assert bus.codes == ["CreatePrimary", "StartAuthSession", "FlushContext", "ReadPublic", "HMAC"]
    else:
        # What is pinned is the parent, which the run has anyway.
        assert bus.codes == ["CreatePrimary", "StartAuthSession", "Load", "HMAC", "FlushContext", "FlushContext"]

    # Another TPM is refused, before anything secret is sent.
    with Swtpm() as other:
        elsewhere = [
            other.path if word == bus.path else word for word in shlex.split(command.replace(bus.path, other.path))
        ]
        done = subprocess.run(elsewhere, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 8
    assert "a different TPM" in done.stderr


def test_another_credential_process_is_not_overwritten(
    home: Path,
    bus: Interposer,
    sts: VerifyingSts,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = home / ".aws" / "config"
    config.write_text("[profile tpm]\ncredential_process = mine\n")
    words = ["import", "--tpm-path", bus.path, "--write-profile", "tpm", "--aws-access-key-id", sts.access_key_id]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sts.secret_access_key.encode())))
    assert main([*words, "--out", str(home / "k.pem")]) == 2
    assert "--force replaces it" in capfd.readouterr().err
    assert not (home / "k.pem").exists()
    assert config.read_text() == "[profile tpm]\ncredential_process = mine\n"


def test_a_static_key_of_the_same_name_is_refused(
    home: Path, bus: Interposer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import", "--from-profile", "plain", "--write-profile", "plain", "--tpm-path", bus.path]
    words += ["--out", str(home / "key.pem")]
    before = (home / ".aws" / "config").read_text()
    assert main(words) == 2
    assert "a static access key" in capsys.readouterr().err
    assert (home / ".aws" / "config").read_text() == before
    assert not (home / "key.pem").exists()
    assert main([*words, "--force"]) == 0
    assert "warning: profile plain has a static access key" in capsys.readouterr().err


def test_an_existing_profiles_region_is_in_the_line(home: Path, bus: Interposer) -> None:
    (home / ".aws" / "config").write_text("[profile gov]\nregion = us-gov-west-1\n")
    os.environ.pop("AWS_DEFAULT_REGION")
    words = ["import", "--from-profile", "plain", "--write-profile", "gov", "--tpm-path", bus.path]
    assert main([*words, "--out", str(home / "key.pem")]) == 0
    line = get_setting((home / ".aws" / "config").read_text(), "profile gov", "credential_process")
    assert line is not None
    assert "--aws-region=us-gov-west-1" in shlex.split(line)


def test_verify_asks_aws_before_anything_is_made(
    home: Path, bus: Interposer, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "import",
        "--from-profile",
        "plain",
        "--verify",
        "--tpm-path",
        bus.path,
        "--out",
        str(home / "key.pem"),
    ]
    assert main(words) == 0
    assert "AWS accepts the secret as arn:aws:iam::" in capsys.readouterr().err
    credentials = home / ".aws" / "credentials"
    credentials.write_text(credentials.read_text().replace(sts.secret_access_key, "w" * 40))
    bus.clear()
    assert main([*words[:-1], str(home / "other.pem")]) == 6
    assert "SignatureDoesNotMatch" in capsys.readouterr().err
    assert not (home / "other.pem").exists()
