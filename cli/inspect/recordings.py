"""Reads commands and responses from logs of swtpm and tpm2-tools, and from network captures, while they arrive."""

import itertools
import re
from collections.abc import Callable, Iterator

from ..terminal.messages import UsageError
from .connections import read_connections
from .message import LARGEST, Exchange, is_message
from .packets import is_capture, read_segments
from .source import Source

__all__ = ["LIMIT", "open_recording"]

LIMIT = 1 << 20
"""Bytes of an input that is not a recording, and of the text before a log's first message."""

LINE = 1 << 16
"""Bytes of a line; a longer one is read in parts."""

_SWTPM = re.compile(rb"^(.*?)SWTPM_IO_(Read|Write): length (\d+)\s*$")
_DUMP = re.compile(rb"^[0-9a-f]{4,8}: ([0-9a-f]{2,32}) ")
_TCTI = re.compile(rb"\btcti\b|/tcti-|^\S+:tcti:")


def open_recording(source: Source) -> "Iterator[Exchange] | bytes":
    """Returns an iterator over the commands and responses of a recording, or the bytes of any other input.

    Reads swtpm's log (`--log level=20`), the log of tpm2-tools (TSS2_LOG=tcti+debug), and pcap and pcapng with
    swtpm or the reference simulator over TCP. Responses without a command are skipped. The iterator raises
    UsageError for a damaged recording after its last complete message, and for a recording without a message.
    """
    if is_capture(source.head):
        return _check_any(read_connections(read_segments(source.file, source.name)), source.name)
    if source.head[:1] in (b"\x80", b"\x00"):  # a message in binary
        return _whole(source)
    read: list[bytes] = []
    size = 0
    while line := source.file.readline(LINE):
        read.append(line)
        size += len(line)
        log = next((log for mark, log in _LOGS if mark.search(line)), None)
        if log is not None:
            lines = itertools.chain(read, iter(lambda: source.file.readline(LINE), b""))
            return _check_any(_pair_messages(log(lines)), source.name)
        if size > LIMIT:
            # What follows may still be a log.
            read, size = [], LIMIT + 1
    if size > LIMIT:
        raise UsageError(
            f"{source.name}: no known log format found, and too large for a single message (over {LIMIT} bytes); "
            "check the file"
        )
    return b"".join(read)


def _whole(source: Source) -> bytes:
    data = source.file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise UsageError(f"{source.name} is larger than {LIMIT} bytes; check the file")
    return data


def _check_any(exchanges: Iterator[Exchange], name: str) -> Iterator[Exchange]:
    """Yields the exchanges. Raises UsageError at the end if there are none."""
    found = False
    for exchange in exchanges:
        found = True
        yield exchange
    if not found:
        raise UsageError(f"{name}: the recording contains no TPM 2.0 command or response")


def _pair_messages(messages: Iterator[tuple[bool, bytes]]) -> Iterator[Exchange]:
    """Yields (command, response) pairs. A missing response is empty; a response without a command is skipped."""
    waiting = b""
    for is_command, octets in messages:
        if is_command and waiting:
            yield waiting, b""
        elif not is_command and waiting:
            yield waiting, octets
        waiting = octets if is_command else b""
    if waiting:
        yield waiting, b""


def _swtpm_log(lines: Iterator[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yields (whether it is a command, bytes) for each message in swtpm's log.

    Parses ` SWTPM_IO_Read: length 12` and the 12 bytes in the next lines, which have the same prefix.
    """
    for line in lines:
        found = _SWTPM.match(line.rstrip(b"\r\n"))
        if found is None:
            continue
        prefix, size = found[1].rstrip(b" "), int(found[3])
        octets = b""
        while len(octets) < size <= LARGEST:
            more = _hex(next(lines, b"end").removeprefix(prefix))
            if not more:
                break
            octets += more
        if is_message(octets[:size]):
            yield found[2] == b"Read", octets[:size]


def _tcti_log(lines: Iterator[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yields (whether it is a command, bytes) for each message in a log of tpm2-tools.

    Parses `… (size=22):` and the hex dump below it. Incomplete pieces are skipped, since the log repeats the whole
    message.
    """
    heading, octets = b"", b""
    for line in itertools.chain(lines, [b""]):
        dump = _DUMP.match(line)
        if dump is not None:
            octets += _hex(dump[1]) if len(octets) <= LARGEST else b""
            continue
        if octets and is_message(octets) and _TCTI.search(heading) and b"read_all" not in heading:
            yield b"eceive" not in heading, octets
        heading, octets = line, b""


_LOGS: list[tuple[re.Pattern[bytes], Callable[[Iterator[bytes]], Iterator[tuple[bool, bytes]]]]] = [
    (re.compile(rb"SWTPM_IO_"), _swtpm_log),
    (re.compile(rb"^\w+:tcti:.*\(size="), _tcti_log),
]
"""The logs: what a line of each has, and its reader."""


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""
