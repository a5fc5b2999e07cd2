"""Sockets whose every wait ends: a deadline over all reads and writes of a step, and a limit to what is read."""

import errno
import os
import select
import socket
from collections.abc import Sequence
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["BoundedSocket", "Deadline", "TooMuchData", "open_socket"]


_HEAD_START = 0.25  # seconds that an address has before the next is tried beside it (RFC 8305 §8)


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


_Address = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


def open_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection to the address of `host` that is first to answer (RFC 8305, "Happy Eyeballs").

    Raises OSError (TimeoutError, gaierror). The socket does not block until it is given a timeout.
    """
    to_come = _interleaved(_addresses(host, port, deadline))
    under_way: dict[int, socket.socket] = {}
    poll = select.poll()
    failure: OSError = OSError(f"no address for {host}")
    try:
        while to_come or under_way:
            if to_come:
                try:
                    sock = _begin(to_come.pop(0))
                except OSError as error:
                    failure = error
                    continue
                under_way[sock.fileno()] = sock
                poll.register(sock, select.POLLOUT)
            left = deadline.left()
            for number, _ in poll.poll(1000 * (min(left, _HEAD_START) if to_come else left)):
                poll.unregister(number)
                sock = under_way.pop(number)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return sock
                sock.close()
                failure = OSError(code, os.strerror(code))
    finally:
        for sock in under_way.values():
            sock.close()
    raise failure


def _begin(address: _Address) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    # http.client writes head and body apart: Nagle's algorithm would hold the body back until the head is
    # acknowledged, a round trip and up to 40 ms later.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(where)
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def _interleaved(found: Sequence[_Address]) -> list[_Address]:
    """The families by turns, so that one without a way out holds the other up once, not once an address."""
    first = [one for one in found if one[0] == found[0][0]]
    other = [one for one in found if one[0] != found[0][0]]
    turns = [one for pair in zip(first, other, strict=False) for one in pair]
    return turns + first[len(other) :] + other[len(first) :]


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
