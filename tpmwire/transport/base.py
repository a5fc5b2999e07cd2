"""The base class of transports that use a file descriptor.

`DescriptorTransport` implements non-blocking I/O, deadlines, and responses whose size is in their header.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time

from ..errors import DecodeError, TransportClosedError, TransportError, TransportTimeoutError, WrongPathError
from ..wire import HEADER_SIZE, Transport, response_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["DescriptorTransport", "Transport"]

CHUNK = 16384
"""Bytes to read at once. A device returns a response in one read and discards what does not fit."""


class DescriptorTransport(Transport):
    """A transport over a file descriptor. `timeout` (seconds) limits each wait for sending and for receiving.

    `sent`, `received` and `commands` count the bytes and the commands of the connection.
    """

    hint = ""
    """A possible reason why the TPM does not respond."""

    def __init__(self, fd: int, path: str, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        self.sent = self.received = self.commands = 0
        self.last_response = b""
        self._fd = fd
        self._buffer = b""
        self._waiting = False
        os.set_blocking(fd, False)

    def transceive(self, command: bytes) -> bytes:
        """Sends a command and returns the whole response.

        Raises TransportError or a subclass if the TPM cannot be reached or does not respond in time.
        """
        self.send(command)
        return self.receive()

    def send(self, command: bytes) -> None:
        """Sends a command.

        Raises TransportError or a subclass if the connection is closed or an earlier command still runs.
        """
        if self._fd < 0:
            raise TransportClosedError(f"the connection to {self.path} is closed")
        if self._waiting:
            raise TransportError(
                f"{self.path}: the TPM is still busy with a command that timed out; try again later"
            )
        self._buffer = b""
        self._waiting = True
        deadline = time.monotonic() + self.timeout
        left = memoryview(self._add_frame(command))
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                if error.errno == errno.E2BIG:  # Linux's driver has not sent any part of the command
                    self._waiting = False
                    raise TransportError(
                        f"cannot send to {self.path}: the driver does not support commands of {len(command)} bytes"
                    ) from error
                self._raise_error("send to", error)
        self.sent += len(command)
        self.commands += 1

    def receive(self, timeout: float | None = None) -> bytes:
        """Returns the whole response to the last command. A second call resumes an interrupted call.

        `timeout` (seconds) replaces the transport's timeout. Raises TransportError or a subclass if the response
        is late, incomplete or not valid.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        response = None
        while response is None:
            response = self._remove_frame(self._buffer)
            if response is None:
                self._buffer += self._read(deadline)
        self.last_response = response
        self._waiting = False
        self.received += len(response)
        return response

    def resume(self, seconds: float) -> bytes:
        """Returns the response to the last command, after at most `seconds`.

        Raises TransportError if the response does not arrive.
        """
        return self.receive(seconds) if self._waiting else self.last_response

    def close(self) -> None:
        """Closes the connection. A second call has no effect."""
        self.release()

    def release(self) -> None:
        """Closes the connection in this process only, without a message to the TPM."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # write() or read() has already reported any error.
            with contextlib.suppress(OSError):
                os.close(fd)

    def _add_frame(self, command: bytes) -> bytes:
        """Returns the bytes to send for a command. A subclass may add the header of its protocol."""
        return command

    def _remove_frame(self, data: bytes) -> bytes | None:
        """Returns the response in the bytes received so far; None if it is incomplete.

        Raises TransportError for an invalid response.
        """
        if len(data) < HEADER_SIZE:
            return None
        size = self._size(data)
        if len(data) > size:
            raise TransportError(f"{self.path}: invalid response: expected {size} bytes, got {len(data)}")
        return data if len(data) == size else None

    def _size(self, header: bytes) -> int:
        try:
            return response_size(header[:HEADER_SIZE])
        except DecodeError as error:
            raise WrongPathError(f"{self.path}: not a TPM response: {error.reason}; check the path") from error

    def _read(self, deadline: float) -> bytes:
        while True:
            self._wait(select.POLLIN, deadline)
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                self._raise_error("read from", error)
            if not data:
                got = f" after {len(self._buffer)} bytes of a response" if self._buffer else " without a response"
                raise TransportClosedError(f"{self.path} closed the connection{got}; is the TPM still running?")
            return data

    def _wait(self, event: int, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not self._ready(event, left):
            hint = f"; {self.hint}" if self.hint else ""
            raise TransportTimeoutError(f"{self.path}: the TPM did not respond in time{hint}")

    def _ready(self, event: int, seconds: float) -> bool:
        """Waits until the descriptor is ready, and returns whether it is ready after at most `seconds`.

        `event` is POLLOUT (ready to write) or POLLIN (ready to read).
        """
        poll = select.poll()
        poll.register(self._fd, event)
        return bool(poll.poll(max(1, int(seconds * 1000))))

    def _raise_error(self, action: str, error: OSError) -> NoReturn:
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            raise TransportClosedError(f"{self.path} closed the connection; is the TPM still running?") from error
        raise TransportError(f"cannot {action} {self.path}: {error.strerror}") from error
