"""Reads commands and responses from captures, logs, text and binary data as a stream."""

import io
import itertools
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ...errors import InputError
from .captures import find_capture
from .cleaning import clean_lines
from .connections import read_connections
from .headers import HEADER, TAGS, TAGS_1_2, Exchange, Message, begins_message, is_command, is_plausible, is_tpm12
from .lines import number_lines, read_lines, split_json
from .logs import find_log
from .packets import is_capture, read_segments
from .text import TextReader

__all__ = ["ACCEPTED", "LIMIT", "UnknownInputError", "detect_recording", "open_recording", "pair_messages"]

LIMIT = 1 << 20
"""Maximum number of bytes before the first message in which a log format is recognized."""

ACCEPTED = (
    "hex, dumps of xxd, hexdump and od, arrays and strings of C, Python, Go, Rust and JSON, base64, logs, captures"
)
"""The accepted inputs, as text for error messages."""


class UnknownInputError(InputError):
    """The input has no TPM 2.0 message in any known notation."""


def detect_recording(
    file: BinaryIO, name: str, warn: Callable[[str], None] = lambda text: None
) -> Iterator[Exchange] | bytes:
    """Returns an iterator over the commands and responses of an input, or its bytes if it has no messages.

    Reads the input up to its first message. Raises InputError if it has no messages and is larger than `LIMIT`
    bytes. See `open_recording` for the parameters.
    """
    copy = _Copy(file)
    exchanges = open_recording(io.BufferedReader(copy), name, warn)
    try:
        first = next(exchanges)
    except UnknownInputError:
        copy.readall()
        if copy.copied is None:
            raise
        return bytes(copy.copied)
    copy.copied = None
    return itertools.chain([first], exchanges)


class _Copy(io.RawIOBase):
    """A file object that copies the bytes read into `copied`, which becomes None after `LIMIT` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.copied: bytearray | None = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        part = getattr(self._file, "read1", self._file.read)(len(buffer)) or b""
        buffer[: len(part)] = part
        if self.copied is not None:
            self.copied += part
            if len(self.copied) > LIMIT:
                self.copied = None
        return len(part)


def open_recording(
    file: BinaryIO, name: str, warn: Callable[[str], None] = lambda text: None
) -> Iterator[Exchange]:
    """Returns an iterator over the commands and responses of an input.

    The input is a capture (pcap, pcapng) with swtpm or the reference simulator over TCP, one of `LOGS` or
    `CAPTURES`, text with messages in a notation of `FORMS`, or binary messages. A missing command or response is
    empty.

    The iterator raises InputError after the last complete message if the input is damaged, and at the end if it
    has no message. `name` names the input in errors. `warn` is called with a message if a part of the input is
    missing or is not explained.
    """
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(_Copy(file))
    head = buffered.peek(4)[:16]
    if is_capture(head):
        return _check_any(read_connections(read_segments(buffered, name), warn), name)
    if head[:2] in TAGS or head[:2] in TAGS_1_2:
        return pair_messages(_read_binary(buffered, name))
    return pair_messages(_read_text(buffered, head, name, warn))


def pair_messages(messages: Iterator[Message]) -> Iterator[Exchange]:
    """Yields (command, response) pairs. A missing command or response is empty."""
    waiting = b""
    for hint, octets in messages:
        if is_command(octets, hint):
            if waiting:
                yield waiting, b""
            waiting = octets
        else:
            yield waiting, octets
            waiting = b""
    if waiting:
        yield waiting, b""


def _check_any(exchanges: Iterator[Exchange], name: str) -> Iterator[Exchange]:
    """Yields the exchanges. Raises InputError at the end if `exchanges` was empty."""
    found = False
    for exchange in exchanges:
        found = True
        yield exchange
    if not found:
        raise InputError(f"{name}: the recording contains no TPM 2.0 command or response")


def _read_binary(file: BinaryIO, name: str) -> Iterator[Message]:
    place = 0
    while header := file.read(HEADER):
        if is_tpm12(header):
            raise InputError(
                f"{name}: a TPM 1.2 message (tag {header[:2].hex()}) at byte {place}; only TPM 2.0 is supported"
            )
        if not begins_message(header) or not is_plausible(header):
            if place and not any(header):  # the padding of a buffer
                return
            raise (InputError if place else UnknownInputError)(
                f"{name}: no TPM 2.0 message at byte {place}; a message begins with 8001 or 8002 and its size"
            )
        size = int.from_bytes(header[2:6], "big")
        yield None, header + file.read(size - HEADER)
        place += size


def _read_text(file: BinaryIO, head: bytes, name: str, warn: Callable[[str], None]) -> Iterator[Message]:
    """Yields the messages in text. Uses a log format's reader if a line before the first message identifies it."""
    reader = TextReader()
    lines = read_lines(file, head)
    read: list[bytes] = []
    size = 0
    found = []

    def watch() -> Iterator[bytes]:
        """Yields the lines up to the first line that identifies a log format."""
        nonlocal size
        for line in lines:
            if not reader.found:
                if size > LIMIT:
                    read.clear()
                    size = 0
                read.append(line)
                size += len(line)
                log = find_log(line) or find_capture(line)
                if log is not None:
                    found.append(log)
                    return
            yield line

    for line in split_json(clean_lines(number_lines(watch()))):
        yield from reader.read(line)
    if found:
        any_message = False
        try:
            for message in found[0].read(itertools.chain(read, lines)):
                any_message = True
                yield message
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if not any_message:
            raise InputError(f"{name}: the {found[0].name} contains no TPM 2.0 command or response")
        return
    yield from reader.end()
    _report(reader, name, warn)


def _report(reader: TextReader, name: str, warn: Callable[[str], None]) -> None:
    """Warns about data that is not explained. Raises InputError if the input has no messages."""
    problem = ""
    if reader.problems:
        number, text = reader.problems[0]
        more = f" ({len(reader.problems) - 1} more)" if len(reader.problems) > 1 else ""
        problem = f"{name}: line {number}: {text}{more}"
    if reader.found:
        if problem:
            warn(problem)
        return
    if problem:
        raise InputError(problem)
    if not reader.lines:
        raise UnknownInputError(f"{name} is empty; give a command or response in hex or binary")
    file = "an existing file, or " if name[:1] in "'\"" else ""
    where = f"line {reader.data} has bytes, but " if reader.data else ""
    if file and not where and ("." in name or "/" in name):
        where = "no such file, and "
    raise UnknownInputError(
        f"{name}: {where}no TPM 2.0 message found; expected {file}a message (8001..., 8002...) as {ACCEPTED}"
    )
