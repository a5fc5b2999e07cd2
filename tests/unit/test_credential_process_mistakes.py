"""Mistakes in the options of a run are refused before the TPM is opened, with what to write instead."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import CREDENTIAL_PROCESS

ID, ROLE = "--aws-access-key-id=AKIAMADEUPMADEUP0000", "arn:aws:iam::123456789012:role/x"


def _run(home: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).parent / CREDENTIAL_PROCESS, "--tpm-path=127.0.0.1:1", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # no terminal
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([ID, "--persistentHandle=81010002"], "(0x81000000 to 0x81ffffff); did you mean 0x81010002?"),
        ([ID, "--aws-region=us-est-1"], "'us-est-1' is not a region of AWS; did you mean 'us-east-1'?"),
        (
            ["--aws-access-key-id=AKAIOSFODNN7EXAMPLE"],
            "expected AKIA and 16 more letters and digits, got AKAI and 15",
        ),
        (["--aws-access-key-id=AKIAIOSFODNN7EXAMPLES"], "got AKIA and 17 more; copy it from the IAM console"),
        ([ID, "--assumeRole", f"--aws-arn={ROLE.replace('::', ':')}"], "expected arn:aws:iam::ACCOUNT:role/NAME"),
        ([ID, "--assumeRole", f"--aws-arn={ROLE.replace('role', 'user')}"], "user/x' is not the ARN of a role"),
        (
            [ID, "--mfa-serial=arn:aws:iam::123456789012:mfa/x"],
            "or use --mfa-process PROGRAM, which prints the code",
        ),
        (["--profile=nope"], "profile 'nope' not found in HOME/.aws/config or HOME/.aws/credentials; available"),
    ],
)
def test_a_mistake(tmp_path: Path, words: list[str], says: str) -> None:
    done = _run(tmp_path, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says.replace("HOME", str(tmp_path)) in done.stderr


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ([ID, "--aws-region=eu-nowhere-1"], {}),
        ([ID, "--aws-region=us-est-1", "--endpoint-url=http://127.0.0.1:1"], {}),
        (["--aws-access-key-id=AKAIOSFODNN7EXAMPLE"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
        (["--aws-access-key-id=test", "--aws-region=us-gov-east-1"], {}),
        ([ID, "--assumeRole", "--aws-arn=arn:minio:iam:::role/x"], {}),
        ([ID, "--assumeRole", "--aws-arn=arn:aws-us-gov:iam::123456789012:role/path/x"], {}),
    ],
)
def test_what_may_be_right_passes(tmp_path: Path, words: list[str], environment: dict[str, str]) -> None:
    """Other services than AWS's, and regions to come: the run goes on, to a TPM that does not listen."""
    assert _run(tmp_path, *words, **environment).returncode == 3
