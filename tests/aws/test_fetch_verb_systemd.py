"""`tpmwire fetch`, whose first request has systemd start `tpmwire serve --process`, as the user units do."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import Machine
from tests.support.serving import await_
from tests.support.sts import VerifyingSts


class Activated:
    """A server that its first client starts."""

    def __init__(self, box: Machine, process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
        self.box, self.process, self.path, self.log = box, process, path, log

    def fetch(self) -> "subprocess.CompletedProcess[str]":
        """Runs the program that a profile's credential_process names."""
        return subprocess.run(
            [self.box.bin / "tpmwire", "fetch", self.path], check=False, capture_output=True, text=True, timeout=60
        )


@contextlib.contextmanager
def activated(box: Machine, directory: Path, *words: str) -> Iterator[Activated]:
    """systemd's own program listens, and starts the server at the first connection."""
    path, log = directory / "tpmwire.sock", directory / "log"
    command = ["systemd-socket-activate", f"--listen={path}", "-E", "HOME", "-E", "PYENV_VERSION"]
    command += [str(box.bin / "tpmwire"), "serve", "--process", *words]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=box.environment(), stdin=subprocess.DEVNULL, stderr=file)
    try:
        await_(lambda: "Listening on" in log.read_text(), log.read_text)
        path.chmod(0o600)
        yield Activated(box, process, path, log)
    finally:
        process.kill()
        process.wait()


def key(box: Machine, sts: VerifyingSts) -> list[str]:
    found = [f"--tpm-path={box.swtpm.path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s"]
    found += [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
    return [*found, "--assumeRole=true", f"--aws-arn={sts.role_arn}"]


def test_the_first_request_starts_the_server(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    with activated(box, tmp_path, *key(box, sts)) as server:
        done = server.fetch()
        assert (done.returncode, done.stderr) == (0, ""), server.log.read_text()
        assert server.fetch().stdout == done.stdout
        curl = ["curl", "-s", "--unix-socket", str(server.path), "http://localhost/process"]
        by_curl = subprocess.run(curl, check=True, capture_output=True, text=True, timeout=60)
        assert by_curl.stdout == done.stdout.rstrip("\n")
    document = json.loads(done.stdout)
    assert document["Version"] == 1
    assert document["AccessKeyId"].startswith("ASIA")


def test_an_sdk(box: Machine, sts: VerifyingSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with activated(box, tmp_path, *key(box, sts)) as server:
        config = tmp_path / "config"
        config.write_text(f"[default]\ncredential_process = {box.bin / 'tpmwire'} fetch {server.path}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        client = boto3.Session().client("sts", region_name="us-east-1", endpoint_url=sts.endpoint)
        assert client.get_caller_identity()["Account"] == "123456789012"


FAILURES = {
    "no network": (["--endpoint-url=http://127.0.0.1:1"], 7, "cannot connect to 127.0.0.1:1"),
    "no TPM": (["--tpm-path=/nonexistent"], 3, "/nonexistent does not exist"),
    "no key": (["--persistentHandle=0x81010099"], 4, "no object at this handle"),
    "no profile": (["--profile=absent"], 2, "absent"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_passed_on(box: Machine, sts: VerifyingSts, tmp_path: Path, case: str) -> None:
    """The program that asks gets reason and exit code, and the server goes on."""
    words, code, says = FAILURES[case]
    given = (
        []
        if case == "no profile"
        else [one for one in key(box, sts) if not one.startswith(words[0].split("=")[0])]
    )
    with activated(box, tmp_path, *given, *words) as server:
        done = server.fetch()
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
        assert says in done.stderr
        assert "tpmwire serve tries again in" in done.stderr
        assert server.process.poll() is None
        assert "Traceback" not in server.log.read_text()
