"""Parses a request's head strictly (RFC 9112), and refuses requests that parsers could interpret differently."""

import re
from typing import NamedTuple

__all__ = ["LONGEST_HEAD", "RefusedError", "Request", "is_whole", "parse_request"]

LONGEST_HEAD = 16384
"""Maximum size of a request's head in bytes."""

_MOST_FIELDS = 100
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") (\S+) HTTP/(\d)\.(\d)")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_TARGET = re.compile(rb"(/[\x21-\x22\x24-\x3e\x40-\x7e]*)(\?[\x21-\x22\x24-\x7e]*)?")
# Matches a line end other than CR LF, except a final CR, whose LF may still arrive.
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")


class Request(NamedTuple):
    """A request's method, path without query, and header fields by lower-case name."""

    method: str
    path: str
    fields: dict[str, str]


class RefusedError(Exception):
    """A request that is refused, with the status, code and message of the response."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


def is_whole(data: bytes) -> bool:
    """Returns True if the request head in `data` is complete, or if it is already invalid."""
    return b"\r\n\r\n" in data or len(data) > LONGEST_HEAD or _BARE.search(data) is not None


def parse_request(data: bytes) -> Request:
    """Parses the request head at the beginning of `data`. Raises RefusedError if it is invalid or too large."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if len(head) + len(end) > LONGEST_HEAD or (not end and len(data) > LONGEST_HEAD):
        raise RefusedError(431, "RequestTooLarge", f"the request is longer than {LONGEST_HEAD} bytes")
    if not end or _BARE.search(head):
        raise RefusedError(400, "BadRequest", "invalid line end: expected CR LF")
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise RefusedError(400, "BadRequest", "invalid request line: expected METHOD PATH HTTP/1.1")
    if line[3] != b"1":
        raise RefusedError(505, "BadRequest", "only HTTP/1.0 and 1.1 are supported")
    if len(lines) > _MOST_FIELDS:
        raise RefusedError(431, "RequestTooLarge", f"the request has more than {_MOST_FIELDS} header fields")
    target = _TARGET.fullmatch(line[2])
    if target is None:
        raise RefusedError(400, "BadRequest", "the request target is not a path")
    return Request(line[1].decode("ascii"), target[1].decode("ascii"), _fields(lines))


def _fields(lines: list[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:  # refuses a folded line, a space before the colon, and control characters
            raise RefusedError(400, "BadRequest", "invalid header field")
        name = found[1].decode("ascii").lower()
        if name in fields:
            raise RefusedError(400, "BadRequest", "duplicate header field")
        fields[name] = found[2].decode("latin-1").strip(" \t")
    return fields
