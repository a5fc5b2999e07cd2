"""`tpmwire fetch` with good servers, and with servers that hang, break off, lie, or belong to somebody else."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.credential_server import Running
from tests.support.programs import TOOLBOX, write_program
from tests.support.verbs import started

DOCUMENT = (
    b'{"Version": 1, "AccessKeyId": "ASIAMADEUP", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "e"}'
)


def response(body: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(size).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def answering(directory: Path, answer: Callable[[socket.socket], None]) -> Iterator[Path]:
    """A server on a unix socket that reads a request, and does what `answer` says with each connection."""
    path = directory / "server"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return write_program(tmp_path, TOOLBOX)


def fetch(program: Path, *words: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program, "fetch", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **environment},
    )


@pytest.mark.parametrize("words", [(), ("--timeout=20s",)], ids=["fast", "with an option"])
def test_it_prints_the_servers_document(program: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    with Running(tmp_path, imds=False).server:
        (tmp_path / "tpmwire.sock").symlink_to(tmp_path / "socket")
        done = fetch(program, *words, XDG_RUNTIME_DIR=str(tmp_path))
        assert done.stdout == fetch(program, *words, tmp_path / "socket").stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["AccessKeyId"] == "ASIAMADEUP"
    assert done.stdout.count("\n") == 1


LOADED = """
import os, sys
leave, bare = os._exit, set(sys.modules)
def dump(code):
    os.write(2, " ".join(sorted(set(sys.modules) - bare)).encode())
    leave(code)
