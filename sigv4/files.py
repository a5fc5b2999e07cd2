"""Opens files that the user named. Reading from pipes and terminals has a timeout."""

from __future__ import annotations

import errno
import io
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["open_input"]

_WRITER = 2.0  # seconds until a program must have opened the other end of a named pipe
_SILENCE = 60.0  # seconds; the writer may ask a person first, as a password manager does


def open_input(path: str, silence: float | None = _SILENCE) -> BinaryIO:
    """Opens the file at `path` for reading bytes. Raises OSError if the file cannot be opened.

    Reading from a pipe or a terminal raises TimeoutError (an OSError) in two cases. Either no program opens the
    file for writing within 2 seconds, or the program writes nothing for `silence` seconds (None: no limit).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:  # the path contains a NUL or half of a surrogate pair
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return io.BufferedReader(_Pipe(descriptor, path, silence))
        return open(descriptor, "rb")
    except OSError as error:
        os.close(descriptor)
        error.filename = path
        raise


class _Pipe(io.RawIOBase):
    """A reader of a non-blocking pipe or device."""

    def __init__(self, descriptor: int, path: str, silence: float | None) -> None:
        self._descriptor, self._path, self._silence = descriptor, path, silence
        self._started = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        while True:
            try:
                count = os.readv(self._descriptor, [buffer])
            except BlockingIOError:  # the other end is open, but nothing has been written yet
                self._wait(self._silence, "no data within {:g} seconds")
                continue
            # 0 bytes mean the end, or that no program has opened the named pipe for writing yet.
            if count or self._started:
                self._started = True
                return count
            self._wait(_WRITER, "no program opened it for writing within {:g} seconds")
            self._started = True

    def _wait(self, seconds: float | None, problem: str) -> None:
        """Waits up to `seconds` for data or the end of the file. Raises TimeoutError with the text `problem`."""
        import select  # late: regular files do not need it

        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(None if seconds is None else 1000 * seconds):
            raise TimeoutError(errno.ETIMEDOUT, problem.format(seconds), self._path)
