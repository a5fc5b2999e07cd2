"""Logs of programs that print TPM commands and responses: a table of layouts, each with its reader."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .headers import LARGEST, Message, is_message

__all__ = ["LOGS", "Log", "Message", "find_log"]


class Log(NamedTuple):
    """A log's layout: its `name`, a pattern that one of its lines matches (`mark`), and the function `read`.

    `read` takes the log's lines, including those before the mark, and yields its messages.
    """

    name: str
    mark: re.Pattern[bytes]
    read: Callable[[Iterator[bytes]], Iterator[Message]]


def find_log(line: bytes) -> Log | None:
    """Returns the log that has such a line, or None."""
    return next((log for log in LOGS if log.mark.search(line)), None)


_SWTPM = re.compile(rb"^(.*?)SWTPM_IO_(Read|Write): length (\d+)\s*$")
_DUMP = re.compile(rb"^[0-9a-f]{4,8}: ([0-9a-f]{2,32}) ")
_TCTI = re.compile(rb"\btcti\b|/tcti-|^\S+:tcti:")


def _swtpm_log(lines: Iterator[bytes]) -> Iterator[Message]:
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


def _tcti_log(lines: Iterator[bytes]) -> Iterator[Message]:
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


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""


LOGS = [
    Log("log of swtpm", re.compile(rb"SWTPM_IO_(?:Read|Write): length"), _swtpm_log),
    Log("log of tpm2-tss", re.compile(rb"^\w+:tcti:.*\(size="), _tcti_log),
]
"""The known logs. A line that matches several patterns belongs to the first."""
