"""`tpmwire exec`: a program that finds the credentials in its environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.toolbox import main
from tests.aws.test_serving import PLAIN_HANDLE, machine
from tests.support.sts import VerifyingSts

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
        assert said.startswith(f"tpmwire: unrecognized arguments: {option}"), said
