"""Sockets whose every wait ends: a deadline over all reads and writes of a step, and a limit to what is read."""

import socket
from collections.abc import Sequence
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["BoundedSocket", "Deadline", "TooMuchData", "open_socket"]


class TooMuchData(Exception):
    """The peer sent more octets than the limit."""


class Deadline:
    """A moment `seconds` from now."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds left, above 0. Raises TimeoutError where there are none."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def open_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection to the first address of `host` that answers. Raises OSError (TimeoutError, gaierror)."""
    failure: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in _addresses(host, port, deadline):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.left())
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


_Address = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


def _addresses(host: str, port: int, deadline: Deadline) -> Sequence[_Address]:
    # As bytes: for a str, getaddrinfo would import the whole of encodings.idna.
    name = host.encode("ascii")
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name, not a number
    from threading import Thread

    # getaddrinfo takes no timeout, and a dead name server holds it for half a minute: wait from outside.
    outcome: list[Sequence[_Address] | OSError] = []

    def ask() -> None:
        try:
            outcome.append(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except OSError as error:
            outcome.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if not outcome:
        raise TimeoutError("name resolution timed out")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


class _BoundedReader(RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        # Renewed before each read, so that a trickle of octets cannot stretch the wait.
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise TooMuchData
        return count


class BoundedSocket:
    """As much of a socket as http.client uses, under a deadline and a limit of octets read.

    Raises TimeoutError and TooMuchData.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._limit = limit

    def sendall(self, data: bytes) -> None:
        """Sends all of `data` within the deadline."""
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> BufferedReader:
        """The reading side; the limit counts from here."""
        return BufferedReader(_BoundedReader(self._sock, self._deadline, self._limit))

    def read_until(self, end: bytes) -> bytes:
        """What the peer sends up to `end`, or up to its close; nothing behind `end` may be on its way."""
        data = b""
        while not data.endswith(end):
            self._sock.settimeout(self._deadline.left())
            # One at a time: what follows belongs to TLS.
            octet = self._sock.recv(1)
            if not octet or len(data) >= self._limit:
                break
            data += octet
        return data

    def close(self) -> None:
        """Does nothing: http.client closes before the body is read; the owner of the socket closes it."""
