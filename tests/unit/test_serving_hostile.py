"""The server among clients that are slow, many, gone, or send noise."""

import contextlib
import json
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.serving import connections
from cli.serving.request import LONGEST_HEAD
from tests.support.credential_server import SECRET, TOKEN, Running

# What a thread of the server raises is a failure here.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

ASK = f"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: {TOKEN}\r\n\r\n".encode()


def works(running: Running) -> bool:
    return SECRET.encode() in running.send(ASK, unix=True)


def test_an_octet_at_a_time_is_not_waited_for(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        before = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < before + connections.PATIENCE + 40:
                sock.sendall(b"x")
                time.sleep(0.2)
        assert connections.PATIENCE - 1 < time.monotonic() - before < connections.PATIENCE + 30


@pytest.mark.parametrize("said", [b"", b"GET /cred", ASK + b"x", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"])
def test_silent_connections_cost_the_others_nothing(
    running: Running, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 600.0)  # none of them is given up before the others are answered
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            sock.sendall(said)
        assert running.ask("GET /credentials", f"Authorization: {TOKEN}")[0] == 200
        assert works(running)
    assert threading.active_count() < 80


def test_many_clients_at_once_are_all_answered(running: Running) -> None:
    """They connect before anybody reads: the kernel's queue has to hold them."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(400)]
        for sock in clients:
            sock.settimeout(30)
            sock.connect(("127.0.0.1", running.port))
        for sock in clients[-100:]:
            sock.sendall(ASK)
        assert [b"200" in sock.recv(64) for sock in clients[-100:]] == [True] * 100


def test_more_clients_at_once_than_the_server_may_have(tmp_path: Path) -> None:
    """Good clients are not closed for one another: they wait in the kernel's queue."""
    made = Running(tmp_path, imds=False)
    for each in made.server._connections:
        each._most = 8
    answers: list[bytes] = []
    with made.server:
        clients = [threading.Thread(target=lambda: answers.append(made.send(ASK))) for _ in range(200)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert [SECRET.encode() in answer for answer in answers] == [True] * 200


def test_the_oldest_silent_one_goes_for_a_new_one(tmp_path: Path) -> None:
    made = Running(tmp_path, imds=False)
    for each in made.server._connections:
        each._most = 8
    with made.server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", made.port))) for _ in range(40)]
        assert SECRET.encode() in made.send(ASK)
        silent[0].settimeout(10)
        assert silent[0].recv(1) == b""


def test_clients_that_go_away(running: Running, capfd: pytest.CaptureFixture[str]) -> None:
    for octets in (b"", b"GET", ASK[:-2], ASK):
        for _ in range(10):
            sock = socket.create_connection(("127.0.0.1", running.port))
            # Closing sends a reset, so that the server's write fails.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(octets)
            sock.close()
    assert works(running)
    assert capfd.readouterr().err == ""


def test_a_client_that_does_not_read_is_not_waited_for(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.sendall(ASK + b"x" * (LONGEST_HEAD - len(ASK)))
        assert works(running)


WORDS = st.sampled_from(
    [
        *(b"GET ", b"PUT ", b"POST ", b"/credentials", b"/latest/api/token", b"/latest/meta-data/", b" HTTP/1.1"),
        *(b"\r\n", b"\n", b"\r", b"\0", b": ", b"Host: localhost", b"Host: [::1", b"Host: ", b"Authorization: "),
        *(b"X-aws-ec2-metadata-token: ", b"X-aws-ec2-metadata-token-ttl-seconds: 60", b"Expect: 100-continue"),
        *(b"Content-Length: 99999999999999999999", b"Connection: keep-alive", b"Transfer-Encoding: chunked"),
        *(TOKEN[:-1].encode(), b"\xff\xfe", b"\xc2\xb2", b"HTTP/1.", b"=?utf-8?q?=41?=", b" folded", b"A" * 300),
    ]
)
NOISE = st.one_of(
    st.binary(max_size=400), st.lists(st.one_of(WORDS, st.binary(max_size=9)), max_size=30).map(b"".join)
)


@given(octets=NOISE, unix=st.booleans())
@settings(max_examples=300, deadline=None)
def test_noise_gets_no_credentials_and_upsets_nothing(running: Running, octets: bytes, unix: bool) -> None:
    answer = running.send(octets, unix=unix)
    assert b"made-up" not in answer
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505", b"HTTP/1.1 200"))
    if answer.startswith(b"HTTP/1.1 200"):  # a token of the metadata service
        assert b"\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n" in answer


@given(change=st.binary(min_size=1, max_size=3), where=st.integers(0, len(ASK) - 3), insert=st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_request_that_is_nearly_right(running: Running, change: bytes, where: int, insert: bool) -> None:
    octets = ASK[:where] + change + ASK[where if insert else where + len(change) :]
    answer = running.send(octets, unix=True)
    if SECRET.encode() in answer:
        assert TOKEN.encode() in octets
    else:
        assert answer == b"" or answer[:10] == b"HTTP/1.1 4" or answer[:12] == b"HTTP/1.1 505"


def test_the_end_tells_who_waits_and_lets_answers_out(tmp_path: Path) -> None:
    made = Running(tmp_path, imds=False, empty=True)
    answers: list[bytes] = []
    with made.server:
        waiting = [threading.Thread(target=lambda: answers.append(made.send(ASK, unix=True))) for _ in range(5)]
        for each in waiting:
            each.start()
        made.store.alarm.rest(5)
        time.sleep(0.2)
        before = time.monotonic()
    for each in waiting:
        each.join(30)
    assert time.monotonic() - before < 15  # a reader waits 20 s for credentials
    for answer in answers:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 503 " in head
        assert b"Retry-After: 1" in head
        assert json.loads(body)["Code"] == "CredentialsUnavailable"
    assert len(answers) == 5
    assert all(listener.fileno() == -1 for listener in made.listeners)
