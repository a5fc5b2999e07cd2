"""`tpmwire curl` before servers that verify signatures: moto behind TLS, and Swift's S3."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.programs import TOOLBOX, Machine, left_behind
from tests.support.relay import TlsRelay
from tests.support.scripted import ScriptedServer, Step, http, say
from tests.support.sts import VerifyingSts
from tests.support.swift import REGION, SwiftS3

MIB = 1 << 20
Done = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def s3(box: Machine, sts: VerifyingSts) -> Iterator[SwiftS3]:
    with SwiftS3(sts.access_key_id, sts.secret_access_key) as running:
        assert _curl(box, sts, "-X", "PUT", *S3, f"{running.endpoint}/bucket").returncode == 0
        yield running


S3 = ["--service=s3", f"--region={REGION}"]


def _curl(
    box: Machine, sts: VerifyingSts, *words: str, stdin: bytes = b"", around: str = "", tpm: str = "", **env: str
) -> Done:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    command = [str(box.bin / TOOLBOX), "curl", *key, f"--tpm-path={tpm or box.swtpm.path}", *words]
    shell = ["sh", "-c", f'{around}\nexec "$@"', "sh", *command]
    return subprocess.run(
        shell, check=False, env=box.environment(**env), input=stdin, capture_output=True, timeout=120
    )


def test_any_service_by_tls(box: Machine, sts: VerifyingSts) -> None:
    """A query service and a JSON service, whose certificate is a private CA's."""
    url = sts.tls_endpoint()
    env = {"AWS_CA_BUNDLE": str(sts.authority().bundle)}
    form = ["-d", "Action=GetCallerIdentity", "-d", "Version=2011-06-15", "--service=sts", "--region=eu-west-1"]
    who = _curl(box, sts, *form, f"{url}/", **env)
    assert (who.returncode, who.stderr) == (0, b"")
    assert b":user/device</Arn>" in who.stdout
    target = ["-H", "X-Amz-Target: DynamoDB_20120810.ListTables", "-H", "Content-Type: application/x-amz-json-1.0"]
    words = ["--service=dynamodb", "--region=eu-west-1", *target, "-d", "{}"]
    tables = _curl(box, sts, *words, f"{url}/", **env)
    assert json.loads(tables.stdout) == {"TableNames": []}
    untrusted = _curl(box, sts, *form, f"{url}/")
    assert untrusted.returncode == 7
    assert b"invalid certificate" in untrusted.stderr
    assert left_behind(box.swtpm.path) == []


def test_as_a_role(box: Machine, sts: VerifyingSts) -> None:
    form = ["-d", "Action=GetCallerIdentity&Version=2011-06-15", "--service=sts", "--region=eu-west-1"]
    role = ["--assumeRole=true", f"--aws-arn={sts.role_arn}", f"--endpoint-url={sts.endpoint}"]
    who = _curl(box, sts, *form, *role, f"{sts.endpoint}/")
    assert b":assumed-role/demo/" in who.stdout, who.stderr


def test_bodies_of_any_size_pass_through(box: Machine, sts: VerifyingSts, s3: SwiftS3, tmp_path: Path) -> None:
    """96 MiB up, from a file and from a pipe, and down, with less than 64 MiB of memory for data."""
    file = tmp_path / "large"
    file.write_bytes(bytes(range(256)) * 4096 * 96)
    url = f"{s3.endpoint}/bucket/large"
    limit = f"ulimit -d {64 * 1024}; export TMPDIR={tmp_path}"
    up = _curl(box, sts, *S3, "-f", "-T", str(file), url, around=limit)
    assert (up.returncode, up.stdout, up.stderr) == (0, b"", b"")
    down = _curl(box, sts, *S3, "-f", "-o", str(tmp_path / "got"), url, around=limit)
    assert (down.returncode, down.stdout, down.stderr) == (0, b"", b"")
    assert (tmp_path / "got").read_bytes() == file.read_bytes()
    piped = file.read_bytes()[::-1]
    assert _curl(box, sts, *S3, "-f", "-T", "-", url, around=limit, stdin=piped).returncode == 0
    assert _curl(box, sts, *S3, url, around=limit).stdout == piped
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "large"]


