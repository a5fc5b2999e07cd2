"""Transports against a peer that misbehaves in ways no TPM can be made to."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tpmwire.errors import TransportClosedError, TransportError, TransportTimeoutError
from tpmwire.transport import default_path, open_transport

OK = bytes.fromhex("80010000000a00000000")
COMMAND = bytes.fromhex("80010000000c0000017b0010")

Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a Unix socket server that hands its one client to a function; gives the path."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(behave: Callable[[socket.socket], None]) -> str:
        path = str(tmp_path / "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        opened.append(listener)

        def run() -> None:
            client, _ = listener.accept()
            with client:
                behave(client)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join(30)
    for each in opened:
        each.close()


def exchanged(path: str, timeout: float = 5.0) -> bytes:
    transport = open_transport(path, timeout)
    try:
        return transport.transceive(COMMAND)
    finally:
        transport.close()


def answering(*pieces: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def behave(client: socket.socket) -> None:
        client.recv(100)
        for piece in pieces:
            client.sendall(piece)
            time.sleep(pause)

    return behave


def test_an_answer_in_pieces_is_put_together(serve: Serve) -> None:
    answer = bytes.fromhex("8001000000140000000000080102030405060708")
    assert exchanged(serve(answering(*(bytes([b]) for b in answer), pause=0.001))) == answer


@pytest.mark.parametrize(
    ("octets", "error", "says"),
    [
        (b"", TransportClosedError, "without a response"),
        (OK[:6], TransportClosedError, "after 6 bytes"),
        (OK[:9], TransportClosedError, "after 9 bytes"),
        (
            bytes.fromhex("80010000000900000000"),
            TransportError,
            "invalid response size: expected 10 to 16384 bytes, got 9",
        ),
        (bytes.fromhex("8001ffffffff00000000"), TransportError, "not a TPM response"),
        (OK + b"\0", TransportError, "expected 10 bytes, got 11"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", TransportError, "not a TPM response"),
    ],
)
def test_what_is_no_answer_is_an_error(
    serve: Serve, octets: bytes, error: type[TransportError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        exchanged(serve(answering(octets)))
    assert "\n" not in str(caught.value)


def test_no_answer_ends_at_the_deadline(serve: Serve) -> None:
    done = threading.Event()

    def silent(client: socket.socket) -> None:
        client.recv(100)
        done.wait(60)

    path = serve(silent)
    started = time.monotonic()
    with pytest.raises(TransportTimeoutError, match="did not respond in time"):
        exchanged(path, 0.2)
    assert 0.15 < time.monotonic() - started < 30
    done.set()


def test_a_trickle_ends_at_the_deadline(serve: Serve) -> None:
    def trickle(client: socket.socket) -> None:
        client.recv(100)
        for octet in OK:
            try:
                client.sendall(bytes([octet]))
            except OSError:
                return
            time.sleep(0.1)

    with pytest.raises(TransportTimeoutError):
        exchanged(serve(trickle), 0.3)


def test_after_a_timeout_the_next_command_is_refused_until_the_answer_came(serve: Serve) -> None:
    late = threading.Event()

    def behave(client: socket.socket) -> None:
        client.recv(100)
        late.wait(5)
        client.sendall(OK)

    transport = open_transport(serve(behave), 0.1)
    try:
        with pytest.raises(TransportTimeoutError):
            transport.transceive(COMMAND)
        with pytest.raises(TransportError, match="still busy"):
            transport.send(COMMAND)
        late.set()
        assert transport.resume(5) == OK
        assert transport.resume(0) == OK
    finally:
        transport.close()


def test_counts(serve: Serve) -> None:
    transport = open_transport(serve(answering(OK)), 5)
    transport.transceive(COMMAND)
    transport.close()
    transport.close()
    assert (transport.commands, transport.sent, transport.received) == (1, len(COMMAND), len(OK))
    with pytest.raises(TransportClosedError):
        transport.send(COMMAND)


def framed(answer: bytes, size: int | None = None, end: bytes = bytes(4)) -> bytes:
    return (len(answer) if size is None else size).to_bytes(4, "big") + answer + end


def test_mssim_framing() -> None:
    """The frames of the reference simulator: what goes out, octet for octet, and what is accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        seen: list[bytes] = []

        def run() -> None:
            for answer in (framed(OK), framed(OK, size=11), framed(OK, end=b"\0\0\0\1")):
                client, _ = listener.accept()
                with client:
                    seen.append(client.recv(100))
                    client.sendall(answer)
                    seen.append(client.recv(100))

        thread = threading.Thread(target=run)
        thread.start()
        assert exchanged(f"mssim:host=127.0.0.1,port={port}") == OK
        with pytest.raises(TransportError, match="is this an mssim server"):
            exchanged(f"mssim:host=127.0.0.1,port={port}")
        with pytest.raises(TransportError, match="four zero bytes"):
            exchanged(f"mssim:host=127.0.0.1,port={port}")
        thread.join(30)
    assert seen[0] == bytes.fromhex("00000008 00 0000000c") + COMMAND
    assert seen[1] == bytes.fromhex("00000014")  # TPM_SESSION_END


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/dev/no-such-tpm", "/dev/no-such-tpm does not exist"),
        ("device:/dev/no-such-tpm", "does not exist"),
        ("nonsense", "is not a valid TPM address"),
        ("device:", "'device:' is not a valid TPM address"),
        ("swtpm:port=0", "is not a valid port"),
        ("swtpm:port=70000", "is not a valid port"),
        ("swtpm:prot=1", "not host=, port= or path="),
        ("swtpm:path=/x,port=1", "cannot be combined with host= or port="),
        ("mssim:path=/x", "cannot be combined with host= or port="),
        ("swtpm:path=/no/such/socket", "No such file"),
        ("127.0.0.1:1", "connection refused"),
    ],
)
def test_paths_that_lead_nowhere(path: str, says: str) -> None:
    with pytest.raises(TransportError, match=says):
        open_transport(path, 1)


def test_a_file_is_no_tpm(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(TransportError, match="is not a device"):
        open_transport(str(tmp_path / "f"), 1)


def test_a_stale_socket_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    with pytest.raises(TransportError, match="connection refused"):
        open_transport(path, 1)


def test_an_ipv6_address_is_taken_apart() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        transport = open_transport(f"[::1]:{listener.getsockname()[1]}", 1)
        transport.close()


def test_the_default_is_the_resource_manager_where_it_exists() -> None:
    assert default_path() == ("/dev/tpmrm0" if os.path.exists("/dev/tpmrm0") else "/dev/tpm0")


def test_command_too_large_for_the_driver(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux refuses a command above its buffer's size (E2BIG); the transport can then send other commands."""
    write = os.write

    def refuse(descriptor: int, data: memoryview) -> int:
        if len(data) > 4096:
            raise OSError(errno.E2BIG, "Argument list too long")
        return write(descriptor, data)

    transport = open_transport(serve(answering(OK)), 5.0)
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(TransportError, match="does not support commands of 5000 bytes"):
        transport.transceive(bytes(5000))
    assert transport.transceive(COMMAND) == OK
    transport.close()
