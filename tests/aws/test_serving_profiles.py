"""`tpmwire serve` for several profiles: each SDK gets the credentials of the profile in its path."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.front import Front
from tests.support.keys import PASSWORD_HANDLE, PLAIN_HANDLE
from tests.support.programs import CREDENTIAL_PROCESS, ROOT, Machine, left_behind
from tests.support.serving import Serving, await_
from tests.support.sts import VerifyingSts

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
SDKS = {
    "aws": ["aws", "sts", "get-caller-identity", "--query=Arn", "--output=text"],
    "boto3": [sys.executable, "-c", WHO],
    "javascript": ["node", "--no-warnings", str(ROOT / "tests" / "js" / "whoami.js")],
}
PROFILES = {"one": "one", "two": "two", "team a/b": "three"}
PATHS = {"one": "one", "two": "two", "team a/b": "team%20a%2Fb"}
AB = ["--profile=one", "--profile=two"]


def write_profiles(box: Machine, sts: VerifyingSts, endpoint: str = "") -> None:
    words = f"{CREDENTIAL_PROCESS} --tpm-path={box.swtpm.path} --aws-access-key-id={sts.access_key_id}"
    words += f" --persistentHandle={PLAIN_HANDLE:#x} --assumeRole --aws-arn={sts.role_arn}"
    words += f" --endpoint-url={endpoint or sts.endpoint} --timeout=20s"
    text = "".join(
        f'[profile "{name}"]\n'
        f"region = eu-west-{number}\ncredential_process = {words} --aws-session-name={session}\n"
        for number, (name, session) in enumerate(PROFILES.items(), 1)
    )
    text += f"[profile broken]\ncredential_process = {words} --persistentHandle=0x81777777\n"
    (box.home / ".aws").mkdir(exist_ok=True)
    (box.home / ".aws" / "config").write_text(text)


@pytest.fixture(scope="module")
def at(box: Machine, sts: VerifyingSts) -> Machine:
    write_profiles(box, sts)
    return box


@pytest.fixture(scope="module")
def served(at: Machine) -> Iterator[Serving]:
    with Serving(at, *(f"--profile={name}" for name in PROFILES)) as running:
        yield running


def curl(served: Serving, path: str, token: str) -> tuple[int, dict[str, str]]:
    command = ["curl", "-sS", "-w", "\n%{http_code}", "-H", f"Authorization: {token}"]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{served.port}{path}"], check=True, capture_output=True, text=True, timeout=60
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


@pytest.mark.parametrize(
    ("sdk", "name"),
    [("aws", "two"), ("boto3", "one"), ("javascript", "team a/b")],
)
def test_each_profile_arrives(at: Machine, sts: VerifyingSts, served: Serving, sdk: str, name: str) -> None:
    environment = at.environment(
        AWS_ENDPOINT_URL=sts.endpoint,
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{served.port}/credentials/{PATHS[name]}",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(served.token),
    )
    done = subprocess.run(SDKS[sdk], check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(f":assumed-role/demo/{PROFILES[name]}")


def test_names_and_tokens(served: Serving) -> None:
    token = served.token.read_text()
    first = curl(served, "/credentials", token)
    assert first[0] == 200
    assert first == curl(served, "/credentials/one", token) == curl(served, "/credentials/one/", token)
    assert curl(served, "/credentials/two", token)[1]["AccessKeyId"] != first[1]["AccessKeyId"]
    for path in ("/credentials/three", "/credentials/One", "/credentials/one/two", "/credentials/%6"):
        assert curl(served, path, token)[0] == 404
        # Whether there is such a profile is not said to clients without a token.
        assert curl(served, path, token + "x")[0] == 401
    assert curl(served, "/credentials/two", token + "x")[0] == 401
    for name, path in PATHS.items():
        assert f"profile {name}: /credentials/{path}, region eu-west-" in served.text


def test_one_profile_has_its_name_too(at: Machine) -> None:
    with Serving(at, "--profile=two") as running:
        token = running.token.read_text()
        assert curl(running, "/credentials/two", token) == curl(running, "/credentials", token)
        assert curl(running, "/credentials/one", token)[0] == 404


def start(at: Machine, log: Path, *words: str, **environment: str) -> "subprocess.Popen[bytes]":
    """`tpmwire serve`, after it has said where it listens."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(at.bin / "tpmwire"), "serve", *words],
            env=at.environment(**environment),
            stdin=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )
    ready = ("/credentials\n", "/process\n")
    await_(lambda: log.read_text().endswith(ready) or process.poll() is not None, log.read_text)
    return process


