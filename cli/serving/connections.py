"""Accepts connections on a listening socket, and reads their requests in one thread."""

import contextlib
import os
import queue
import resource
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from .request import is_whole

__all__ = ["PATIENCE", "Connections", "raise_descriptor_limit"]

PATIENCE = 5.0
"""Seconds for a request to arrive, and again for its response to be sent."""

_MOST_AT_ONCE = 64
"""Maximum number of responses in progress; they may wait for credentials."""

_MOST_DESCRIPTORS = 16384
_CHANCE = 0.1  # seconds to send a request, before a new connection may displace this one
_BREATH = 0.1  # seconds to wait if the system has no descriptor or thread left
# Seconds to wait for the client's close; closing while data still arrives could discard the response.
_LINGER = 1.0
_LONGEST = 1 << 20  # bytes read from one connection


def raise_descriptor_limit() -> None:
    """Increases this process's limit of file descriptors, to at most 16384, to allow many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Connection:
    """A connection: its socket, received bytes and deadline; if `answered`, further bytes are discarded."""

    def __init__(self, sock: socket.socket, seconds: float, *, answered: bool) -> None:
        self.sock = sock
        self.data = bytearray()
        self.count = 0
        self.begun = time.monotonic()
        self.deadline = self.begun + seconds
        self.answered = answered

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # close() alone would not end the connection if a forked process (cli/tpm/cleanup.py) also holds it.
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Connections:
    """Reads the requests of all connections in one thread, and responds to them in other threads, up to 64.

    A client that sends nothing does not block others. If there are too many connections, a new connection replaces
    the oldest one. Each connection first has 0.1 seconds to send a request; until then, new connections wait in
    the kernel's queue. `respond` takes the bytes of a request and the connection's socket, and returns the bytes
    of the response.
    """

    def __init__(self, listener: socket.socket, respond: Callable[[bytes, socket.socket], bytes]) -> None:
        self._listener = listener
        self._respond = respond
        self._most = max(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 8)
        self._connections: dict[socket.socket, _Connection] = {}  # in order of age, the oldest first
        self._whole: deque[_Connection] = deque()
        self._done: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._ending = self._paused = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # If a client disconnects before accept(2), the call must not block until another client connects.
        listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts the thread that accepts connections and reads requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stops accepting connections and reading requests; responses in progress may still be sent."""
        self._ending = True
        self._wake()
        self._thread.join()
        self._listener.close()

    def close(self, deadline: float) -> None:
        """Waits for responses in progress until `deadline` (time.monotonic), and closes the other connections."""
        idle = all(
            self._slots.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in range(_MOST_AT_ONCE)
        )
        for connection in [*self._connections.values(), *self._whole]:
            connection.close()
        if idle:
            while not self._done.empty():
                self._done.get().close()
            # Not closed otherwise, because a thread may still write to it.
            os.close(self._wake_write)
        os.close(self._wake_read)
        self._selector.close()

    def close_listener(self) -> None:
        """Closes a forked process's copy of the listening socket."""
        self._listener.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the pipe is full, so the reader wakes anyway
            os.write(self._wake_write, b"\0")

    def _run(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(self._seconds()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif key.fileobj in self._connections:
                    self._read(self._connections[key.fileobj])
            self._linger()
            self._expire()
            self._answer_whole()
            if self._paused and self._has_room():
                self._paused = False
                self._selector.register(self._listener, selectors.EVENT_READ)

    def _seconds(self) -> float | None:
        """Returns the seconds until the next deadline; None if no connection has one."""
        deadlines = [each.deadline for each in self._connections.values()]
        if self._paused:
            deadlines += [each.begun + _CHANCE for each in islice(self._connections.values(), 1)]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _has_room(self) -> bool:
        """Returns whether another connection can be accepted, if necessary in place of the oldest one."""
        oldest = next(iter(self._connections.values()), None)
        full = oldest is not None and len(self._connections) >= self._most
        return not full or (oldest is not None and oldest.begun + _CHANCE <= time.monotonic())

    def _accept(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            if not self._has_room():
                self._paused = True
                self._selector.unregister(self._listener)
                return
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # No descriptor is left: close the connection that has been silent the longest.
                if not self._close_oldest():
                    time.sleep(_BREATH)
                return
            if len(self._connections) >= self._most:
                self._close_oldest()
            self._watch(_Connection(sock, PATIENCE, answered=False))

    def _watch(self, connection: _Connection) -> None:
        connection.sock.setblocking(False)
        self._connections[connection.sock] = connection
        self._selector.register(connection.sock, selectors.EVENT_READ)

    def _forget(self, connection: _Connection) -> None:
        del self._connections[connection.sock]
        self._selector.unregister(connection.sock)

    def _close(self, connection: _Connection) -> None:
        self._forget(connection)
        connection.close()

    def _close_oldest(self) -> bool:
        """Closes the oldest connection; returns False if there is none."""
        oldest = next(iter(self._connections.values()), None)
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.count += len(data)
        if not data or connection.count > _LONGEST:
            self._close(connection)
        elif not connection.answered:
            connection.data += data
            if is_whole(bytes(connection.data)):
                self._forget(connection)
                self._whole.append(connection)

    def _linger(self) -> None:
        """Keeps connections with a finished response open until the client closes them, for at most one second."""
        while not self._done.empty():
            connection = _Connection(self._done.get(), _LINGER, answered=True)
            if len(self._connections) < self._most:
                self._watch(connection)
            else:
                connection.close()

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in [each for each in self._connections.values() if each.deadline <= now]:
            self._close(connection)

    def _answer_whole(self) -> None:
        while len(self._whole) > self._most:
            self._close_waiting()
        while self._whole and self._slots.acquire(blocking=False):
            try:
                threading.Thread(target=self._answer_waiting, daemon=True).start()
            except RuntimeError:  # Python cannot start a thread
                self._close_waiting()
                self._slots.release()
                time.sleep(_BREATH)

    def _close_waiting(self) -> None:
        """Closes the connection that has waited longest for a response."""
        with contextlib.suppress(IndexError):  # a thread has just taken it
            self._whole.popleft().close()

    def _answer_waiting(self) -> None:
        """Responds to all waiting requests in this thread: starting a thread takes longer than a response."""
        try:
            while not self._ending:
                self._answer(self._whole.popleft())
        except IndexError:
            return
        finally:
            self._slots.release()
            self._wake()

    def _answer(self, connection: _Connection) -> None:
        try:
            # A client that disconnected is not an error.
            with contextlib.suppress(OSError):
                connection.sock.settimeout(PATIENCE)
                connection.sock.sendall(self._respond(bytes(connection.data), connection.sock))
                connection.sock.shutdown(socket.SHUT_WR)
        finally:
            self._done.put(connection.sock)
            self._wake()
