"""Sockets with one deadline for several reads and writes, and a limit on the bytes read."""

from __future__ import annotations

import errno
import os
import select
import socket
from _thread import allocate_lock, start_new_thread
from collections.abc import Sequence
from io import BufferedReader, RawIOBase
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["BoundedSocket", "Deadline", "TooMuchData", "open_socket"]


_BLOCK = 4096  # bytes
_ATTEMPT_DELAY = 0.25  # seconds before the next address is tried in parallel (RFC 8305 §8)


class TooMuchData(Exception):
    """The peer sent more bytes than the limit."""


class Deadline:
    """A point in time, `seconds` after the object is created."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Returns the remaining seconds, above 0. Raises TimeoutError if no time is left."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


_Address = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


def open_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Returns a TCP connection to the first address of `host` that responds (RFC 8305, "Happy Eyeballs").

    The socket is non-blocking until its timeout is set. Raises TimeoutError at the deadline, gaierror if the name
    cannot be resolved, and another OSError if no address accepts the connection.
    """
    pending = _interleave(_resolve(host, port, deadline))
    connecting: dict[int, socket.socket] = {}
    poll = select.poll()
    failure: OSError = OSError(f"no address for {host}")
    try:
        while pending or connecting:
            if pending:
                try:
                    sock = _start_connecting(pending.pop(0))
                except OSError as error:
                    failure = error
                    continue
                connecting[sock.fileno()] = sock
                poll.register(sock, select.POLLOUT)
            left = deadline.left()
            for number, _ in poll.poll(1000 * (min(left, _ATTEMPT_DELAY) if pending else left)):
                poll.unregister(number)
                sock = connecting.pop(number)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return sock
                sock.close()
                failure = OSError(code, os.strerror(code))
    finally:
        for sock in connecting.values():
            sock.close()
    raise failure


def _start_connecting(address: _Address) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    # A body in a file is sent in several writes. Nagle's algorithm would delay the last one until the others are
    # acknowledged, by a round trip and up to 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(where)
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def _interleave(addresses: Sequence[_Address]) -> list[_Address]:
    """Returns the addresses with alternating families, so that an unreachable family causes only one delay."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    other = [one for one in addresses if one[0] != addresses[0][0]]
    alternating = [one for pair in zip(first, other, strict=False) for one in pair]
    return alternating + first[len(other) :] + other[len(first) :]


def _resolve(host: str, port: int, deadline: Deadline) -> Sequence[_Address]:
    # The name is passed as bytes, because getaddrinfo imports encodings.idna for a str.
    name = host.encode("ascii")
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # the host is a name, not a numeric address
    # getaddrinfo has no timeout, and blocks for half a minute if the name server is down.
    outcome: list[Sequence[_Address] | OSError] = []
    pending = allocate_lock()

    def resolve() -> None:
        try:
            outcome.append(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except OSError as error:
            outcome.append(error)
        finally:
            pending.release()

    # The import of `threading` would take 1.5 ms.
    pending.acquire()
    start_new_thread(resolve, ())
    pending.acquire(timeout=deadline.left())
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

    def readinto(self, buffer: WriteableBuffer) -> int:
        # The timeout is set before each read: otherwise a peer that sends single bytes could extend the wait.
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise TooMuchData
        return count


class BoundedSocket:
    """Sends and receives over a socket, with a deadline and a limit on the bytes read.

    The methods raise TimeoutError after the deadline, TooMuchData above the limit, and OSError for a broken
    connection. The caller closes the socket.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._limit = limit

    def sendall(self, data: bytes) -> None:
        """Sends all of `data` within the deadline."""
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self) -> BufferedReader:
        """Returns a new file object for reading, which may read as many bytes as the limit allows."""
        return BufferedReader(_BoundedReader(self._sock, self._deadline, self._limit))

    def read_until(self, end: bytes) -> bytes:
        """Returns the bytes up to and including `end`, and reads nothing after `end`.

        The result does not end with `end` if the peer closes the connection, or if the limit is reached first.
        """
        data = b""
        while not data.endswith(end) and len(data) < self._limit:
            self._sock.settimeout(self._deadline.left())
            # Looks before it takes, because the bytes that follow `end` belong to TLS.
            seen = data + self._sock.recv(min(_BLOCK, self._limit - len(data)), socket.MSG_PEEK)
            if seen == data:
                break
            at = seen.find(end)
            size = at + len(end) if at >= 0 else len(seen)
            data += self._sock.recv(size - len(data))
        return data