def test_tokens_of_their_own(at: Machine, tmp_path: Path) -> None:
    directory, log = tmp_path / "tokens", tmp_path / "log"
    directory.mkdir()
    (directory / "two").touch(0o600)
    (directory / "two").write_text("a-token-of-the-user")
    path = tmp_path / "socket"
    process = start(at, log, *AB, f"--token-file={directory}", f"--socket={path}", "--process")
    try:
        assert (directory / "one").stat().st_mode & 0o777 == 0o600

        def ask(name: str, token: str) -> int:
            command = ["curl", "-sS", "-o/dev/null", "-w%{http_code}", f"--unix-socket={path}"]
            command = [*command[:-1], "--unix-socket", str(path), "-H", f"Authorization: {token}"]
            done = subprocess.run(
                [*command, f"http://localhost/credentials{name}"], check=True, capture_output=True, timeout=60
            )
            return int(done.stdout)

        one, two = ((directory / name).read_text() for name in ("one", "two"))
        assert [ask("/one", one), ask("", one), ask("/two", two)] == [200, 200, 200]
        assert [ask("/two", one), ask("/one", two), ask("", two), ask("/one", "")] == [401, 401, 401, 401]
        assert [ask("/none", two), ask("/none", "")] == [404, 401]
        for name in ("one", "two"):
            done = at.run("fetch", "--profile", name, str(path), program=at.bin / "tpmwire")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["Version"] == 1
        done = at.run("fetch", "--profile=none", str(path), program=at.bin / "tpmwire")
        assert done.returncode == 7
        assert "has no profile 'none'" in done.stderr
    finally:
        process.terminate()
        process.wait(30)
    assert [each.name for each in directory.iterdir()] == ["two"]
    assert left_behind(at.swtpm.path) == []


def test_each_profile_is_fetched_once(box: Machine, at: Machine, sts: VerifyingSts, front: Front) -> None:
    write_profiles(box, sts, front.url)
    try:
        with Serving(at, *AB) as running:
            token = running.token.read_text()
            for _ in range(5):
                assert (
                    curl(running, "/credentials/one", token)[0]
                    == curl(running, "/credentials/two", token)[0]
                    == 200
                )
            assert len(front.seen) == 2
    finally:
        write_profiles(box, sts)


def test_a_profile_that_fails_does_not_stop_the_others(at: Machine) -> None:
    with Serving(at, "--profile=broken", "--profile=two") as running:
        token = running.token.read_text()
        assert curl(running, "/credentials/two", token)[0] == 200
        assert curl(running, "/credentials/broken", token)[0] == 503
        assert "serve: profile broken: " in running.text
        assert "profile broken: /credentials/broken, no credentials; see above" in running.text


def test_no_profile_has_credentials(at: Machine, tmp_path: Path) -> None:
    words = [*AB, "--persistentHandle=0x81777777", f"--token-file={tmp_path / 'token'}", "--port=0"]
    done = at.run("serve", *words, program=at.bin / "tpmwire")
    assert (done.returncode, done.stderr.count("\n")) == (4, 2), done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith("tpmwire serve: profile one: TPM2_")
    assert first.endswith(". Trying the next profile")
    assert second.endswith("; no profile has credentials; the error is that of the profile two")
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile=one", "--profile=one"], "--profile one is given twice"),
        (["--profile=one", "--profile="], "--profile is empty"),
        (["--profile=one", "--profile=none"], "profile 'none' not found"),
        (["--profile=team a/b", "--token-file=."], "cannot have a file of this name"),
        (["--token-file=."], "is a directory, in which each profile has a token file; add --profile"),
        (["--profile=one", "--imds", "--address=169.254.170.2"], "--imds gives credentials to every client"),
        (["--profile=one", "--allow-host=http://x"], "is not a host name"),
        (["--profile=one", "--address=169.254.170.22"], "reachable from other machines"),
    ],
)
def test_mistakes(at: Machine, tmp_path: Path, words: list[str], says: str) -> None:
    token = [] if "--token-file=." in words else [f"--token-file={tmp_path / 'token'}"]
    done = at.run("serve", *token, *words, program=at.bin / "tpmwire")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert says in done.stderr