os._exit = dump
"""


def test_it_loads_nothing_but_a_socket(tmp_path: Path) -> None:
    program = write_program(tmp_path, TOOLBOX, LOADED)
    with Running(tmp_path, imds=False).server:
        done = fetch(program, tmp_path / "socket")
    assert done.returncode == 0
    ours = {"cli", "cli.serving", "cli.serving.client", "tpmwire_programs"}
    assert set(done.stderr.split()) - {"_socket", "errno", "gc"} == ours


def unanswered(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)  # until the client goes


ANSWERS: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 7, "the server closed the connection"),
    "half of a head": (b"HTTP/1.1 200 OK\r\nConte", 7, "truncated after 22 bytes"),
    "half of a body": (response(DOCUMENT, length=200), 7, "truncated after"),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n" + DOCUMENT, 7, "truncated after"),
    "more than its length": (response(DOCUMENT, length=9), 7, "truncated after"),
    "garbage": (bytes(range(256)) * 8, 7, "truncated after 2048 bytes"),
    "a huge body": (response(b"x" * 70000), 7, "invalid response: longer than 65536 bytes"),
    "a huge length": (response(b"", length=10**15), 7, "truncated after"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", 7, "truncated after"),
    "a page": (response(b"<html>Sign in</html>"), 7, "not a credential_process document"),
    "credentials of a container": (
        response(DOCUMENT.replace(b'"Version": 1, ', b"")),
        7,
        "not a credential_process",
    ),
    "control characters": (response(DOCUMENT.replace(b"ASIA", b"\x1b[2J")), 7, "not a credential_process"),
    "two lines": (response(DOCUMENT.replace(b"ASIA", b"\n")), 7, "not a credential_process"),
    "not found": (response(b'{"Message": "not found"}', b"404 Not Found"), 7, "HTTP status 404"),
    "a refusal without JSON": (response(b"<html>", b"500 Oops"), 7, "HTTP status 500"),
    "a deep refusal": (response(b"[" * 60000, b"500 Oops"), 7, "HTTP status 500"),
    "an exit code of its own": (
        response(b'{"Message": "bad\\nkey", "ExitCode": 6}', b"503 No"),
        6,
        "tpmwire: bad key\n",
    ),
    "an exit code of 0": (response(b'{"Message": "bad key", "ExitCode": 0}', b"503 No"), 7, "tpmwire: bad key\n"),
    "an escape sequence": (response(b'{"Message": "\\u001b[2J"}', b"503 No"), 7, "\\x1b[2J"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_bad_response_is_one_line(program: Path, tmp_path: Path, case: str) -> None:
    data, code, says = ANSWERS[case]
    with answering(tmp_path, lambda connection: connection.sendall(data)) as path:
        done = fetch(program, path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
    assert says in done.stderr


def test_a_response_in_parts(program: Path, tmp_path: Path) -> None:
    def slowly(connection: socket.socket) -> None:
        for octet in response(DOCUMENT):
            connection.sendall(bytes([octet]))
        unanswered(connection)  # a whole response is not waited for any longer

    with answering(tmp_path, slowly) as path:
        done = fetch(program, path)
    assert (done.returncode, done.stdout) == (0, DOCUMENT.decode() + "\n"), done.stderr


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_a_server_that_hangs(program: Path, tmp_path: Path, part: bytes) -> None:
    def hang(connection: socket.socket) -> None:
        connection.sendall(part)
        unanswered(connection)

    with answering(tmp_path, hang) as path:
        done = fetch(program, path, "--timeout=300ms")
    assert (done.returncode, done.stdout) == (7, "")
    assert f"{path}: no response within 0.3 seconds; see the server's log" in done.stderr


def test_a_server_that_drips_ends_at_the_deadline(program: Path, tmp_path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)

    with answering(tmp_path, drip) as path:
        done = fetch(program, path, "--timeout=500ms")
    assert (done.returncode, "no response within 0.5 seconds" in done.stderr) == (7, True)


def test_a_full_queue_is_waited_for_until_the_deadline(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(str(path))
        listener.listen(0)
        for _ in range(2):  # nobody accepts them
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(str(path))
        done = fetch(program, path, "--timeout=300ms")
    assert (done.returncode, "no response within 0.3 seconds" in done.stderr) == (7, True)


LISTENS = "import socket, sys; s = socket.socket(1); s.bind(sys.argv[1]); s.listen(); print(flush=True); "


def test_a_killed_server(program: Path, tmp_path: Path) -> None:
    """Its socket's file stays, and a client that waits gets one line."""
    path = tmp_path / "s"
    code = LISTENS + "s.accept()[0].recv(9); input()"
    command = [sys.executable, "-c", code, path]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        with started([program, "fetch", path], stderr=subprocess.PIPE, text=True) as client:
            time.sleep(0.5)
            server.kill()
            _, err = client.communicate(timeout=60)
    assert (client.returncode, err.count("\n")) == (7, 1)
    done = fetch(program, path)
    assert (done.returncode, "no server listens; run `systemctl --user" in done.stderr) == (7, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's socket needs root")
@pytest.mark.parametrize("link", [False, True])
def test_a_socket_of_another_user_is_not_used(program: Path, link: bool) -> None:
    """Nothing is sent to it; a link to it is not trusted more."""
    with tempfile.TemporaryDirectory(prefix="theirs-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o777)
        path = directory / "s"
        other = ["setpriv", "--reuid=61001", "--clear-groups", "/usr/bin/python3", "-c"]
        command = [*other, LISTENS + "print(s.accept()[0].recv(9))", path]
        with started(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            if link:
                (directory / "link").symlink_to(path)
            done = fetch(program, directory / "link" if link else path)
            assert server.stdout.read() == "b''\n"
    assert (done.returncode, done.stdout) == (8, "")
    assert "the server runs as the user 61001; expected your own user or root" in done.stderr


MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "missing": (
        ["/nonexistent/s"],
        7,
        "cannot connect to /nonexistent/s: no such file; run `systemctl --user start",
    ),
    "not a socket": (["/etc/hostname"], 7, "cannot connect to /etc/hostname: no server listens"),
    "too long": (["/" + "x" * 200], 7, "path too long"),
    "empty": ([""], 2, "PATH"),
    "two": (["/a", "/b"], 2, "unrecognized arguments"),
    "a wrong option": (["--socket=/a"], 2, "unrecognized arguments: --socket"),
    "no time": (["--timeout=0"], 2, "is not between"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(program: Path, case: str) -> None:
    words, code, says = MISTAKES[case]
    done = fetch(program, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
    assert says in done.stderr


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    with answering(tmp_path, lambda connection: connection.sendall(response(DOCUMENT))) as path:
        program = write_program(tmp_path, TOOLBOX)
        for before, code, lines in (("exec >&-", 1, 1), ("exec >/dev/full", 1, 1)):
            command = ["sh", "-c", f'{before}\nexec "$@"', "sh", str(program), "fetch", str(path)]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            assert (done.returncode, done.stderr.count("\n")) == (code, lines), done.stderr
            assert "cannot write to standard output" in done.stderr


def test_ctrl_c_while_it_waits(program: Path, tmp_path: Path) -> None:
    waits = threading.Event()

    def hang(connection: socket.socket) -> None:
        waits.set()
        unanswered(connection)

    with (
        answering(tmp_path, hang) as path,
        subprocess.Popen([program, "fetch", path], stderr=subprocess.PIPE, text=True) as client,
    ):
        assert waits.wait(30)
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=60)
    assert (client.returncode, err) == (130, "tpmwire: interrupted\n")
