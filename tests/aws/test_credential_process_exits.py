"""Every exit code, and that its one line on stderr says what is wrong and never a secret."""

import hmac
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.terminal.messages import EXIT_CODES
from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, SECRET, Machine
from tests.support.scripted import STS_ANSWER, ScriptedServer, error, http, say

pytestmark = pytest.mark.box(SECRET)


HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
GOOD = http("200 OK", STS_ANSWER)


class Case(NamedTuple):
    code: int
    says: str
    words: list[str]
    answer: bytes = GOOD
    environment: dict[str, str] = {}  # noqa: RUF012  # never changed


def _password(text: str) -> list[str]:
    return [f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", f"--keyPass={text}"]


CASES = {
    "done": Case(0, "", [HANDLE]),
    "unknown option": Case(2, "did you mean '--persistentHandle'", [HANDLE, "--persistent-handel=0x81010002"]),
    "no number": Case(2, "0x81010020", ["--persistentHandle=eleven"]),
    "transient handle": Case(2, "is not a persistent handle", ["--persistentHandle=0x80000000"]),
    "no timeout": Case(2, "a timeout of 0", [HANDLE, "--timeout=0"]),
    "no bool": Case(2, "expected true or false", [HANDLE, "--assumeRole=perhaps"]),
    "role without ARN": Case(2, "--aws-arn", [HANDLE, "--assumeRole"]),
    "PCR 99": Case(2, "99", [HANDLE, "--pcrs=99"]),
    "PCR a": Case(2, "'a'", [HANDLE, "--pcrs=a,b"]),
    "no key file": Case(2, "missing.pem: No such file", ["--credential-file=missing.pem"]),
    "too short": Case(2, "AWS allows 900 to 129600", [HANDLE, "--duration=10"]),
    "attempts": Case(2, "AWS_MAX_ATTEMPTS", [HANDLE], environment={"AWS_MAX_ATTEMPTS": "0"}),
    "region": Case(2, "nowhere!", [HANDLE, "--aws-region=nowhere!"]),
    "no TPM": Case(3, "/dev/tpm-missing does not exist", [HANDLE, "--tpm-path=/dev/tpm-missing"]),
    "no device": Case(3, "is not a device", [HANDLE, "--tpm-path=/etc/hostname"]),
    "port closed": Case(3, "127.0.0.1:1: connection refused", [HANDLE, "--tpm-path=127.0.0.1:1"]),
    "no password": Case(4, "no password was given; give one with --keyPass-file", _password("")),
    "wrong password": Case(4, "wrong password", _password("not it")),
    "nothing there": Case(4, "handle 1, 0x81010009", ["--persistentHandle=0x81010009"]),
    "PCR key without PCRs": Case(4, "--pcrs", [f"--persistentHandle={keys.PCR_HANDLE:#x}"]),
    "other PCRs": Case(4, "PCR values differ", [f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=22"]),
    "no PEM": Case(
        5, "/etc/hostname: missing -----BEGIN TSS2 PRIVATE KEY----- line", ["--credential-file=/etc/hostname"]
    ),
    "AWS refuses": Case(6, "permission", [HANDLE], http("403 Forbidden", error("AccessDenied"))),
    "throttled": Case(
        6, "wait a minute", [HANDLE], http("400 Bad Request", error("Throttling")), {"AWS_MAX_ATTEMPTS": "1"}
    ),
    "HTML": Case(7, "", [HANDLE], http("200 OK", "<html><body>Log in to the network</body></html>")),
    "cut": Case(7, "", [HANDLE], http("200 OK", STS_ANSWER[:300])),
    "empty": Case(7, "", [HANDLE], http("200 OK", STS_ANSWER.replace("made+up/secret", ""))),
    "nobody answers": Case(7, "", [HANDLE], b"", {"AWS_MAX_ATTEMPTS": "1"}),
    "wrong pin": Case(
        8, "this is a different TPM", [HANDLE, f"--tpm-session-encrypt-with-name=000b{'ab' * 32}@srk"]
    ),
}


def test_the_cases_are_all_the_codes() -> None:
    """But for 1, which is tried below, and the signals', which have a file of their own."""
    assert {case.code for case in CASES.values()} | {1} == {0, *(code for code, _ in EXIT_CODES.values())}


@pytest.mark.parametrize("name", CASES)
def test_exit_code(box: Machine, bus: Interposer, name: str) -> None:
    case = CASES[name]
    with ScriptedServer(say(case.answer)) as sts:
        done = box.run(
            f"--tpm-path={bus.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={sts.endpoint}",
            "--timeout=20",
            *case.words,
            **case.environment,
        )
    assert done.returncode == case.code
    assert case.says in done.stderr
    if case.code:
        assert done.stdout == ""
        assert done.stderr.startswith(f"{CREDENTIAL_PROCESS}: ")
        assert done.stderr.count("\n") == 1
    if case.code in (2, 5):
        assert bus.dialogue == []  # nothing was asked for
    if case.code not in (0, 6, 7):
        assert sts.requests == []
    assert "not it" not in done.stderr


def test_an_access_key_id_is_required(box: Machine, bus: Interposer) -> None:
    done = box.run(HANDLE, f"--tpm-path={bus.path}")
    assert done.returncode == 2
    assert "--aws-access-key-id (or AWS_ACCESS_KEY_ID) is required" in done.stderr


def test_a_secret_in_the_ids_place_is_not_sent(box: Machine, bus: Interposer) -> None:
    """The id is in each request, and in AWS's logs."""
    secret = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY"
    with ScriptedServer(say(GOOD)) as sts:
        words = (HANDLE, f"--tpm-path={bus.path}", f"--endpoint-url={sts.endpoint}")
        done = box.run(*words, AWS_ACCESS_KEY_ID=secret)
    assert (done.returncode, bus.dialogue, sts.requests) == (2, [], [])
    assert "AWS_ACCESS_KEY_ID looks like a secret access key" in done.stderr
    assert secret not in done.stderr


def flip(position: int) -> Callable[[bytes, bytes], bytes]:
    """Changes one bit of the answers to TPM2_HMAC."""

    def change(response: bytes, command: bytes) -> bytes:
        if command[6:10] != bytes.fromhex("00000155"):
            return response
        changed = bytearray(response)
        changed[position] ^= 1
        return bytes(changed)

    return change


@pytest.mark.parametrize(
    ("words", "position", "code", "says"),
    [
        ([HANDLE], 20, 8, "invalid response HMAC (session 1): modified in transit"),
        ([HANDLE], -1, 8, "invalid response HMAC (session 1): modified in transit"),
        # In clear there is no HMAC over the answer; a size that does not fit is noticed all the same.
        ([HANDLE, "--no-session-encryption"], 15, 3, "not a valid TPM response: HMAC.Response.out_hmac"),
    ],
)
def test_a_changed_answer(
    box: Machine, bus: Interposer, words: list[str], position: int, code: int, says: str
) -> None:
    bus.on_response = flip(position)
    with ScriptedServer(say(GOOD)) as sts:
        done = box.run(
            *words, f"--tpm-path={bus.path}", f"--aws-access-key-id={KEY_ID}", f"--endpoint-url={sts.endpoint}"
        )
    assert (done.returncode, done.stdout, sts.requests) == (code, "", [])
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("reader", "code"), [("full", 1), ("gone", 141), ("closed", 1)])
def test_credentials_that_cannot_be_written(box: Machine, reader: str, code: int) -> None:
    """A full disk; a program that read our output and ended; a descriptor that cannot be written to."""
    if reader == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    elif reader == "closed":
        stdout = os.open("/dev/null", os.O_RDONLY)
    else:
        other_end, stdout = os.pipe()
        os.close(other_end)
    with ScriptedServer(say(GOOD)) as sts:
        done = subprocess.run(
            [
                box.bin / CREDENTIAL_PROCESS,
                HANDLE,
                f"--tpm-path={box.swtpm.path}",
                f"--aws-access-key-id={KEY_ID}",
                f"--endpoint-url={sts.endpoint}",
            ],
            env=box.environment(),
            check=False,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    os.close(stdout)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert ("No space left on device" in done.stderr) is (reader == "full")


SECRET_WAYS = {
    "password by option": (_password(keys.PASSWORD), {}),
    "password by variable": ([f"--persistentHandle={keys.PASSWORD_HANDLE:#x}"], {"TPM_KEY_AUTH": keys.PASSWORD}),
    "password by file": ([f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", "--keyPass-file={home}/password"], {}),
    "both": ([f"--persistentHandle={keys.BOTH_HANDLE:#x}", "--pcrs=23", f"--keyPass={keys.PASSWORD}"], {}),
    "file": (["--credential-file={home}/password.pem", f"--keyPass={keys.PASSWORD}"], {}),
    "in clear": ([*_password(keys.PASSWORD), "--no-session-encryption"], {}),
}


@pytest.mark.parametrize("answer", [GOOD, http("403 Forbidden", error("SignatureDoesNotMatch"))], ids=["ok", "no"])
@pytest.mark.parametrize("way", SECRET_WAYS)
def test_verbose_tells_no_secret(box: Machine, way: str, answer: bytes) -> None:
    """Neither AWS's secret nor a password, the day's key, or the temporary credentials."""
    words, environment = SECRET_WAYS[way]
    (box.home / "password").write_text(keys.PASSWORD + "\n")
    (box.home / "password").chmod(0o600)
    with ScriptedServer(say(answer)) as sts:
        done = box.run(
            "--verbose",
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={sts.endpoint}",
            "--timeout=20",
            *(word.format(home=box.home) for word in words),
            **environment,
        )
    assert done.returncode == (0 if answer == GOOD else 6)
    assert "TPM2_HMAC: " in done.stderr
    assert "TPM closed; GetSessionToken at" in done.stderr

    days = {part for part in sts.requests[0].split(b"/") if len(part) == 8 and part.isdigit()}
    assert days
    for secret in (
        SECRET.encode(),
        keys.PASSWORD.encode(),
        b"made+up/secret",
        b"made//up+token",
        *(hmac.digest(b"AWS4" + SECRET.encode(), day, "sha256") for day in days),
    ):
        assert secret not in done.stderr.encode()
        assert secret.hex() not in done.stderr


def test_a_password_file_for_all_to_see_is_warned_of(box: Machine, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(keys.PASSWORD)
    file.chmod(0o644)
    with ScriptedServer(say(GOOD)) as sts:
        done = box.run(
            f"--persistentHandle={keys.PASSWORD_HANDLE:#x}",
            f"--keyPass-file={file}",
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={sts.endpoint}",
        )
    assert done.returncode == 0
    assert (
        done.stderr == f"{CREDENTIAL_PROCESS}: warning: {file} can be read by other users; run chmod 600 on it\n"
    )


def test_no_core_file(box: Machine) -> None:
    """A core file would hold the day's key. A limit of 1 also keeps a crash handler from being given one."""
    limits: list[str] = []

    def look(sock: socket.socket, _request: bytes) -> None:
        limits.extend(Path(f"/proc/{process.pid}/limits").read_text().splitlines())
        sock.sendall(GOOD)

    with ScriptedServer(look) as sts:
        process = box.start(
            HANDLE,
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={sts.endpoint}",
            "--timeout=20",
        )
        process.communicate(timeout=30)
    assert process.returncode == 0
    (core,) = [line.split()[4] for line in limits if line.startswith("Max core file size")]
    assert core in ("0", "1")
