"""The whole way: a key in a TPM, `aws-tpm-process-credential`, an STS that verifies, and AWS's own programs."""

import json
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from shlex import quote

import pytest

from sigv4.times import is_rfc3339
from tests.support import keys
from tests.support.programs import Machine, machine
from tests.support.sts import VerifyingSts


def _common(box: Machine, sts: VerifyingSts) -> list[str]:
    return [
        f"--tpm-path={box.swtpm.path}",
        f"--aws-access-key-id={sts.access_key_id}",
        f"--endpoint-url={sts.endpoint}",
        "--timeout=20s",
    ]


HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"

WAYS = {
    "handle": [HANDLE],
    "handle in decimal": [f"--persistentHandle={keys.PLAIN_HANDLE}"],
    "password": [f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", f"--keyPass={keys.PASSWORD}"],
    "PCR": [f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23"],
    "PCR and password": [f"--persistentHandle={keys.BOTH_HANDLE:#x}", "--pcrs=23", f"--keypass={keys.PASSWORD}"],
    "file": ["--credential-file={home}/plain.pem"],
    "file wins over handle": ["--credential-file={home}/plain.pem", "--persistentHandle=0x81020304"],
    "file, password": ["--credential-file={home}/password.pem", f"--keyPass={keys.PASSWORD}"],
    "file, PCR": ["--credential-file={home}/pcr.pem", "--pcrs=sha256:23"],
    "file, persistent parent": ["--credential-file={home}/plain-srk.pem"],
}


@pytest.mark.parametrize("encryption", [[], ["--no-session-encryption"]], ids=["encrypted", "clear"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_the_key(box: Machine, sts: VerifyingSts, way: str, encryption: list[str]) -> None:
    words = [word.format(home=box.home) for word in WAYS[way]]
    done = box.run(*_common(box, sts), *words, *encryption)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert list(answer) == ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"]
    assert answer["Version"] == 1
    assert is_rfc3339(answer["Expiration"])
    assert all(isinstance(answer[name], str) and answer[name] for name in list(answer)[1:])
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-persistentHandle", "0x81010002", "-assumeRole", "-aws-arn", "{arn}", "-aws-session-name", "go"],
        ["--persistentHandle=0x81010002", "--assumeRole=true", "--aws-arn={arn}", "--aws-session-name=go"],
        ["-persistentHandle=0x81010002", "-assumeRole=T", "-aws-arn={arn}", "-aws-session-name=go"],
        ["--persistentHandle", "0x81010002", "--assumeRole", "--aws-arn", "{arn}", "--aws-session-name", "go"],
        ["--assumeRole", "-persistentHandle=0x81010002", "--aws-arn={arn}", "-aws-session-name", "go"],
    ],
)
def test_go_ways_to_write_options(box: Machine, sts: VerifyingSts, words: list[str]) -> None:
    done = box.run(*_common(box, sts), *(word.format(arn=sts.role_arn) for word in words))
    assert (done.returncode, done.stderr) == (0, "")
    assert _whoami(json.loads(done.stdout), sts).endswith("assumed-role/demo/go")


def test_assume_role_false_is_get_session_token(box: Machine, sts: VerifyingSts) -> None:
    before = len(sts.log)
    done = box.run(*_common(box, sts), HANDLE, "--assumeRole=false", "--verbose")
    assert done.returncode == 0
    assert "GetSessionToken at" in done.stderr
    assert len(sts.log) > before


def test_credentials_live_as_long_as_asked(box: Machine, sts: VerifyingSts) -> None:
    from datetime import datetime, timedelta

    for duration in ("900", "7200s"):
        done = box.run(*_common(box, sts), HANDLE, f"--duration={duration}")
        until = datetime.fromisoformat(json.loads(done.stdout)["Expiration"])
        ahead = until - datetime.now(UTC)
        assert abs(ahead - timedelta(seconds=int(duration.removesuffix("s")))) < timedelta(seconds=30)


def _whoami(answer: dict[str, str], sts: VerifyingSts) -> str:
    import boto3

    client = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=sts.endpoint,
        aws_access_key_id=answer["AccessKeyId"],
        aws_secret_access_key=answer["SecretAccessKey"],
        aws_session_token=answer["SessionToken"],
    )
    arn: str = client.get_caller_identity()["Arn"]
    return arn


def _profile(box: Machine, sts: VerifyingSts, name: str, *words: str) -> None:
    command = " ".join(
        quote(word)
        for word in (
            "aws-tpm-process-credential",
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={sts.access_key_id}",
            "--timeout=20s",
            *words,
        )
    )
    config = box.home / ".aws" / "config"
    config.parent.mkdir(exist_ok=True)
    with config.open("a") as file:
        file.write(f"[profile {name}]\nregion = eu-central-1\ncredential_process = {command}\n\n")


def _aws(box: Machine, sts: VerifyingSts, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["aws", *words],
        check=False,
        env=box.environment(AWS_ENDPOINT_URL_STS=sts.endpoint),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


ROLE_WORDS = ("--assumeRole", "--aws-session-name=laptop", "--aws-region=eu-central-1")


@pytest.mark.parametrize("way", ["handle", "file", "password", "PCR"])
def test_the_aws_command(box: Machine, sts: VerifyingSts, way: str) -> None:
    words = [word.format(home=box.home) for word in WAYS[way]]
    name = f"aws-{way}"
    _profile(box, sts, name, *words, f"--aws-arn={sts.role_arn}", *ROLE_WORDS)
    done = _aws(box, sts, "sts", "get-caller-identity", "--profile", name)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == "arn:aws:sts::123456789012:assumed-role/demo/laptop"


def test_the_aws_command_shows_what_we_say(box: Machine, sts: VerifyingSts) -> None:
    _profile(box, sts, "nothing-there", "--persistentHandle=0x81010009")
    done = _aws(box, sts, "sts", "get-caller-identity", "--profile", "nothing-there")
    assert done.returncode != 0
    assert "aws-tpm-process-credential: TPM2_" in done.stderr
    assert "0x81010009" in done.stderr


BOTO = """
import boto3
session = boto3.Session(profile_name="boto")
print(session.client("sts").get_caller_identity()["Arn"])
"""


def test_boto3(box: Machine, sts: VerifyingSts) -> None:
    _profile(box, sts, "boto", HANDLE, f"--aws-arn={sts.role_arn}", *ROLE_WORDS)
    done = subprocess.run(
        [sys.executable, "-c", BOTO],
        check=False,
        env=box.environment(AWS_ENDPOINT_URL_STS=sts.endpoint),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "arn:aws:sts::123456789012:assumed-role/demo/laptop", done.stderr


def test_a_wrong_secret_in_the_tpm(sts: VerifyingSts, box: Machine, tmp_path: Path) -> None:
    with machine(tmp_path) as other:
        done = other.run(*_common(other, sts), HANDLE)
    assert (done.returncode, done.stdout) == (6, "")
    assert "SignatureDoesNotMatch" in done.stderr
    assert 'created from "AWS4"' in done.stderr
    assert done.stderr.count("\n") == 1


def test_runs_at_once_share_the_tpm(box: Machine, sts: VerifyingSts) -> None:
    """swtpm takes one client at a time: the others wait for it within their timeout."""
    for words in ([HANDLE], [f"--credential-file={box.home}/plain.pem"]):
        started = [box.start(*_common(box, sts), *words) for _ in range(4)]
        for process in started:
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, "")
            assert json.loads(out)["AccessKeyId"]