def test_a_body_may_stay_out_of_the_signature(box: Machine, sts: VerifyingSts, s3: SwiftS3) -> None:
    """By TLS, which protects it; then it is read once."""
    env = {"AWS_CA_BUNDLE": str(sts.authority().bundle)}
    with TlsRelay(("127.0.0.1", s3.port), sts.authority().server_certificate("127.0.0.1")) as relay:
        url = f"https://127.0.0.1:{relay.port}/bucket/unsigned"
        words = [*S3, "-f", "--unsigned-payload", "-T", "-", url]
        assert _curl(box, sts, *words, stdin=b"not signed", **env).returncode == 0
        assert _curl(box, sts, *S3, url, **env).stdout == b"not signed"
    with ScriptedServer(
        say(http("200 OK")), certificate=sts.authority().server_certificate("localhost")
    ) as server:
        url = server.endpoint.replace("127.0.0.1", "localhost")
        assert _curl(box, sts, *words[:-1], url, stdin=b"x", **env).returncode == 0
    assert b"X-Amz-Content-SHA256: UNSIGNED-PAYLOAD\r\n" in server.requests[0]


def test_status_and_headers(box: Machine, sts: VerifyingSts, s3: SwiftS3) -> None:
    url = f"{s3.endpoint}/bucket/small"
    assert _curl(box, sts, *S3, "-X", "PUT", "-d", "abc", "-H", "Content-Type: a/b", url).returncode == 0
    shown = _curl(box, sts, *S3, "-i", url).stdout.decode()
    assert shown.startswith("HTTP/1.1 200 OK\r\n")
    assert re.search(r"\r\nContent-Type: a/b(; charset=UTF-8)?\r\n", shown)
    assert shown.endswith("\r\n\r\nabc")
    head = _curl(box, sts, *S3, "-I", url).stdout.decode()
    assert head.endswith("\r\n\r\n")
    assert "Content-Length: 3\r\n" in head


def test_refusals(box: Machine, sts: VerifyingSts, s3: SwiftS3, tmp_path: Path) -> None:
    url = f"{s3.endpoint}/bucket/none"
    plain = _curl(box, sts, *S3, url)
    assert plain.returncode == 0
    assert b"<Code>NoSuchKey</Code>" in plain.stdout
    failed = _curl(box, sts, *S3, "--fail", "-o", str(tmp_path / "out"), url)
    assert (failed.returncode, failed.stdout) == (6, b"")
    assert failed.stderr == b"tpmwire curl: HTTP 404 NoSuchKey; leave out --fail to print the response\n"
    assert list(tmp_path.iterdir()) == []


def test_where_the_answer_goes(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    """A private file stays private, a link stays one, - is stdout, and a new file is as the umask has it."""
    (tmp_path / "private").touch(0o600)
    (tmp_path / "link").symlink_to("private")
    for name in ("link", "new", "-"):
        with ScriptedServer(say(http("200 OK", "content"))) as server:
            done = _curl(box, sts, *S3, "-o", name, server.endpoint, around=f"cd {tmp_path}; umask 027")
        assert (done.returncode, done.stdout) == (0, b"content" if name == "-" else b""), done.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("private", "link", "new"), "content"
    )
    assert (tmp_path / "link").is_symlink()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "link": 0o600, "new": 0o640}


TOKEN = "made//up+token="
ECHO = f"<Error><Code>SignatureDoesNotMatch</Code><Canonical>x-amz-security-token:{TOKEN}</Canonical></Error>"
JSON_CODE = '{"__type":"a.b#ThrottlingException"}'
OLD = "Date: Tue, 01 Jan 2019 00:00:00 GMT"
SLOW = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"


def _drip(sock: socket.socket, _request: bytes) -> None:
    """Six octets, each of which comes within the timeout; all of them do not."""
    sock.sendall(SLOW)
    for _ in range(6):
        time.sleep(0.3)
        sock.sendall(b"x")


def _early(sock: socket.socket, _request: bytes) -> None:
    """An answer before the body has come."""
    sock.sendall(http("403 Forbidden", ECHO, "Connection: close"))
    sock.shutdown(socket.SHUT_WR)
    # Until the other side has seen it.
    while sock.recv(65536):
        pass


