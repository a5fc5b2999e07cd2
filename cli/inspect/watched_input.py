"""Collects the lines about TPMs in a long log, while another reader searches it for messages."""

import io
from typing import BinaryIO

from tpmwire.explain.readers.words import log_lines

__all__ = ["WatchedInput"]

LARGEST = 1 << 16
"""Maximum number of characters of the lines that are stored."""

LINE = 4096
"""Maximum number of bytes of an incomplete line that are stored."""


class WatchedInput(io.RawIOBase):
    """A file object that stores the lines about TPMs in what is read from it.

    Set `watching` to False to store no more lines.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""
        self._lines: dict[str, str] = {}
        self._size = 0
        self.watching = True

    @property
    def text(self) -> str:
        """The lines, without those that differ only in their time stamps."""
        self._add(self._rest)
        return "\n".join(self._lines.values())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        part = getattr(self._file, "read1", self._file.read)(len(buffer)) or b""
        buffer[: len(part)] = part
        if self.watching:
            whole, _, rest = (self._rest + part).rpartition(b"\n")
            self._rest = rest[-LINE:]
            self._add(whole)
        return len(part)

    def _add(self, data: bytes) -> None:
        for key, line in log_lines(data.decode("latin-1")).items():
            if key not in self._lines and self._size + len(line) <= LARGEST:
                self._lines[key] = line
                self._size += len(line)
