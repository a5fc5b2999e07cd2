"""`tpmwire exec --serve`: a program whose SDK finds a credential server that lives as long as the program."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.profiles import Run, config, run
from tests.support.programs import TOOLBOX, Machine, left_behind
from tests.support.serving import await_
from tests.support.shortlived import ShortLived
from tests.support.sts import VerifyingSts

__all__ = ["config", "run"]

BOTO3 = """
import boto3, json, os
session = boto3.Session()
found = session.get_credentials()
arn = session.client("sts", endpoint_url=os.environ["STS"]).get_caller_identity()["Arn"]
print(json.dumps([found.method, session.region_name, arn, dict(os.environ)]))
raise SystemExit(7)
"""
RENEWED = """
import json, os, time, urllib.request
url, token = (os.environ[f"AWS_CONTAINER_{name}"] for name in ("CREDENTIALS_FULL_URI", "AUTHORIZATION_TOKEN"))
request = urllib.request.Request(url, headers={"Authorization": token})
seen, end = set(), time.monotonic() + 60
while len(seen) < 2 and time.monotonic() < end:
    seen.add(json.load(urllib.request.urlopen(request))["AccessKeyId"])
    time.sleep(0.1)
print(len(seen))
"""
CAUGHT = """
import signal, sys, time
seen = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, _: seen.append(number))
print("ready", flush=True)
while not seen:
    time.sleep(0.05)
time.sleep(0.5)
print(seen)
raise SystemExit(30 + seen[0])
"""


@pytest.fixture
def words(config: Callable[..., None]) -> list[str]:
    """The command line before the program."""
    # The access key id of each session of a role is new; moto's GetSessionToken always returns the same one.
    config("[profile work]\nrole_arn = {role}\nsource_profile = tpm\nregion = eu-west-3\n")
    return ["exec", "--serve", "--profile=work", "--"]


def test_an_sdk_finds_the_server_and_no_other_credentials(
    words: list[str], run: Run, box: Machine, sts: VerifyingSts, tmp_path: Path
) -> None:
    other = tmp_path / "credentials"
    other.write_text("[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n")
    stale = {
        "AWS_ACCESS_KEY_ID": "AKIASTALE",
        "AWS_SECRET_ACCESS_KEY": "stale",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/stale",
        "AWS_SHARED_CREDENTIALS_FILE": str(other),
        "TPM_KEY_AUTH": "",
        "STS": sts.endpoint,
    }
    code, out, err = run(*words, sys.executable, "-c", BOTO3, program=TOOLBOX, **stale)
    assert (code, err) == (7, "")
    method, region, arn, environment = json.loads(out)
    assert (method, region) == ("container-role", "eu-west-3")
    assert ":assumed-role/" in arn
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["AWS_CONFIG_FILE"] == str(tmp_path / "config")
    assert not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "TPM_KEY_AUTH"} & set(environment)
    uri = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    assert uri.startswith("http://127.0.0.1:")
    # The server ends with the program.
    gone = subprocess.run(["curl", "-s", uri], check=False, capture_output=True)
    assert gone.returncode == 7, gone
    assert not left_behind(box.swtpm.path)


def test_credentials_are_renewed_while_the_program_runs(words: list[str], run: Run, sts: VerifyingSts) -> None:
    with ShortLived(sts, 9) as short:
        command = [*words[:-1], f"--endpoint-url={short.endpoint}", "--", sys.executable, "-c", RENEWED]
        assert run(*command, program=TOOLBOX) == (0, "2\n", "")


def test_the_program_ends_a_refresh_that_waits(
    words: list[str], box: Machine, sts: VerifyingSts, run: Run
) -> None:
    """The network may take minutes; nobody waits for credentials that no program needs."""
    with ShortLived(sts, 3) as short:
        ends = "import sys, time; sys.stdin.read()"
        command = [*words[:-1], f"--endpoint-url={short.endpoint}", "--timeout=60s", "--"]
        program = _start(box, run, *command, sys.executable, "-c", ends, stdin=subprocess.PIPE)
        await_(lambda: short.asked > 0, lambda: "the first request")
        await_(lambda: len(short.issued) > 0, lambda: "the first credentials")
        short.open.clear()
        await_(lambda: short.asked > 1, lambda: "the refresh")
        before = time.monotonic()
        assert program.communicate(timeout=60) == ("", "")
        short.open.set()
        assert time.monotonic() - before < 25
        assert program.returncode == 0
    assert not left_behind(box.swtpm.path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_reaches_the_program(words: list[str], box: Machine, run: Run, number: signal.Signals) -> None:
    program = _start(box, run, *words, sys.executable, "-c", CAUGHT)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (30 + number, f"[{number:d}]\n", "")


def test_ctrl_c_reaches_the_program_once(words: list[str], box: Machine, run: Run) -> None:
    """The kernel sends the signal to both processes of the terminal."""
    command, environment = _command(box, run, *words, sys.executable, "-c", CAUGHT)
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], command, environment)
    seen = b""
    try:
        while b"[2" not in seen or b"]" not in seen:
            seen += os.read(terminal, 1000)
            if seen.endswith(b"ready\r\n"):
                os.write(terminal, b"\x03")
                seen += b"|"
    finally:
        os.close(terminal)
        status = os.waitpid(child, 0)[1]
    assert seen.endswith(b"[2]\r\n"), seen
    assert os.waitstatus_to_exitcode(status) == 32


def test_the_signal_that_ended_the_program_ends_this_one(words: list[str], run: Run) -> None:
    code, _, err = run(*words, "sh", "-c", "kill -TERM $$", program=TOOLBOX)
    assert (code, err) == (-signal.SIGTERM, "")


def test_a_program_that_cannot_run(words: list[str], run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    code, out, err = run(*words, str(broken), program=TOOLBOX)
    assert (code, out) == (126, "")
    assert err == f"tpmwire exec: cannot run {broken}: Exec format error\n"


def _command(box: Machine, run: Run, *words: str) -> tuple[list[str], dict[str, str]]:
    given: dict[str, str] = {}
    code, out, _ = run("-c", "env -0", program="/bin/sh")
    assert code == 0
    given = dict(line.split("=", 1) for line in out.split("\0") if line)
    return [str(box.bin / TOOLBOX), *words], given


def _start(box: Machine, run: Run, *words: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    command, environment = _command(box, run, *words)
    return subprocess.Popen(
        command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
