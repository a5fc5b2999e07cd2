"""Decodes dumps of xxd, hexdump -C and od, and lists of bytes such as `0x00, 0x56`."""

import re
from collections.abc import Iterator

__all__ = ["join_dumps"]

_XXD = re.compile(rb"\s*([0-9a-fA-F]{4,8}): ((?:[0-9a-fA-F]+ )*[0-9a-fA-F]+)(?:  .*)?")
_OTHER = re.compile(rb"\s*([0-9a-fA-F]{6,8}) {1,3}((?:[0-9a-fA-F]{2} {1,2})*[0-9a-fA-F]{2})(?:\s*| +[|>].*[|<])")
_END = re.compile(rb"\s*[0-9a-fA-F]{6,8}\s*")
_NUMBER = re.compile(rb"(?:0x|\\x)([0-9a-fA-F]{2})(?![0-9a-fA-F])")
ROW, LONGEST_REPEAT = 16, 1 << 20
"""Maximum number of bytes in a row, and in the repeated rows that a dump omits."""


def join_dumps(text: bytes) -> Iterator[bytes]:
    """Yields the possible contents of a hex dump; nothing if `text` is not a dump."""
    numbers = _NUMBER.findall(text)
    if len(numbers) > 8:
        yield bytes.fromhex(b"".join(numbers).decode())
    for base in (16, 8):
        if joined := _join_rows(text, base):
            yield joined


def _join_rows(text: bytes, base: int) -> bytes:
    """Returns the content of a dump whose offsets have base `base`, or b"" if the offsets do not match."""
    found, repeated = bytearray(), False
    for line in text.splitlines():
        row = _XXD.fullmatch(line) or _OTHER.fullmatch(line)
        if row is None:
            repeated |= line == b"*"  # stands for rows that are the same as the one before
            if line.strip() not in (b"", b"*") and not _END.fullmatch(line):
                return b""
            continue
        try:
            offset, octets = int(row[1], base), bytes.fromhex(row[2].decode())
        except ValueError:
            return b""
        if repeated and len(found) < offset <= len(found) + LONGEST_REPEAT:
            found += found[-ROW:] * ((offset - len(found)) // ROW)
        if offset != len(found):
            return b""
        repeated = False
        found += octets
    return bytes(found)
