"""A home directory with AWS's files in it, and our program on PATH."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sts import VerifyingSts

__all__ = ["arn_of", "files_with", "make_home"]

ROOT = Path(__file__).parents[2]


def make_home(
    directory: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts, config: str, plain: str
) -> Path:
    """Makes `directory` the home, whose ~/.aws has these two files, and `sts` the STS and IAM in use."""
    (directory / ".aws").mkdir()
    (directory / ".aws" / "config").write_text(config)
    (directory / ".aws" / "credentials").write_text(plain)
    program = directory / "bin" / "aws-tpm-process-credential"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from cli.credential_process import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return directory


def arn_of(profile: str) -> str:
    """Whom AWS takes the profile for, by the aws command; what it printed instead where it fails."""
    done = subprocess.run(
        ["aws", "sts", "get-caller-identity", "--profile", profile, "--output", "json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return str(json.loads(done.stdout)["Arn"]) if done.returncode == 0 else done.stderr


def files_with(directory: Path, secret: str) -> list[Path]:
    """The files below a directory that have a secret in them."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if secret.encode() in path.read_bytes()]
