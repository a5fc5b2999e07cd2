"""The user's files, opened for reading; reads from pipes have a timeout."""

import errno
import io
import os
import stat
from typing import BinaryIO

__all__ = ["open_input"]

_WRITER = 2.0  # seconds that a named pipe has for somebody to open its other end
_SILENCE = 60.0  # seconds; whoever writes may first ask a person, as a password manager does


def open_input(path: str, silence: float | None = _SILENCE) -> BinaryIO:
    """The file at `path`, open for reading bytes.

    A pipe or a terminal raises TimeoutError, which is an OSError, when nobody writes to it: no program within 2
    seconds, or one that is there within `silence` seconds. Raises OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:  # a NUL, or half of a surrogate pair
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
    """A pipe or a device; its descriptor does not block."""

    def __init__(self, descriptor: int, path: str, silence: float | None) -> None:
        self._descriptor, self._path, self._silence = descriptor, path, silence
        self._begun = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while True:
            try:
                count = os.readv(self._descriptor, [buffer])
            except BlockingIOError:  # somebody has the other end, and is silent
                self._wait(self._silence, "nothing was written to it within {:g} seconds")
                continue
            # Nothing is the end, or a named pipe to which nobody has written yet.
            if count or self._begun:
                self._begun = True
                return count
            self._wait(_WRITER, "no program writes to it ({:g} seconds)")
            self._begun = True

    def _wait(self, seconds: float | None, problem: str) -> None:
        """Until there are bytes, or their end. Raises TimeoutError."""
        import select

        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(None if seconds is None else 1000 * seconds):
            raise TimeoutError(errno.ETIMEDOUT, problem.format(seconds), self._path)
