"""`tpmwire exec`: a program that finds the credentials in its environment."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.toolbox import main
from tests.support.keys import PLAIN_HANDLE
from tests.support.profiles import Run, config, run
from tests.support.programs import TOOLBOX, machine
from tests.support.sts import VerifyingSts

__all__ = ["config", "run"]

WHO = """
import os, boto3
assert "AWS_PROFILE" not in os.environ
print(boto3.client("sts", endpoint_url=os.environ["STS"]).get_caller_identity()["Arn"])
raise SystemExit(7)
"""


def test_the_program_is_the_role_and_its_exit_code_is_ours(tmp_path: Path) -> None:
    with VerifyingSts() as sts, machine(tmp_path, sts.secret_access_key) as at:
        words = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
        words += [f"--tpm-path={at.swtpm.path}", "--aws-region=us-east-1", f"--endpoint-url={sts.endpoint}"]
        words += ["--assumeRole=true", f"--aws-arn={sts.role_arn}"]
        environment = {**at.environment(), "AWS_PROFILE": "other", "STS": sts.endpoint}
        command = [str(at.bin / "tpmwire"), "exec", *words, "--", sys.executable, "-c", WHO]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 7, done.stderr
    assert ":assumed-role/" in done.stdout


def test_what_would_be_ignored_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The credentials go into an environment, in no form and no file of another's choice."""
    for option in ("--format=json", "--credentials-profile=x", "--credentials-overwrite"):
        assert main(["exec", option, "--aws-access-key-id=AKIA", "--", "true"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"tpmwire: unrecognized arguments: {option.partition('=')[0]}"), said


def test_what_the_program_does_not_get(config: Callable[..., None], run: Run) -> None:
    config("")
    given = {
        "AWS_PROFILE": "tpm",
        "AWS_DEFAULT_PROFILE": "tpm",
        "AWS_SECRET_ACCESS_KEY": "long-term",
        "AWS_SESSION_TOKEN": "stale",
        "AWS_SECURITY_TOKEN": "stale",
        "AWS_ACCOUNT_ID": "000000000000",
        "TPM_KEY_AUTH": "",
        "TPM_PARENT_AUTH": "password",
    }
    code, out, err = run("exec", "--", "env", "-0", program=TOOLBOX, **given)
    assert (code, err) == (0, "")
    seen = dict(line.split("=", 1) for line in out.split("\0") if line)
    gone = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "TPM_KEY_AUTH", "TPM_PARENT_AUTH"}
    assert not gone & set(seen)
    assert not set(given.values()) & {value for name, value in seen.items() if name.startswith("AWS_")}
    assert {"AWS_ACCESS_KEY_ID", "AWS_CREDENTIAL_EXPIRATION"} <= set(seen)


def test_the_program_has_signals_as_a_shell_gives_them(config: Callable[..., None], run: Run) -> None:
    """Python ignores SIGPIPE and SIGXFSZ for itself."""
    config("")
    words = ["grep", "-E", "^Sig(Ign|Blk):", "/proc/self/status"]
    code, out, _ = run("exec", "--profile=tpm", "--", *words, program=TOOLBOX)
    assert code == 0
    ours = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert [int(line.split()[1], 16) & ours for line in out.splitlines()] == [0, 0]


def test_a_signal_ends_the_program_and_its_number_is_seen(config: Callable[..., None], run: Run) -> None:
    config("")
    code, _, err = run("exec", "--profile=tpm", "--", "sh", "-c", "kill -TERM $$", program=TOOLBOX)
    assert (code, err) == (-signal.SIGTERM, "")
