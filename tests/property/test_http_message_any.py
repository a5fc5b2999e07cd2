"""Responses in any form are read as http.client reads them; damaged ones are refused, or read as it does."""

import io
from http.client import HTTPResponse
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from sigv4.http_message import HttpMessageError
from tests.support.pieces import read_response

TOKEN = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=12)
VALUE = st.text([chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x100))], max_size=30)
# The headers that say how long the body is are those of `framed`.
FRAMING = {"content-length", "transfer-encoding"}
HEADERS = st.lists(st.tuples(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE), max_size=5)
STATUS = st.integers(200, 999)
ENDS = st.sampled_from([b"\r\n", b"\n"])


class Reading(NamedTuple):
    """A response, with blanks in headers as one space: http.client keeps folding and trailing blanks."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def by_us(data: bytes, method: str, sizes: list[int]) -> Reading:
    """Reads with our reader, from a peer that sends pieces of these sizes, in blocks of 7 bytes."""
    reader, body = read_response(data, method, sizes, block=7)
    return Reading(reader.status, [(name, " ".join(value.split())) for name, value in reader.headers], body)


def by_http_client(data: bytes, method: str) -> Reading:
    """Reads with http.client."""

    class Connection:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(data)

    connection: Any = Connection()
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = [(name, " ".join(value.split())) for name, value in response.getheaders()]
    body = response.read()
    assert not response.length, "the connection ended within the body"  # read() does not tell that for HEAD
    return Reading(response.status, headers, body)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks of any sizes, with extensions and trailers."""
    data = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b";a", b' ; a="b"', b";a=b;c"]))
        data += draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return data + b"0\r\n" + draw(st.sampled_from([b"", b"T: u\r\n", b"T: u\r\nV: w\r\n"])) + b"\r\n"


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, str, int, bytes]:
    """A response, the method that it is for, its status and its body."""
    status, headers, body, end = draw(STATUS), draw(HEADERS), draw(st.binary(max_size=40)), draw(ENDS)
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    empty = method == "HEAD" or status in (204, 304)  # http.client would read chunks there, too
    form = draw(st.sampled_from(["length", "close"] if empty else ["length", "chunks", "close"]))
    own = {
        "length": [("Content-Length", str(len(body)))],
        "chunks": [("Transfer-Encoding", draw(st.sampled_from(["chunked", "Chunked"])))],
        "close": [],
    }[form]
    sent = b"" if empty else draw(chunked(body)) if form == "chunks" else body
    fold = draw(st.sampled_from([" ", end.decode() + " ", end.decode() + "\t "]))
    lines = [f"HTTP/1.1 {status}{draw(st.sampled_from(['', ' ', ' OK', ' so so']))}"]
    lines += [f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}{fold}{value}" for name, value in headers]
    at = draw(st.integers(1, len(lines)))
    lines[at:at] = [f"{name}: {value}" for name, value in own]
    before = draw(
        st.lists(st.sampled_from([b"HTTP/1.1 100 Continue", b"HTTP/1.1 100 Continue\r\nA: b"]), max_size=2)
    )
    head = b"".join(one + b"\r\n\r\n" for one in before)
    head += end.join([line.encode("latin-1") for line in lines] + [b"", b""])
    return head + sent, method, status, b"" if empty else body


SIZES = st.lists(st.integers(1, 200), min_size=1, max_size=10)


@given(responses(), SIZES)
def test_a_response_is_read_as_by_http_client(made: tuple[bytes, str, int, bytes], sizes: list[int]) -> None:
    data, method, status, body = made
    ours = by_us(data, method, sizes)
    assert (ours.status, ours.body) == (status, body)
    assert ours == by_http_client(data, method)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, str]:
    """A response with some bytes changed, removed, inserted or repeated."""
    data, method, _, _ = draw(responses())
    for _ in range(draw(st.integers(1, 3))):
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 6))
        new = draw(
            st.sampled_from([b"", b"\r", b"\n", b" ", b":", b"\0", b"0", b"-1", b"+", b"_", b"\r\n\r\n", b";"])
        )
        data = data[:at] + new + data[at + (size if draw(st.booleans()) else 0) :]
    return data, method


@given(damaged(), SIZES)
@example((b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nabc", "GET"), [200])
@example((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", "GET"), [200])
@example((b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 1\r\n\r\nabc", "GET"), [200])
@example((b"HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 1\r\n\r\nabc", "GET"), [200])
def test_a_damaged_response_is_refused_or_read_as_by_http_client(
    made: tuple[bytes, str], sizes: list[int]
) -> None:
    data, method = made
    try:
        ours = by_us(data, method, sizes)
    except HttpMessageError:
        return
    assert ours == by_http_client(data, method)


@given(responses(), SIZES, st.data())
def test_a_response_that_is_cut_is_refused_unless_only_the_close_ends_it(
    made: tuple[bytes, str, int, bytes], sizes: list[int], data: st.DataObject
) -> None:
    whole, method, status, body = made
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        ours = by_us(cut, method, sizes)
    except HttpMessageError:
        return
    assert ours.status == status
    lengths = FRAMING & {name.lower() for name, _ in ours.headers}
    # The last chunk ends the body; what is missing of trailers is nobody's.
    assert ours.body == body if lengths else body.startswith(ours.body)
