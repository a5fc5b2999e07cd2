"""Requests and responses of sigv4.http_message: what is written, which responses are refused, and limits."""

import io
from typing import Any

import pytest

from sigv4.http_message import (
    MAX_HEAD,
    HeadTooLargeError,
    HttpMessageError,
    InvalidMessageError,
    NoMessageError,
    TruncatedMessageError,
    write_request,
)
from sigv4.request import FileBody
from tests.support.pieces import read_response

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Sink:
    """Notes each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.writes.append(data)


def writes(*words: Any) -> list[bytes]:
    sink: Any = Sink()
    write_request(sink, *words)
    written: list[bytes] = sink.writes
    return written


def test_head_and_body_are_one_write() -> None:
    headers = [("Host", "h"), ("X", "a\r\n\t b"), ("Y", "ü")]
    assert writes("POST", "/p?q", headers, b"body") == [
        b"POST /p?q HTTP/1.1\r\nHost: h\r\nX: a b\r\nY: \xc3\xbc\r\n\r\nbody"
    ]
    assert writes("GET", "/", [], None) == [b"GET / HTTP/1.1\r\n\r\n"]


def test_a_body_in_a_file_is_sent_in_blocks() -> None:
    data = bytes(range(256)) * 1000
    head, *blocks = writes("PUT", "/", [], FileBody(io.BytesIO(data)))
    assert head == b"PUT / HTTP/1.1\r\n\r\n"
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= 1 << 16


READ = {
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nab", b"a"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nab", b"ab"),
    "line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a"),
    "a length twice": (OK + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\nab", b"a"),
    "a list of one length": (OK + b"Content-Length: 1, 1\r\n\r\nab", b"a"),
    "chunks and a length": (
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"a",
    ),
    "no end of the trailers": (CHUNKED + b"1\r\na\r\n0\r\nT: u", b"a"),
    "100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\na", b"a"),
    "103 Early Hints": (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"\r\na", b"a"),
    "no body by 204": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", READ)
def test_a_response_with(name: str) -> None:
    data, body = READ[name]
    for sizes in ([1], [1 << 16]):
        assert read_response(data, sizes=sizes)[1] == body


def test_headers() -> None:
    reader, _ = read_response(OK + b"A:b\r\na:  c d\t\r\nB:\r\nC: e\r\n\t f\r\n  \r\nD: \xfc\r\n\r\n")
    assert reader.headers == (("A", "b"), ("a", "c d"), ("B", ""), ("C", "e f"), ("D", "ü"))


INVALID = {
    "invalid status line": [
        *(b"SSH-2.0\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"HTTP/1.1 2000\r\n\r\n", b"HTTP/1.1"),
        *(b"HTTP/1.1 2_0 OK\r\n\r\n", b"HTTP/1.1  200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", b"\r\n" + OK),
        *(b"HTTP/1.1 099 OK\r\n\r\n", b"HTTP/1.1 +20 OK\r\n\r\n", b"HTTP/1.x 200 OK\r\n\r\n"),
    ],
    "invalid header": [OK + b"nothing\r\n\r\n", OK + b"A : b\r\n\r\n", OK + b": b\r\n\r\n", OK + b" A: b\r\n\r\n"],
    "control character in a header": [OK + b"A: b\rC: d\r\n\r\n", OK + b"A: \0\r\n\r\n"],
    "incomplete header section": [OK, OK + b"A: b\r\n", OK + b"A: b"],
    "unsupported Transfer-Encoding": [
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: \r\n\r\n",
    ],
    "invalid Content-Length": [
        OK + b"Content-Length: " + value + b"\r\n\r\n12345"
        for value in (
            b"",
            b"-1",
            b"+1",
            b"1_0",
            b"0x1",
            b"1, 2",
            b"1,",
            b"1.0",
            "²".encode("latin-1"),
            b"9" * 5000,
        )
    ],
    "invalid chunk size": [
        CHUNKED + size + b"\r\na\r\n0\r\n\r\n" for size in (b"", b"-1", b"+1", b"0x1", b"1_", b"g", b"1" * 5000)
    ],
    "invalid end of a chunk": [CHUNKED + b"1\r\nab\r\n0\r\n\r\n", CHUNKED + b"1\r\na\n0\r\n\r\n"],
    "unexpected status 101": [b"HTTP/1.1 101 Switching Protocols\r\n\r\n"],
}
CUT = [OK + b"Content-Length: 2\r\n\r\na", CHUNKED, CHUNKED + b"1", CHUNKED + b"2\r\na", CHUNKED + b"1\r\na\r\n"]
CUT += [CHUNKED + b"1\r\na", CHUNKED + b"1\r\na\r"]


@pytest.mark.parametrize("reason", INVALID)
def test_an_invalid_response_is_refused(reason: str) -> None:
    for data in INVALID[reason]:
        with pytest.raises(InvalidMessageError, match=reason):
            read_response(data)


@pytest.mark.parametrize("data", CUT)
def test_a_truncated_body_is_refused(data: bytes) -> None:
    with pytest.raises(TruncatedMessageError):
        read_response(data)


def test_a_connection_that_ends_at_once() -> None:
    with pytest.raises(NoMessageError):
        read_response(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 " + b"x" * MAX_HEAD,
        OK + b"A: b\r\n" * 101 + b"\r\n",
        OK + b"A: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        OK + b"A: b\r\n" + b" c\r\n" * MAX_HEAD + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_HEAD,
        CHUNKED + b"0\r\n" + b"T: u\r\n" * MAX_HEAD,
        CHUNKED + b"1;" + b"x" * MAX_HEAD,
    ],
)
def test_heads_and_trailers_have_a_limit(data: bytes) -> None:
    with pytest.raises(HeadTooLargeError):
        read_response(data)


def test_the_largest_head_is_read() -> None:
    lines = [b"A: " + b"x" * 100] * 100
    size = len(OK) + sum(len(line) + 2 for line in lines) + 2
    lines[0] += b"x" * (MAX_HEAD - size)
    data = OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    assert len(data) == MAX_HEAD
    assert len(read_response(data + b"body")[0].headers) == 100
    with pytest.raises(HttpMessageError):
        read_response(data.replace(b"A", b"AA", 1))
