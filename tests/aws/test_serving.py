"""The server of credentials: botocore's two providers take them, and who may not have them gets none."""

import datetime
import json
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import boto3
import pytest

from cli.serving.handler import Service
from cli.serving.server import CredentialServer
from cli.serving.store import Store
from cli.serving.tokens import Sessions, TokenFile
from sigv4.credentials import Credentials
from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import TOOLBOX, Machine, left_behind, machine, write_program
from tests.support.serving import Serving
from tests.support.sts import VerifyingSts

TOKEN = "a-token-of-the-test"
END = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
LIST = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def calls() -> list[int]:
    return []


@pytest.fixture
def port(calls: list[int], tmp_path: Path) -> Iterator[int]:
    def fetch() -> Credentials:
        calls.append(1)
        return Credentials("ASIAMADEUP", "made-up-secret", "made-up-token", END, "123456789012")

    listener = socket.create_server(("127.0.0.1", 0))
    (tmp_path / "token").touch(0o600)
    (tmp_path / "token").write_text(TOKEN)
    store = Store(fetch)
    store.fetch()
    service = Service(store, TokenFile(str(tmp_path / "token")), Sessions(), imds=True, region="eu-central-1")
    with CredentialServer([listener], service):
        yield listener.getsockname()[1]


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.mark.parametrize("way", ["container", "imds"])
def test_boto3_takes_them(port: int, calls: list[int], monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    if way == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN)
    else:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
    for _ in range(2):
        found = boto3.Session().get_credentials()
        assert found is not None
        frozen = found.get_frozen_credentials()
        assert (frozen.access_key, frozen.secret_key, frozen.token) == (
            "ASIAMADEUP",
            "made-up-secret",
            "made-up-token",
        )
        assert way == "imds" or found.account_id == "123456789012"
    assert len(calls) == 1


def test_without_a_token_there_is_nothing(port: int, calls: list[int]) -> None:
    assert ask(port, "GET", "/credentials")[0] == 401
    assert ask(port, "GET", "/credentials", Authorization=TOKEN + "x")[0] == 401
    assert ask(port, "GET", LIST)[0] == 401
    assert ask(port, "GET", "/credentials", Authorization=TOKEN, Host="evil.example")[0] == 403
    assert ask(port, "GET", "/credentials", Authorization=TOKEN, X_Forwarded_For="10.0.0.1")[0] == 403
    assert ask(port, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="21601")[0] == 400
    assert len(calls) == 1


def options(at: Machine, sts: VerifyingSts) -> list[str]:
    words = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
    words += [f"--tpm-path={at.swtpm.path}", "--aws-region=us-east-1", f"--endpoint-url={sts.endpoint}"]
    return [*words, "--assumeRole", f"--aws-arn={sts.role_arn}", "--timeout=20s"]


def test_the_verb_serves_and_ends_by_a_signal(tmp_path: Path) -> None:
    with VerifyingSts() as sts, machine(tmp_path, sts.secret_access_key) as at:
        with Serving(at, *options(at, sts)) as service:
            assert service.token.stat().st_mode & 0o777 == 0o600
            status, found = service.ask()
            assert status == 200
            assert set(found) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"}
            service.process.terminate()
            assert service.process.wait(20) == 128 + 15
        assert not service.token.exists()
        assert left_behind(at.swtpm.path) == []


def test_by_a_unix_socket_with_curl(tmp_path: Path) -> None:
    with VerifyingSts() as sts, machine(tmp_path, sts.secret_access_key) as at:
        path, words = tmp_path / "socket", options(at, sts)
        with Serving(at, f"--socket={path}", "--socket-mode=0660", *words) as service:
            assert path.stat().st_mode & 0o777 == 0o660
            header = f"Authorization: {service.token.read_text()}"
            curl = ["curl", "-sS", "--unix-socket", str(path), "-H", header, "http://localhost/credentials"]
            done = subprocess.run(curl, check=True, capture_output=True, text=True, timeout=60)
            # --port was given too.
            assert json.loads(done.stdout) == service.ask()[1]
            serve = ["serve", f"--token-file={tmp_path / 'other'}", f"--socket={path}", *words]
            second = at.run(*serve, program=at.bin / "tpmwire")
            assert (second.returncode, "in use by another program" in second.stderr) == (2, True), second.stderr
            assert path.exists()
        assert not path.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--address=0.0.0.0"], "reachable from other machines"),
        (["--port=70000"], "--port 70000 is not valid"),
        (["--socket-mode=0600"], "--socket-mode needs --socket"),
        (["--socket=s", "--socket-mode=rw"], "invalid mode; use e.g. 0600 or 0660"),
        (
            ["--token-file=/"],
            "--token-file / is a directory, in which each profile has a token file; add --profile",
        ),
        (["--profile=none"], "profile 'none' not found"),
        (["--keyPass-file=/dev/null"], "--keyPass-file /dev/null is read again for each refresh"),
        (["--credential-file=/dev/null"], "--credential-file /dev/null is read again for each refresh"),
    ],
)
def test_mistakes_are_told_before_the_tpm_is_asked(tmp_path: Path, words: list[str], says: str) -> None:
    program = write_program(tmp_path, TOOLBOX)
    command = [program, "serve", f"--token-file={tmp_path / 'token'}", "--tpm-path=/tmp/no-such-tpm", *words]
    environment = {"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "AKIAMADEUP", "PATH": "/usr/bin"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "token").exists()
