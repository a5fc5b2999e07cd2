"""Reads TPM messages from buffers printed by Linux kernel probes: bpftrace, ftrace, trace-cmd and perf."""

import re
from collections.abc import Iterator

from ...errors import InputError
from .escapes import unescape
from .headers import begins_message, is_command
from .logs import Message
from .streams import Assembler

__all__ = ["BPFTRACE", "KERNEL_TRACE", "read_bpftrace", "read_kernel_trace"]

BPFTRACE = re.compile(rb'^(?!.*["\'])(?:.*[\s=:>(\[])?(?:\\x80\\x0[12]\\x00|\\x00\\xc4\\x00)')
r"""A line with a message as bpftrace's printf("%r") prints it: \x80\x01\x00\x00… without quotes."""

KERNEL_TRACE = re.compile(
    rb"\{0x(?:80,0x0?[12],0x0?0,|0?0,0xc4,)|\((?:80:0[12]:00:|00:c4:00:)|\bdata=(?:80 0[12] 00 |00 c4 00 )"
    rb"|ARRAY\[(?:80, 0[12], 00, |00, c4, )"
)
"""A line with a message in an array of a probe (x8[32]), or in the buffer of a system call's tracepoint."""

_ARRAY = re.compile(rb"\{((?:0x[0-9a-f]{1,2},)*0x[0-9a-f]{1,2})\}")
_HEX = re.compile(rb"(?:\(|\bdata=|ARRAY\[)((?:[0-9a-f]{2}(?:[: ]|, )){9,}[0-9a-f]{2})\b")


def read_bpftrace(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from lines that end with a buffer in bpftrace's format `%r`.

    A message may continue on further lines, if the TPM's response was read in two parts. A message truncated by
    bpftrace is yielded incomplete. Raises InputError at the end if a message was incomplete.
    """
    hint = "bpftrace shortened a message; set BPFTRACE_MAX_STRLEN=1024 (BPFTRACE_STRLEN=200 before 0.20)"
    yield from _join(((unescape(line.rstrip(b"\r\n")), False) for line in lines), hint)


def read_kernel_trace(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from lines with arrays such as `buf={0x80,0x1,0x0}` and `(80:01:00)`.

    An array is often longer than the message in it. A message that is longer than its array is yielded incomplete.
    Raises InputError at the end if a message was incomplete.
    """
    hint = "the array of the probe is shorter than the message; record more bytes, e.g. x8[64] and a second array"
    yield from _join(((octets, True) for line in lines for octets in _arrays(line)), hint)


def _arrays(line: bytes) -> Iterator[bytes]:
    """Yields the bytes of the arrays in a line, or b"" if it has none. Adjacent arrays are joined."""
    arrays = b"".join(bytes(int(n, 16) for n in found[1].split(b",")) for found in _ARRAY.finditer(line))
    found = _HEX.search(line)
    yield arrays or (bytes.fromhex(re.sub(rb"[:,]", b" ", found[1]).decode("ascii")) if found else b"")


def _join(pieces: Iterator[tuple[bytes, bool]], hint: str) -> Iterator[Message]:
    """Yields (is_command, message) from (bytes of a line, whether bytes after a message are padding) pairs.

    Other text may precede a message in its line. In a line that continues a message, the bytes are at the end.
    Raises InputError with `hint` at the end if a message is incomplete.
    """
    begun = Assembler()
    prefix, began, short = b"", 0, 0
    for number, (line, filled) in enumerate(pieces, 1):
        start = _message_start(line)
        if start >= 0:
            if rest := begun.reset():
                short = short or began
                yield is_command(rest), rest
            prefix, began = line[:start], number
            end = start + int.from_bytes(line[start + 2 : start + 6], "big") if filled else len(line)
            octets = line[start:end]
        elif begun.missing:
            octets = line.removeprefix(prefix)[-begun.missing :]
        else:
            continue
        for message in begun.add(octets):
            yield is_command(message), message
    if rest := begun.reset():
        short = short or began
        yield is_command(rest), rest
    if short:
        raise InputError(f"line {short}: {hint}")


_START = re.compile(rb"\x80[\x01\x02]\x00|\x00\xc4\x00\x00\x00\x0a")


def _message_start(octets: bytes) -> int:
    """Returns the position of the first TPM header in `octets`, or -1."""
    return next((m.start() for m in _START.finditer(octets) if begins_message(octets[m.start() :][:10])), -1)
