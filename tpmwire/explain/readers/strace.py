"""Reads the bytes that a program exchanges with a TPM from the output of strace."""

import re
from collections.abc import Iterator

from ...errors import InputError
from .escapes import unescape
from .logs import Message
from .streams import Conversations

__all__ = ["STRACE", "read_strace"]

STRACE = re.compile(
    rb'\b(?:write|read|send|recv|sendto|recvfrom|pwrite64|pread64)\(\d+(?:<[^"]{0,400}?>)?, "'
    rb'|\b(?:writev|readv|sendmsg|recvmsg|sendmmsg|recvmmsg)\(\d+(?:<[^"]{0,400}?>)?, .*iov_base='
    rb'|\b\w+\([^"(]{0,200}<unfinished \.\.\.>\s*$|^[^"]*<\.\.\. \w+ resumed>'
)
"""A line of a call that strace prints with its bytes."""

_CALL = re.compile(
    rb'\b(p?(?:write|read|send|recv)(?:to|from|v|v2|msg|mmsg|64)?|close)\((\d+)(?:<[^"]{0,400}?>)?(?=[,)])'
)
_LITERAL = re.compile(rb'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
_BUFFER = re.compile(rb'iov_base="((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
_RESULT = re.compile(rb"\)\s*= (-?\d+)[^\"=]*$")
_PROCESS = re.compile(rb"^\s*(?:\[pid\s+(\d+)\]|(\d+)(?=\s))")
_UNFINISHED = b"<unfinished ...>"
_RESUMED = re.compile(rb'^[^"]*?<\.\.\. \w+ resumed>')

PENDING = 256
"""Maximum number of unfinished calls that are stored."""

ENOUGH = "strace -s 65536"
"""The strace option for printing complete messages."""


def read_strace(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from calls such as `write(3, "\\200\\1\\0…", 12) = 12`.

    Accepts octal and hexadecimal escapes, timestamps, process IDs, and calls that strace prints in two parts. A
    message truncated by strace is yielded incomplete. Raises InputError at the end if a message was incomplete.
    """
    unfinished: dict[bytes, bytes] = {}
    streams = Conversations()
    shortened = 0
    for number, text in enumerate(lines, 1):
        found = _PROCESS.match(text)
        process = (found[1] or found[2] or b"") if found else b""
        if (begun := text.rstrip()).endswith(_UNFINISHED):
            if len(unfinished) == PENDING:
                unfinished.pop(next(iter(unfinished)))
            unfinished[process] = begun.removesuffix(_UNFINISHED)
            continue
        resumed = _RESUMED.match(text)
        line = unfinished.pop(process, b"") + text[resumed.end() :] if resumed else text
        call = _CALL.search(line)
        if call is None:
            continue
        key = call[2]
        if call[1] == b"close":
            yield from streams.end(key)
            continue
        octets, whole = _transferred(line, call)
        outgoing = b"write" in call[1] or b"send" in call[1]
        yield from streams.add(key, outgoing, octets)
        if not whole and streams.missing(key, outgoing):
            shortened = shortened or number
            yield from streams.end(key)
    yield from streams.end()
    if shortened:
        raise InputError(f"line {shortened}: strace shortened a message; record it again with {ENOUGH}")


def _transferred(line: bytes, call: "re.Match[bytes]") -> tuple[bytes, bool]:
    """Returns (bytes that a call transferred, whether strace printed all of them)."""
    result = _RESULT.search(line)
    size = int(result[1]) if result else 1 << 32
    if size <= 0 or (b"MSG_PEEK" in line and b"MSG_PEEK" in _LITERAL.sub(b"", line)):
        return b"", True
    vectors = call[1].endswith((b"v", b"v2", b"msg"))
    parts = list(_BUFFER.finditer(line)) if vectors else [_LITERAL.search(line, call.end())]
    octets = b"".join(unescape(part[1]) for part in parts if part)
    return octets[:size], not any(part and part[2] for part in parts)
