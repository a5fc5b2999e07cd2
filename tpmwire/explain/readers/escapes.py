"""Escape sequences of C strings, as strace, bpftrace and programs in C print bytes."""

import re

__all__ = ["unescape"]

_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a", b"b": b"\b", b"e": b"\x1b"}


def unescape(text: bytes) -> bytes:
    """Returns the bytes of a C string's source text, with hexadecimal, octal and named escapes decoded."""
    return _ESCAPE.sub(_octet, text)


def _octet(found: "re.Match[bytes]") -> bytes:
    if found[1]:
        return bytes((int(found[1], 16),))
    if found[2]:
        return bytes((int(found[2], 8) & 0xFF,))
    return _NAMED.get(found[3], found[3])
