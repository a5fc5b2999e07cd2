"""A listening socket and its connections, which are read in one thread."""

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
_CHANCE = 0.1  # seconds to send, before a connection is closed for another one
_BREATH = 0.1  # seconds; if the system has no descriptor or thread left
_LINGER = 1.0  # seconds; closing while data still arrives could discard the response
_LONGEST = 1 << 20  # bytes of a connection


def raise_descriptor_limit() -> None:
    """Increases this process's limit of file descriptors to the maximum, for many connections."""
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
            # Closing alone would not end it if a forked process (cli/tpm/cleanup.py) also holds it.
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Connections:
    """Reads the requests of all connections in one thread, and responds to each request in its own thread.

    A silent connection thus does not block others. If there are too many connections, the oldest is closed after
    a short time to send; until then, further connections wait in the kernel's queue. `respond` takes the bytes of
    a request and returns the bytes of the response.
    """

    def __init__(self, listener: socket.socket, respond: Callable[[bytes], bytes]) -> None:
        self._listener = listener
        self._respond = respond
        self._most = max(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 8)
        self._connections: dict[socket.socket, _Connection] = {}  # the oldest first
        self._whole: deque[_Connection] = deque()
        self._done: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._ending = self._paused = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # If a client disconnects before accept(2), it must not block until the next one.
        listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stops accepting and reading; responses in progress may still be sent."""
        self._ending = True
        self._wake()
        self._thread.join()
        self._listener.close()

    def close(self, deadline: float) -> None:
        """Waits for responses in progress, at most until `until` (of time.monotonic), and closes the rest."""
        idle = all(
            self._slots.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in range(_MOST_AT_ONCE)
        )
        for connection in [*self._connections.values(), *self._whole]:
            connection.close()
        if idle:
            while not self._done.empty():
                self._done.get().close()
            # Else a thread may still write to it.
            os.close(self._wake_write)
        os.close(self._wake_read)
        self._selector.close()

    def close_listener(self) -> None:
        """Closes the listening socket in a forked process, which must not keep it open."""
        self._listener.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: then it will wake anyway
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
        """Returns the seconds until the next deadline."""
        deadlines = [each.deadline for each in self._connections.values()]
        if self._paused:
            deadlines += [each.begun + _CHANCE for each in islice(self._connections.values(), 1)]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _has_room(self) -> bool:
        """Returns whether a further connection can be accepted; closes an old connection if necessary."""
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
                # No descriptor is left: the longest silent connection is closed.
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
        """Closes the oldest connection if possible; returns whether one was closed."""
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
        """Waits for clients to close their connections after the response."""
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
            self._whole.popleft().close()
        while self._whole and self._slots.acquire(blocking=False):
            connection = self._whole.popleft()
            try:
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
            except RuntimeError:  # "can't start new thread"
                connection.close()
                self._slots.release()
                time.sleep(_BREATH)

    def _answer(self, connection: _Connection) -> None:
        try:
            # A client that disconnected is not an error.
            with contextlib.suppress(OSError):
                connection.sock.settimeout(PATIENCE)
                connection.sock.sendall(self._respond(bytes(connection.data)))
                connection.sock.shutdown(socket.SHUT_WR)
        finally:
            self._done.put(connection.sock)
            self._slots.release()
            self._wake()
