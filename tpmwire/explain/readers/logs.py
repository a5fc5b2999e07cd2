"""Logs of programs that print TPM commands and responses: a table of log formats with their readers."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .headers import LARGEST, Message, is_message
from .lines import number_lines
from .text import TextReader

__all__ = ["LOGS", "Log", "Message", "compile_words", "find_format", "find_log"]


class Log(NamedTuple):
    """A log format: its `name`, a pattern for one of its lines (`mark`), and the function `read`.

    A line that matches `mark` contains one of `words`, which are faster to find. `read` takes the log's lines,
    including the lines before the mark, and yields the messages.
    """

    name: str
    words: tuple[bytes, ...]
    mark: re.Pattern[bytes]
    read: Callable[[Iterator[bytes]], Iterator[Message]]


def find_log(line: bytes) -> Log | None:
    """Returns the log format with lines like `line`, or None."""
    return find_format(line, LOGS, _WORDS)


def compile_words(logs: Sequence[Log]) -> re.Pattern[bytes]:
    """Returns a pattern for the words of log formats."""
    return re.compile(b"|".join(re.escape(word) for log in logs for word in log.words))


def find_format(line: bytes, logs: Sequence[Log], words: re.Pattern[bytes]) -> Log | None:
    """Returns the first of `logs` with lines like `line`, or None. `words` is the result of `compile_words`."""
    if words.search(line) is None:
        return None
    return next((log for log in logs if log.mark.search(line)), None)


_SWTPM = re.compile(rb"^(.*?)SWTPM_IO_(Read|Write): length (\d+)\s*$")
_ROW = re.compile(rb"(?:^|\s)((?:[0-9A-F]{2} ?){1,16})\s*$")
_DUMP = re.compile(rb"(?:^|[\s\]:])[0-9a-f]{4,8}: ([0-9a-f]{2,32})(?:\s|$)")
_TCTI = re.compile(rb"\btcti\b|/tcti-")
_PARTS = re.compile(rb"read_all|register|ioctl")
"""Headings of partial messages; the log also prints the complete message."""


def _swtpm_log(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) for each message in swtpm's log.

    A message is a line such as ` SWTPM_IO_Read: length 12` and 12 bytes of hex in the next lines, which have a
    prefix.
    """
    for line in lines:
        found = _SWTPM.match(line.rstrip(b"\r\n"))
        if found is None:
            continue
        prefix, size = found[1].rstrip(b" "), int(found[3])
        octets = b""
        while len(octets) < size <= LARGEST:
            row = next(lines, b"end")
            found_row = _ROW.search(row)
            more = _hex(row.removeprefix(prefix)) or (_hex(found_row[1]) if found_row is not None else b"")
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
        dump = _DUMP.search(line)
        if dump is not None:
            octets += _hex(dump[1]) if len(octets) <= LARGEST else b""
            continue
        if octets and is_message(octets) and _TCTI.search(heading) and not _PARTS.search(heading):
            yield b"eceive" not in heading, octets
        heading, octets = line, b""


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""


def _dump_log(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) for each message in a log that may print a message several times.

    A TPM executes one command at a time: a message that directly follows an equal one is the same message.
    """
    reader, last = TextReader(), b""

    def read() -> Iterator[Message]:
        for line in number_lines(lines):
            yield from reader.read(line)
        yield from reader.end()

    for message in read():
        if message[1] != last:
            yield message
        last = message[1]


_TSS2 = re.compile(rb"\b\w+:tcti:.*\(size=")
_ABRMD = re.compile(rb"\bTpm2(?:Command|Response)\b|tpm2-abrmd|tss2_tcti_tabrmd")
_QEMU = re.compile(rb"tpm_(?:util|tis|crb|spapr)_show_buffer|tpm_tis: (?:To|From) TPM")
_EDK2 = re.compile(rb"(?:PtpCrb|Tis)TpmCommand (?:Send|Receive)")
_WOLFTPM = re.compile(rb"^(?:TPM2: Caps|(?:Command|Response)(?: size)?: \d+\s*$)")
_IBM_TSS = re.compile(rb"TSS_(?:Socket|Dev|Skiboot)_(?:Send|Receive|Transmit)")

LOGS = [
    Log("log of swtpm", (b"SWTPM_IO_",), re.compile(rb"SWTPM_IO_(?:Read|Write): length"), _swtpm_log),
    Log("log of tpm2-tss", (b"tcti:",), _TSS2, _tcti_log),
    Log("log of tpm2-abrmd", (b"Tpm2", b"abrmd"), _ABRMD, _dump_log),
    Log("trace of QEMU", (b"_show_buffer", b"tpm_tis: "), _QEMU, _dump_log),
    Log("debug output of EDK2", (b"TpmCommand ",), _EDK2, _dump_log),
    Log("debug output of wolfTPM", (b"TPM2: ", b"Command", b"Response"), _WOLFTPM, _dump_log),
    Log("trace of the IBM TSS", (b"TSS_",), _IBM_TSS, _dump_log),
]
"""The known logs. A line that matches several patterns belongs to the first."""

_WORDS = compile_words(LOGS)
