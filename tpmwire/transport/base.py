"""What all transports share: a non-blocking file descriptor, deadlines, and responses of a known size."""

import contextlib
import errno
import os
import select
import time
from typing import NoReturn

from ..errors import DecodeError, TransportClosedError, TransportError, TransportTimeoutError
from ..wire import HEADER_SIZE, response_size

__all__ = ["Transport"]

CHUNK = 16384
"""Octets asked for at once. A device hands out a response in one read and forgets what did not fit."""


class Transport:
    """One connection to a TPM. `timeout` (seconds) bounds each wait for it to take a command and to answer.

    `sent`, `received` and `commands` count octets and messages since it was opened.
    """

    hint = ""
    """What may be the matter when the TPM does not answer."""
    close_waits = False
    """Whether closing it waits for a command under way, as the kernel does with its devices."""
    close_flushes = False
    """Whether closing it flushes what was opened through it, as the kernel's resource manager does."""

    def __init__(self, fd: int, path: str, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        self.sent = self.received = self.commands = 0
        self.last_response = b""
        self._fd = fd
        self._buffer = b""
        self._waiting = False
        os.set_blocking(fd, False)

    @property
    def waiting(self) -> bool:
        """Whether a command was sent whose response was not yet fetched."""
        return self._waiting

    def transceive(self, command: bytes) -> bytes:
        """Sends a command and gives its response. Raises TransportError and its kinds."""
        self.send(command)
        return self.receive()

    def send(self, command: bytes) -> None:
        """Sends a command's octets. Raises TransportError and its kinds."""
        if self._fd < 0:
            raise TransportClosedError(f"the connection to {self.path} is closed")
        if self._waiting:
            raise TransportError(f"the TPM at {self.path} still works on a command that it did not answer in time")
        self._buffer = b""
        self._waiting = True
        deadline = time.monotonic() + self.timeout
        left = memoryview(self._framed(command))
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                self._failed("sending to", error)
        self.sent += len(command)
        self.commands += 1

    def receive(self, timeout: float | None = None) -> bytes:
        """The response to the command sent last, whole. A later call goes on where an interrupted one stopped."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        response = None
        while response is None:
            response = self._unframed(self._buffer)
            if response is None:
                self._buffer += self._read(deadline)
        self.last_response = response
        self._waiting = False
        self.received += len(response)
        return response

    def close(self) -> None:
        """Closes the connection; safe to call twice."""
        self.release()

    def release(self) -> None:
        """Gives up this process's end without a word to the TPM: another process goes on with the connection."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # What close() might report was reported by write() or read() already.
            with contextlib.suppress(OSError):
                os.close(fd)

    def _framed(self, command: bytes) -> bytes:
        """The octets that carry a command."""
        return command

    def _unframed(self, octets: bytes) -> bytes | None:
        """The response in what has arrived so far; None while it is not whole. Raises TransportError."""
        if len(octets) < HEADER_SIZE:
            return None
        size = self._size(octets)
        if len(octets) > size:
            raise TransportError(f"{self.path} sent {len(octets)} octets for an answer that says it has {size}")
        return octets if len(octets) == size else None

    def _size(self, header: bytes) -> int:
        try:
            return response_size(header[:HEADER_SIZE])
        except DecodeError as error:
            raise TransportError(f"what {self.path} answers is not a TPM response: {error.reason}") from error

    def _read(self, deadline: float) -> bytes:
        while True:
            self._wait(select.POLLIN, deadline)
            try:
                octets = os.read(self._fd, CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                self._failed("reading from", error)
            if not octets:
                got = f" after {len(self._buffer)} octets of an answer" if self._buffer else " without an answer"
                raise TransportClosedError(f"{self.path} closed the connection{got}")
            return octets

    def _wait(self, event: int, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not self._ready(event, left):
            hint = f"; {self.hint}" if self.hint else ""
            raise TransportTimeoutError(f"the TPM at {self.path} did not answer in time (--timeout){hint}")

    def _ready(self, event: int, seconds: float) -> bool:
        """Waits until the descriptor takes or has octets (POLLOUT, POLLIN); False if it does not in time."""
        poll = select.poll()
        poll.register(self._fd, event)
        return bool(poll.poll(max(1, int(seconds * 1000))))

    def _failed(self, doing: str, error: OSError) -> NoReturn:
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            raise TransportClosedError(f"{self.path} closed the connection") from error
        raise TransportError(f"{doing} {self.path} failed: {error.strerror}") from error
