"""Inputs of `tpmwire decode`: files, standard input and arguments, read while their data arrives."""

import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from sigv4.files import open_input

from ..terminal.messages import UsageError, note

__all__ = ["Source", "open_sources"]

BLOCK = 1 << 16
"""Bytes of a read."""


class Source:
    """An input: its `name`, the bytes at its beginning (`head`), and all bytes as a stream (`file`).

    `size` is the size of a regular file in bytes, 0 for other inputs.

    Before the stream waits for more data, it flushes standard output, so that each message is printed as soon as
    its bytes arrive.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        raw = _Input(file, name)
        self.file = io.BufferedReader(raw, BLOCK)
        self.head = raw.head
        self._raw = raw
        self.size = _size_of(file)

    @property
    def position(self) -> int:
        """The number of bytes read so far."""
        return self._raw.position


def open_sources(words: list[str]) -> Iterator[Source]:
    """Yields the inputs that `words` names: files, standard input, and at the end all hex arguments, joined.

    Raises UsageError if an input cannot be opened.
    """
    hexes = []
    for word in words:
        if word == "-":
            if sys.stdin is None:  # closed by the caller
                raise UsageError("standard input is closed; redirect it from a file or program")
            if sys.stdin.isatty():
                note("tpmwire: reading from the terminal; press Ctrl-D to end")
            yield Source("standard input", _get_raw_stream(sys.stdin.buffer))
        elif os.path.exists(word):
            try:
                file = open_input(word, silence=None)
            except OSError as error:
                raise UsageError(f"{word}: {error.strerror}") from error
            with file:
                yield Source(word, _get_raw_stream(file))
        else:
            hexes.append(word)
    if hexes:
        text = " ".join(hexes)
        yield Source(repr(text[:40]), io.BytesIO(text.encode(errors="replace")))


def _get_raw_stream(file: BinaryIO) -> BinaryIO:
    """Returns the raw stream of a buffered file, so that a read returns as soon as any bytes arrive."""
    return getattr(file, "raw", file)


def _size_of(file: BinaryIO) -> int:
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):  # not a file
        return 0


class _Input(io.RawIOBase):
    """A stream that reads the first bytes of a file ahead into `head`, and returns them again when it is read.

    Raises UsageError if the file cannot be read.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._rest = b""
        self.position = 0
        self.head = self._first()
        self._rest = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        if self._rest:
            part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        else:
            part = self._read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _read(self, size: int) -> bytes:
        if sys.stdout is not None:
            sys.stdout.flush()
        try:
            part = self._file.read(size) or b""
            self.position += len(part)
            return part
        except OSError as error:
            raise UsageError(f"{self._name}: {error.strerror}") from error

    def _first(self) -> bytes:
        """Returns the first bytes that arrive: 4 or more, to distinguish the formats, if the input has as many."""
        head = b""
        while len(head) < 4 and (part := self._read(BLOCK)):
            head += part
        return head
