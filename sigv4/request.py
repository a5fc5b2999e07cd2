"""An HTTP request as a value: what the signer signs is what the HTTP client sends."""

import re
from collections.abc import Iterable
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

from .errors import RequestError

__all__ = ["FileBody", "Request", "host_header", "split_url"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
# A line end followed by a blank is folding (RFC 9110 §5.5: read as one space); any other would start a header.
_HEADER_INJECTION = re.compile(r"\x00|\r(?!\n)|\n(?![ \t])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BLOCK = 1 << 18  # octets
_DEFAULT_PORTS = {"http": 80, "https": 443}


class FileBody:
    """A body that stays in its file: what `file` has from where it stands to its end, read as it is needed.

    `file` can be sought in; `close()` closes it. len() is the number of octets.
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
        return f"<FileBody of {self._size} octets>"

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def rewind(self) -> None:
        """Goes back to its beginning."""
        self._file.seek(self._start)
        self._left = self._size

    def read(self, size: int = -1) -> bytes:
        """Up to `size` octets more, none at the end. Raises RequestError where the file has become shorter."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        if wanted and not data:
            raise RequestError("the file became shorter while it was read; try again when nobody writes to it")
        self._left -= len(data)
        return data

    def sha256(self) -> str:
        """SHA-256 of all of it, in hex; it is then at its beginning."""
        if self._digest is None:
            from hashlib import sha256

            digest = sha256()
            self.rewind()
            while block := self.read(_BLOCK):
                digest.update(block)
            self.rewind()
            self._digest = digest.hexdigest()
        return self._digest


class Request:
    """One HTTP request. Immutable; `headers` are pairs in order, names in any case, repeats allowed.

    `url` is absolute (http or https), its path and query percent-encoded as they go over the wire.
    Raises RequestError for what HTTP cannot carry (RFC 9110 §5, §9.1).
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
        if not _TOKEN.fullmatch(method):
            raise RequestError(f"{method!r} is not an HTTP method; use GET, POST or the like")
        for name, value in pairs:
            if not _TOKEN.fullmatch(name):
                raise RequestError(f"{name!r} is not an HTTP header name; use letters, digits and hyphens")
            if _HEADER_INJECTION.search(value):
                raise RequestError(f"the value of header {name} holds a line end or NUL; remove it")
        split_url(url)
        set_field = object.__setattr__
        set_field(self, "method", method)
        set_field(self, "url", url)
        set_field(self, "headers", pairs)
        set_field(self, "body", body)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Request is immutable; make a new one with another {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Request is immutable; {name} stays")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        mine = (self.method, self.url, self.headers, self.body)
        return mine == (other.method, other.url, other.headers, other.body)

    def __hash__(self) -> int:
        return hash((self.method, self.url, self.headers, self.body))

    def __repr__(self) -> str:
        # Header values, query and body may hold a session token or an MFA code.
        names = ", ".join(name for name, _ in self.headers)
        return f"<Request {self.method} {self.url.partition('?')[0]} headers: {names or 'none'}>"

    def header(self, name: str) -> str | None:
        """The first value of header `name`, in any case; None if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def replace_headers(self, *pairs: tuple[str, str], drop: Iterable[str] = ()) -> "Request":
        """The same request with `pairs` at the end in place of all headers of those names and of `drop`."""
        gone = {name.lower() for name, _ in pairs} | {name.lower() for name in drop}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in gone)
        return Request(self.method, self.url, kept + pairs, self.body)


def split_url(url: str) -> SplitResult:
    """The parts of an absolute http or https URL; RequestError if it is none."""
    if _CONTROL.search(url):
        raise RequestError("the URL holds a control character; percent-encode or remove it")
    try:
        url.encode("utf-8")
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError(f"not a URL ({error}); give one such as https://sts.amazonaws.com") from error
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise RequestError("the URL must start with https://HOST or http://HOST")
    return parts


def host_header(url: str) -> str:
    """The Host header for `url`: host in lower case, the port only where it is not the scheme's own.

    Source: RFC 9110 §7.2, and botocore, whose signatures cover exactly this text.
    """
    parts = split_url(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or parts.port == _DEFAULT_PORTS[parts.scheme]:
        return host
    return f"{host}:{parts.port}"
