"""Reads commands and responses from logs of swtpm and tpm2-tools, and from network captures."""

import re
from collections.abc import Iterator

from ..terminal.messages import UsageError
from .message import Exchange, is_message
from .packets import read_capture

__all__ = ["LIMIT", "read_exchanges"]

LIMIT = 64 << 20
"""Maximum size of a recording in bytes."""

_PCAP = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a")
_SWTPM = re.compile(rb"^(.*?)SWTPM_IO_(Read|Write): length (\d+)\s*$")
_DUMP = re.compile(rb"^[0-9a-f]{4,8}: ([0-9a-f]{2,32}) ")
_TCTI = re.compile(rb"\btcti\b|/tcti-|^\S+:tcti:")


def read_exchanges(data: bytes) -> list[Exchange] | None:
    """Returns the commands and responses of a recording, in order; None if it is not a recording.

    Reads swtpm's log (`--log level=20`), the log of tpm2-tools (TSS2_LOG=tcti+debug), and pcap and pcapng with
    swtpm or the reference simulator over TCP. Raises UsageError for a damaged recording, or one without a TPM.
    """
    if data[:4] in _PCAP:
        found = list(read_capture(data))
    elif b"SWTPM_IO_" in data:
        found = _pair_messages(_swtpm_log(data))
    elif re.search(rb"(?m)^\w+:tcti:.*\(size=", data):
        found = _pair_messages(_tcti_log(data))
    else:
        return None
    if not found:
        raise UsageError("the recording contains no TPM 2.0 command or response")
    return found


def _pair_messages(messages: Iterator[tuple[bool, bytes]]) -> list[Exchange]:
    """Pairs commands with their responses; skips a response without a command."""
    found: list[Exchange] = []
    for is_command, octets in messages:
        if is_command:
            found.append((octets, b""))
        elif found and not found[-1][1]:
            found[-1] = (found[-1][0], octets)
    return found


def _swtpm_log(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yields (whether it is a command, bytes) for each message in swtpm's log.

    Parses ` SWTPM_IO_Read: length 12` and the 12 bytes in the next lines, which have the same prefix.
    """
    lines = iter(data.splitlines())
    for line in lines:
        found = _SWTPM.match(line)
        if found is None:
            continue
        prefix, size = found[1].rstrip(b" "), int(found[3])
        octets = b""
        while len(octets) < size:
            more = _hex(next(lines, b"end").removeprefix(prefix))
            if not more:
                break
            octets += more
        if is_message(octets[:size]):
            yield found[2] == b"Read", octets[:size]


def _tcti_log(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yields (whether it is a command, bytes) for each message in a log of tpm2-tools.

    Parses `… (size=22):` and the hex dump below. A message that was read in pieces is dumped again as a whole.
    """
    heading, octets = b"", b""
    for line in [*data.splitlines(), b""]:
        dump = _DUMP.match(line)
        if dump is not None:
            octets += _hex(dump[1])
            continue
        if octets and is_message(octets) and _TCTI.search(heading) and b"read_all" not in heading:
            yield b"eceive" not in heading, octets
        heading, octets = line, b""


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""
