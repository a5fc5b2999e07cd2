"""`tpmwire demo`, on a machine with Python and a shell alone, and with swtpm; the STS that it brings along."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.serving.sts_stand_in import StsStandIn
from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, write_program

SHELL = ("sh", "sed", "grep", "cat")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A directory with the programs, a shell and nothing else."""
    for name in (CREDENTIAL_PROCESS, TOOLBOX):
        write_program(tmp_path, name)
    for name in SHELL:
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    return tmp_path


def run_demo(path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": str(path), "HOME": "/nonexistent", "AWS_PROFILE": "stranger"}
    return subprocess.run(
        [path / TOOLBOX, "demo", *words],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_machine_with_python_alone(bare: Path) -> None:
    done = run_demo(bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "swtpm is not installed: the TPM is tpmwire's own" in done.stdout
    assert done.stdout.count("arn:aws:sts::123456789012:assumed-role/demo/demo") == 1
    assert "arn:aws:iam::123456789012:user/device" in done.stdout
    assert '"AccessKeyId": "ASIA' in done.stdout
    assert "TPM2_HMAC: " in done.stdout
    assert done.stdout.endswith("\nnot found\n")
    for variable in ("TPMWIRE_TPM_PATH=swtpm:path=", "HOME="):
        for line in done.stdout.splitlines():
            if line.startswith(f"$ export {variable}"):
                assert not os.path.exists(os.path.dirname(line.rpartition("=")[2]))


def test_swtpm_is_used_if_there_is_one(bare: Path) -> None:
    swtpm = shutil.which("swtpm")
    assert swtpm
    (bare / "swtpm").symlink_to(swtpm)
    done = run_demo(bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "swtpm is not installed" not in done.stdout


def test_a_swtpm_that_does_not_start(bare: Path) -> None:
    (bare / "swtpm").write_text("#!/bin/sh\nexit 1\n")
    (bare / "swtpm").chmod(0o755)
    done = run_demo(bare)
    assert (done.returncode, done.stderr) == (2, "tpmwire: swtpm does not start; use --soft\n")


@pytest.fixture
def stand_in() -> Iterator[StsStandIn]:
    with StsStandIn() as sts:
        yield sts


def client(sts: StsStandIn, key_id: str, secret: str, token: str | None = None) -> Any:
    return boto3.client(
        "sts",
        endpoint_url=sts.endpoint,
        region_name="eu-central-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def test_the_stand_in_accepts_what_botocore_signs(stand_in: StsStandIn) -> None:
    user = client(stand_in, stand_in.access_key_id, stand_in.secret_access_key)
    assert user.get_caller_identity()["Arn"].endswith(":user/device")
    assumed = user.assume_role(RoleArn=stand_in.role_arn, RoleSessionName="x-y")
    for given in (assumed["Credentials"], user.get_session_token()["Credentials"]):
        role = client(stand_in, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        assert role.get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize("wrong", ["secret", "key id", "token", "role"])
def test_the_stand_in_refuses_what_is_not_signed(stand_in: StsStandIn, wrong: str) -> None:
    secret = "x" * 40 if wrong == "secret" else stand_in.secret_access_key
    key_id = "AKIAMADEUP" if wrong == "key id" else stand_in.access_key_id
    caller = client(stand_in, key_id, secret, "a token" if wrong == "token" else None)
    role = "arn:aws:iam::123456789012:role/other" if wrong == "role" else stand_in.role_arn
    with pytest.raises(ClientError) as refused:
        caller.assume_role(RoleArn=role, RoleSessionName="x-y")
    expected = {"secret": "SignatureDoesNotMatch", "role": "AccessDenied"}.get(wrong, "InvalidClientTokenId")
    assert refused.value.response["Error"]["Code"] == expected


def test_the_stand_in_refuses_a_changed_request(stand_in: StsStandIn) -> None:
    user = client(stand_in, stand_in.access_key_id, stand_in.secret_access_key)

    def change(request: Any, **_: Any) -> None:
        request.body = request.body.replace("x-y", "y-x")

    user.meta.events.register("before-send.sts", change)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        user.assume_role(RoleArn=stand_in.role_arn, RoleSessionName="x-y")