def test_a_wrong_password_counts_once(at: Machine, tmp_path: Path) -> None:
    """Both profiles have the same key, and the TPM would lock after a few failures."""
    log, password = tmp_path / "log", tmp_path / "password"
    password.touch(0o600)
    password.write_text("wrong")
    words = [
        f"--persistentHandle={PASSWORD_HANDLE:#x}",
        f"--keyPass-file={password}",
        "--no-session-encryption",
        "--verbose",
    ]
    process = start(at, log, *AB, f"--token-file={tmp_path / 'token'}", "--port=0", *words)
    assert process.wait(30) == 4, log.read_text()
    assert log.read_text().count("TPM2_HMAC: ") == 3, log.read_text()  # one command, and the error of each profile


IN_NAMESPACE = """
import json, os, subprocess, sys
from pathlib import Path
from cli.serving.listen import check_inherited, tcp_listener
from tests.aws import test_serving_profiles as test
from tests.support.programs import machine
from tests.support.sts import VerifyingSts

directory, found = Path(sys.argv[1]), {}
with tcp_listener("169.254.170.2", 0) as listener:
    check_inherited(listener)  # as if it came from a socket unit
with VerifyingSts() as sts, machine(directory, sts.secret_access_key) as at:
    test.write_profiles(at, sts)
    addresses = [f"--address={each}" for each in ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")]
    words = [*test.AB, *addresses, "--port=80", "--allow-host=tokens.internal"]
    words.append(f"--token-file={directory / 'token'}")
    process = test.start(at, directory / "log", *words)
    try:
        token = (directory / "token").read_text()
        for host in ("169.254.170.23", "[fd00:ec2::23]", "tokens.internal", "tokens.external"):
            command = ["curl", "-s", "-o/dev/null", "-w%{http_code}", "-H", f"Authorization: {token}"]
            where = f"http://{host}/credentials/two"
            command += ["--resolve", f"{host}:80:169.254.170.2", where] if "tokens" in host else ["-g", where]
            found[host] = subprocess.run(command, capture_output=True, text=True).stdout
        ways = {
            "relative": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/credentials/two"},
            "eks": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/credentials/two"},
            "eks6": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/credentials/two"},
        }
        for way, variables in ways.items():
            for sdk, command in test.SDKS.items():
                if way != "relative" and sdk == "aws":  # which is boto3's code
                    continue
                variables |= {"AWS_CONTAINER_AUTHORIZATION_TOKEN": token, "AWS_REGION": "us-east-1"}
                variables |= {"AWS_DEFAULT_REGION": "us-east-1"}
                environment = at.environment(AWS_ENDPOINT_URL=sts.endpoint, **variables)
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
                found[f"{way} {sdk}"] = done.stdout.strip().rpartition("/")[2] or done.stderr
    finally:
        process.terminate()
        process.wait(30)
    found["log"] = (directory / "log").read_text()
json.dump(found, sys.stdout)
"""


def _cannot_unshare() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return True
    return (
        subprocess.run(
            ["unshare", "-n", "ip", "link", "set", "lo", "up"], check=False, capture_output=True
        ).returncode
        != 0
    )


@pytest.mark.skipif(_cannot_unshare(), reason="needs root, unshare and ip (iproute2)")
def test_the_addresses_of_containers(tmp_path: Path) -> None:
    script = "ip link set lo up && ip addr add 169.254.170.2/32 dev lo && ip addr add 169.254.170.23/32 dev lo"
    script += ' && ip addr add fd00:ec2::23/128 dev lo && exec "$@"'
    command = ["unshare", "-n", "sh", "-c", script, "sh", sys.executable, "-c", IN_NAMESPACE, str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    log = found.pop("log")
    assert (
        "http://169.254.170.2:80/credentials, http://169.254.170.23:80/credentials, http://[fd00:ec2::23]:80/"
        in log
    )
    assert found.pop("tokens.external") == "403"
    assert set(found.values()) == {"200", "two"}, found


def test_an_address_that_the_machine_does_not_have(at: Machine, tmp_path: Path) -> None:
    words = ["--profile=one", "--address=fd00:ec2::23", "--port=0", f"--token-file={tmp_path / 'token'}"]
    done = at.run("serve", *words, program=at.bin / "tpmwire")
    assert done.returncode == 2
    assert done.stderr.endswith("add the address to this machine first: ip address add fd00:ec2::23/128 dev lo\n")