Case = tuple[Step, list[str], int, bytes, str]
ANSWERS: dict[str, Case] = {
    "repeats the token": (say(http("403 No", ECHO)), ["-f"], 6, b"", "HTTP 403 SignatureDoesNotMatch; leave out"),
    "says its code in JSON": (say(http("400 No", JSON_CODE)), ["-f"], 6, b"", "400 ThrottlingException;"),
    "has no code": (say(http("500 No", "oh")), ["-f"], 6, b"", "HTTP 500; leave out"),
    "is before the body": (_early, ["-f", "-T", "/dev/fd/3"], 6, b"", "HTTP 403 SignatureDoesNotMatch"),
    "is cut": (say(SLOW + b"xyz"), [], 7, b"xyz", "in the middle of its response"),
    "is cut, to a file": (say(SLOW + b"xyz"), ["-o", "out"], 7, b"", "in the middle of its response"),
    "is none": (say(b"SSH-2.0\r\n"), [], 7, b"", "not valid HTTP"),
    "is of a length that is none": (say(SLOW.replace(b"6", b"6, 7") + b"x"), [], 7, b"", "not valid HTTP"),
    "is of a negative length": (say(SLOW.replace(b"6", b"-6") + b"x"), [], 7, b"", "not valid HTTP"),
    "has hints first": (say(b"HTTP/1.1 103 Early Hints\r\n\r\n" + http("200 OK", "ok")), [], 0, b"ok", ""),
    "lets us continue": (say(b"HTTP/1.1 100 Continue\r\n\r\n" + http("200 OK", "ok")), [], 0, b"ok", ""),
    "drips": (_drip, ["--timeout=1s"], 0, b"xxxxxx", ""),
    "hangs": (lambda sock, _: sock.recv(1) and None, ["--timeout=0.5s"], 7, b"", "within 0.5 s"),
    "is elsewhere": (say(http("307 There", "", "Location: https://x/")), [], 0, b"", "https://x/, which was not"),
    "is in another region": (say(http("301 There", "", "x-amz-bucket-region: a-1")), [], 0, b"", "is in a-1"),
    "is of another time": (say(http("403 No", "", OLD)), [], 0, b"", "seconds ahead of the server's"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that(name: str, box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    step, words, code, out, says = ANSWERS[name]
    large = tmp_path / "large"
    large.write_bytes(bytes(8 * MIB))
    with ScriptedServer(step) as server:
        done = _curl(box, sts, *S3, *words, f"{server.endpoint}/b", around=f"cd {tmp_path}; exec 3<{large}")
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    told = done.stderr.decode()
    assert says in told
    assert told.count("\n") == bool(says)
    assert TOKEN not in told
    assert list(tmp_path.iterdir()) == [large]


REFUSED = {
    "an end of its own": (
        ["-H", "Content-Length: 3", "https://iam.amazonaws.com/"],
        "Content-Length is derived from",
    ),
    "chunks of its own": (["-H", "Transfer-Encoding: chunked", "https://iam.amazonaws.com/"], "is derived from"),
    "a directory to write to": (["-o", "/tmp", "https://iam.amazonaws.com/"], "'/tmp' is a directory"),
    "a file of no name": (["-o", "", "https://iam.amazonaws.com/"], "the value must not be empty"),
    "no directory to write in": (
        ["-o", "/dev/null/x", "https://iam.amazonaws.com/"],
        "'/dev/null' is not an existing directory",
    ),
    "no service": (["http://localhost/"], "give --service"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(case: str, box: Machine, sts: VerifyingSts) -> None:
    words, says = REFUSED[case]
    # There is no TPM.
    done = _curl(box, sts, *words, tpm="/nonexistent")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert says in done.stderr.decode()


def test_a_signal_in_the_middle(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    """The half of an answer that is there goes, and the exit code says which signal."""
    for number in (signal.SIGINT, signal.SIGTERM):
        half = threading.Event()

        def step(sock: socket.socket, _request: bytes, half: threading.Event = half) -> None:
            sock.sendall(SLOW + b"xyz")
            half.set()
            sock.recv(1)

        with ScriptedServer(step) as server:
            key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
            words = [*S3, f"--tpm-path={box.swtpm.path}", "-o", str(tmp_path / "out"), f"{server.endpoint}/b"]
            process = subprocess.Popen(
                [box.bin / TOOLBOX, "curl", *key, *words], env=box.environment(), stderr=subprocess.PIPE
            )
            assert half.wait(60)
            while not list(tmp_path.iterdir()):
                time.sleep(0.01)
            process.send_signal(number)
            told = process.communicate(timeout=60)[1]
        assert (process.returncode, told) == (128 + number, b"tpmwire: interrupted\n")
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(box: Machine, sts: VerifyingSts, s3: SwiftS3) -> None:
    done = _curl(box, sts, *S3, "-o", "/dev/full", f"{s3.endpoint}/bucket/none")
    assert (done.returncode, done.stderr) == (1, b"tpmwire: /dev/full: No space left on device\n")
    done = _curl(box, sts, *S3, f"{s3.endpoint}/bucket/none", around="exec >/dev/full")
    assert (done.returncode, done.stderr) == (1, b"tpmwire: stdout: No space left on device\n")
