"""A request's head as it comes in: within so many seconds and so many octets, however slowly it is sent."""

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["BoundedInput", "TooMuchError"]


class TooMuchError(Exception):
    """More octets than a request has."""


class BoundedInput(io.RawIOBase):
    """Reads from a socket until `seconds` from now, and `limit` octets in all.

    Reads raise TimeoutError, TooMuchError, and OSError of the socket.
    """

    def __init__(self, sock: socket.socket, seconds: float, limit: int) -> None:
        self._sock = sock
        self._deadline = time.monotonic() + seconds
        self._left = limit

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """What is there, at most the buffer's size; 0 at the end."""
        if self._left <= 0:
            raise TooMuchError
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        # One timeout for each read would let a client keep its place for ever, an octet at a time.
        self._sock.settimeout(left)
        count = self._sock.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count
