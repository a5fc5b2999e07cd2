"""HTTP/1.1 messages on one connection: writes a request, then reads its response (RFC 9112).

http.client would import the package `email` to read headers, which takes longer than a TLS handshake. This reader
is also stricter: it refuses a response whose length two readers could understand differently.
"""

from collections.abc import Iterable

from .request import FileBody
from .sockets import BoundedSocket

__all__ = [
    "MAX_HEAD",
    "HeadTooLargeError",
    "HttpMessageError",
    "InvalidMessageError",
    "NoMessageError",
    "ResponseReader",
    "TruncatedMessageError",
    "write_request",
]

MAX_HEAD = 1 << 16  # bytes of status line and header section, or of the trailers
_MAX_FIELDS = 100  # headers of a response, as in http.client
_BLOCK = 1 << 16  # bytes
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # RFC 9110 §5.6.2
_HEX = b"0123456789ABCDEFabcdef"
_BLANK = b" \t"
_NO_BODY = (204, 304)  # No Content, Not Modified
_SWITCHING_PROTOCOLS = 101


class HttpMessageError(Exception):
    """The response is missing, incomplete or invalid."""


class NoMessageError(HttpMessageError):
    """The peer closed the connection before the first byte of a response."""


class TruncatedMessageError(HttpMessageError):
    """The peer closed the connection within the body."""


class HeadTooLargeError(HttpMessageError):
    """The header section or the trailers exceed the limit."""


class InvalidMessageError(HttpMessageError):
    """The response is not valid HTTP. The text names the invalid part."""


def write_request(
    sock: BoundedSocket,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes | FileBody | None,
) -> None:
    """Sends an HTTP request. Head and body are sent in one write, unless the body is in a file.

    The arguments must be valid in HTTP; they are not checked here.
    """
    lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
    lines += [name.encode("ascii") + b": " + _unfold(value) for name, value in headers]
    head = b"\r\n".join([*lines, b"", b""])
    if not isinstance(body, FileBody):
        sock.sendall(head + (body or b""))
        return
    sock.sendall(head)
    while block := body.read(_BLOCK):
        sock.sendall(block)


def _unfold(value: str) -> bytes:
    """Returns a header's value in UTF-8; in a folded value, each fold becomes one space (RFC 9110 §5.5)."""
    data = value.encode("utf-8")
    return b" ".join(data.split()) if b"\n" in data else data


class ResponseReader:
    """Reads the response to a request with `method`: `read_head`, then `read` until it returns no more bytes.

    After `read_head`, `status` and `headers` (pairs of name and value) describe the response. The methods
    raise subclasses of HttpMessageError, OSError, and TooMuchData.
    """

    def __init__(self, sock: BoundedSocket, method: str) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self._file = sock.makefile()
        self._method = method
        self._budget = MAX_HEAD
        self._chunked = False
        self._left: int | None = None  # bytes left in the body or chunk; None if the body ends with the connection

    def read_head(self) -> None:
        """Reads status line and headers. Skips informational responses, such as 100 and 103 (RFC 9110 §15.2)."""
        while self.status < 200:
            self.status = self._read_status()
            self.headers = tuple(self._read_fields())
            if self.status == _SWITCHING_PROTOCOLS:
                raise InvalidMessageError("unexpected status 101")
        self._chunked, self._left = self._read_framing()

    def read(self, size: int) -> bytes:
        """Returns up to `size` more bytes of the body as soon as any arrive; b"" at the end of the body."""
        if self._left is None:
            return self._file.read1(size)
        if self._chunked and self._left == 0:
            self._left = self._start_chunk()
        if self._left == 0:
            return b""
        data = self._file.read1(min(size, self._left))
        if not data:
            raise TruncatedMessageError
        self._left -= len(data)
        if self._chunked and self._left == 0:
            self._end_chunk()
        return data

    def _read_line(self) -> bytes:
        """Returns the next line with its line end, or an incomplete line if the connection ends."""
        line = self._file.readline(self._budget + 1)
        self._budget -= len(line)
        if self._budget < 0:
            raise HeadTooLargeError
        return line

    def _read_status(self) -> int:
        line = self._read_line()
        if not line:
            raise NoMessageError
        version, _, rest = _strip_line_end(line).partition(b" ")
        code, _, _reason = rest.partition(b" ")
        of_http_1 = len(version) == 8 and version.startswith(b"HTTP/1.") and version[7:].isdigit()
        if not (of_http_1 and len(code) == 3 and code.isdigit() and code >= b"100"):
            raise InvalidMessageError("invalid status line")
        return int(code)

    def _read_fields(self) -> list[tuple[str, str]]:
        fields: list[tuple[str, str]] = []
        while line := self._read_line():
            if not line.endswith(b"\n"):
                break
            text = _strip_line_end(line)
            if not text:
                return fields
            if b"\r" in text or b"\0" in text:
                raise InvalidMessageError("control character in a header")
            name, colon, value = text.partition(b":")
            content = value.strip(_BLANK).decode("latin-1")
            if text[0] in _BLANK and fields:  # a folded line, which continues the value as after a space
                before, first = fields.pop()
                fields.append((before, f"{first} {text.strip(_BLANK).decode('latin-1')}".strip(" ")))
            elif colon and name and not name.translate(None, _TOKEN):
                fields.append((name.decode("ascii"), content))
            else:
                raise InvalidMessageError("invalid header")
            if len(fields) > _MAX_FIELDS:
                raise HeadTooLargeError
        raise InvalidMessageError("incomplete header section")

    def _read_framing(self) -> tuple[bool, int | None]:
        """Returns (whether the body is chunked, its length if known) from the headers (RFC 9112 §6.3)."""
        if self._method == "HEAD" or self.status in _NO_BODY:
            return False, 0
        if codings := self._values("transfer-encoding"):
            if codings != ["chunked"]:
                got = ", ".join(codings)
                raise InvalidMessageError(f"unsupported Transfer-Encoding {got!r}; expected chunked")
            return True, 0
        lengths = set(self._values("content-length"))
        if not lengths:
            return False, None
        text = lengths.pop()
        # The number of digits is limited, since Python refuses very long numbers, and no body has 10^18 bytes.
        if lengths or not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise InvalidMessageError("invalid Content-Length")
        return False, int(text)

    def _values(self, name: str) -> list[str]:
        """Returns the elements of a header that is a list (RFC 9110 §5.6.1), in lower case."""
        values = [value for key, value in self.headers if key.lower() == name]
        return [element.strip(" \t").lower() for value in values for element in value.split(",")]

    def _start_chunk(self) -> int:
        """Reads the start of the next chunk and returns the chunk's size in bytes (RFC 9112 §7.1).

        After the last chunk, whose size is 0, also reads the trailers.
        """
        self._budget = MAX_HEAD
        line = self._read_line()
        if not line.endswith(b"\n"):
            raise TruncatedMessageError
        size = _strip_line_end(line).partition(b";")[0].strip(_BLANK)
        if not size or size.translate(None, _HEX) or len(size) > 15:
            raise InvalidMessageError("invalid chunk size")
        if count := int(size, 16):
            return count
        self._chunked = False
        while _strip_line_end(self._read_line()):
            pass
        return 0

    def _end_chunk(self) -> None:
        end = self._file.readline(2)
        if end in (b"", b"\r"):
            raise TruncatedMessageError
        if end != b"\r\n":
            raise InvalidMessageError("invalid end of a chunk")


def _strip_line_end(line: bytes) -> bytes:
    """Returns a line without CRLF or LF (RFC 9112 §2.2)."""
    return line.removesuffix(b"\n").removesuffix(b"\r")
