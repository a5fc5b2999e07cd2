"""HTTP requests: immutable values that are signed and then sent unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from .characters import DIGITS, LETTERS, has_only
from .errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["FileBody", "Request", "host_header", "split_url"]

_TOKEN = LETTERS + DIGITS + "!#$%&'*+.^_`|~-"  # RFC 9110 §5.6.2
# A line end followed by a space is a fold (RFC 9110 §5.5), which counts as one space. Any other line end would
# start a new header.
_HEADER_INJECTION = r"\x00|\r(?!\n)|\n(?![ \t])"
_CONTROL = r"[\x00-\x1f\x7f]"
_BLOCK = 1 << 18  # bytes
_DEFAULT_PORTS = {"http": 80, "https": 443}


class FileBody:
    """A request body in a file: the bytes from the current position to the end, read in blocks when they are sent.

    `file` must be seekable; `close()` closes it. len() is the number of bytes.
    """

    __slots__ = ("_digest", "_file", "_left", "_size", "_start")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self._size = file.seek(0, 2) - self._start
        self._digest: str | None = None
        self.rewind()

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"<FileBody of {self._size} bytes>"

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def rewind(self) -> None:
        """Seeks to the beginning of the body."""
        self._file.seek(self._start)
        self._left = self._size

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` more bytes of the body; b"" at its end.

        Raises RequestError if the file was truncated while it was read.
        """
        count = self._left if size < 0 else min(size, self._left)
        data = self._file.read(count)
        if count and not data:
            raise RequestError("the file was truncated while it was read; try again when no program writes to it")
        self._left -= len(data)
        return data

    def sha256(self) -> str:
        """Returns the SHA-256 of the whole body in hex, and seeks to the beginning of the body."""
        if self._digest is None:
            digest = sha256()
            self.rewind()
            while block := self.read(_BLOCK):
                digest.update(block)
            self.rewind()
            self._digest = digest.hexdigest()
        return self._digest


class Request:
    """An immutable HTTP request. `headers` are pairs of name and value, in order.

    Header names can have any case, and can be repeated. `url` is absolute (http or https), with path and query
    percent-encoded as they are sent. Raises RequestError for values that HTTP does not allow (RFC 9110 §5, §9.1).
    """

    __slots__ = ("body", "headers", "method", "url")

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | FileBody | None

    def __init__(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | FileBody | None = None,
    ) -> None:
        pairs = tuple((str(name), str(value)) for name, value in headers)
        if not has_only(method, _TOKEN):
            raise RequestError(f"{method!r} is not a valid HTTP method; use e.g. GET or POST")
        for name, value in pairs:
            if not has_only(name, _TOKEN):
                raise RequestError(f"{name!r} is not a valid HTTP header name; use letters, digits and hyphens")
            if not value.isprintable() and re.search(_HEADER_INJECTION, value):
                raise RequestError(f"the value of header {name} contains a line end or NUL; remove it")
        split_url(url)
        set_field = object.__setattr__
        set_field(self, "method", method)
        set_field(self, "url", url)
        set_field(self, "headers", pairs)
        set_field(self, "body", body)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Request is immutable; create a new Request with the new {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Request is immutable; {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        mine = (self.method, self.url, self.headers, self.body)
        return mine == (other.method, other.url, other.headers, other.body)

    def __hash__(self) -> int:
        return hash((self.method, self.url, self.headers, self.body))

    def __repr__(self) -> str:
        # Header values, query and body may contain a session token or an MFA code.
        names = ", ".join(name for name, _ in self.headers)
        return f"<Request {self.method} {self.url.partition('?')[0]} headers: {names or 'none'}>"

    def header(self, name: str) -> str | None:
        """Returns the first value of the header `name` (case-insensitive); None if the header is missing."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), None)

    def replace_headers(self, *pairs: tuple[str, str], drop: Iterable[str] = ()) -> Request:
        """Returns a copy with `pairs` as the last headers.

        Other headers with the names of `pairs` or of `drop` are removed.
        """
        dropped = {name.lower() for name, _ in pairs} | {name.lower() for name in drop}
        others = tuple(pair for pair in self.headers if pair[0].lower() not in dropped)
        return Request(self.method, self.url, others + pairs, self.body)


def split_url(url: str) -> SplitResult:
    """Returns the parts of an absolute http or https URL. Raises RequestError for any other URL."""
    if not url.isprintable() and re.search(_CONTROL, url):
        raise RequestError("the URL contains a control character; percent-encode or remove it")
    try:
        url.encode("utf-8")
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError(f"invalid URL ({error}); use e.g. https://sts.amazonaws.com") from error
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise RequestError("the URL must start with https://HOST or http://HOST")
    return parts


def host_header(url: str) -> str:
    """Returns the Host header for `url`: the host in lower case, and the port unless it is the default.

    Source: RFC 9110 §7.2, and botocore, whose signatures cover exactly this text.
    """
    parts = split_url(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or parts.port == _DEFAULT_PORTS[parts.scheme]:
        return host
    return f"{host}:{parts.port}"
