"""Reads commands and responses from logs, network captures, and text or bytes, while they arrive."""

import io
import itertools
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ...errors import InputError
from .captures import find_capture
from .connections import read_connections
from .headers import Exchange
from .logs import Message, find_log
from .packets import is_capture, read_segments

__all__ = ["LIMIT", "open_recording"]

LIMIT = 1 << 20
"""Bytes of an input that is not a recording, and of the text before a log's first message."""

LINE = 1 << 16
"""Bytes of a line; a longer one is read in parts."""


def open_recording(
    file: BinaryIO, name: str, warn: Callable[[str], None] = lambda text: None
) -> "Iterator[Exchange] | bytes":
    """Returns an iterator over the commands and responses of a recording, or the bytes of any other input.

    Reads the logs of `LOGS`, the captures of `CAPTURES`, and pcap and pcapng with swtpm or the reference simulator
    over TCP. Responses without a command are skipped. The iterator raises InputError for a damaged recording after
    its last complete message, and for a recording without a message. `name` names the input in errors. `warn` is
    called with a message if a part of the recording is missing.
    """
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # type: ignore[type-var]
    head = buffered.peek(4)
    if is_capture(head):
        return _check_any(read_connections(read_segments(buffered, name), warn), name)
    if head[:1] in (b"\x80", b"\x00"):  # a message in binary
        return _whole(buffered, name)
    read: list[bytes] = []
    size = 0
    while line := buffered.readline(LINE):
        read.append(line)
        size += len(line)
        log = find_log(line) or find_capture(line)
        if log is not None:
            lines = itertools.chain(read, iter(lambda: buffered.readline(LINE), b""))
            return _check_any(_pair_messages(_name_errors(log.read(lines), name)), name)
        if size > LIMIT:
            # What follows may still be a log.
            read, size = [], LIMIT + 1
    if size > LIMIT:
        raise InputError(
            f"{name}: no known log format found, and too large for a single message (over {LIMIT} bytes); "
            "check the file"
        )
    return b"".join(read)


def _whole(file: BinaryIO, name: str) -> bytes:
    data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise InputError(f"{name} is larger than {LIMIT} bytes; check the file")
    return data


def _check_any(exchanges: Iterator[Exchange], name: str) -> Iterator[Exchange]:
    """Yields the exchanges. Raises InputError at the end if there are none."""
    found = False
    for exchange in exchanges:
        found = True
        yield exchange
    if not found:
        raise InputError(f"{name}: the recording contains no TPM 2.0 command or response")


def _name_errors(messages: Iterator[Message], name: str) -> Iterator[Message]:
    """Yields the messages. Puts the input's name before an error of their reader."""
    try:
        yield from messages
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _pair_messages(messages: Iterator[Message]) -> Iterator[Exchange]:
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
