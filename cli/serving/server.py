"""The server's sockets and threads."""

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Sequence

from .handler import Desk, Handler

__all__ = ["CredentialServer"]

_MOST_AT_ONCE = 64
_BREATH = 0.1  # seconds; where the system has no descriptor or thread left
_LAST_ANSWERS = 2.0  # seconds for answers that are on their way when the server ends


class CredentialServer:
    """Serves `desk` on bound, listening sockets, which it closes. A context manager.

    A thread for each socket accepts, and one for each connection answers it; where a socket has enough of them,
    further ones wait in its queue in the kernel, at most as long as a request may take. So who can only reach the
    port cannot keep others from the unix socket.
    """

    def __init__(self, listeners: Sequence[socket.socket], desk: Desk) -> None:
        self.desk = desk
        self._listeners = list(listeners)
        self._slots = [threading.BoundedSemaphore(_MOST_AT_ONCE) for _ in self._listeners]
        self._end_read, self._end_write = os.pipe2(os.O_CLOEXEC)
        doors = zip(self._listeners, self._slots, strict=True)
        self._threads = [threading.Thread(target=self._accept, args=door, daemon=True) for door in doors]
        for listener in self._listeners:
            # A client that goes away before accept(2) must not let it wait for the next one.
            listener.setblocking(False)

    def __enter__(self) -> "CredentialServer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No connection more; who waits for credentials is told that there are none; answers may go out."""
        # Not by closing it: a process that was forked (cli/abandon.py) may hold it, too.
        os.write(self._end_write, b"\0")
        for thread in self._threads:
            thread.join()
        self.close_listeners()
        self.desk.store.close()
        deadline = time.monotonic() + _LAST_ANSWERS
        for slots in self._slots:
            for _ in range(_MOST_AT_ONCE):
                if not slots.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    break
        os.close(self._end_read)
        os.close(self._end_write)

    def close_listeners(self) -> None:
        """Closes the sockets; also for a process that was forked, which must not hold the port."""
        for listener in self._listeners:
            listener.close()

    def _accept(self, listener: socket.socket, slots: threading.Semaphore) -> None:
        waiting = select.poll()
        waiting.register(self._end_read, select.POLLIN)
        waiting.register(listener, select.POLLIN)
        while True:
            for number, _ in waiting.poll():
                if number == self._end_read or not self._slot(slots):
                    return
                if not self._begin(listener, slots):
                    slots.release()

    def _slot(self, slots: threading.Semaphore) -> bool:
        """Takes a place for a connection; False when the server ends."""
        while not slots.acquire(timeout=_BREATH):
            if select.select([self._end_read], [], [], 0)[0]:
                return False
        return True

    def _begin(self, listener: socket.socket, slots: threading.Semaphore) -> bool:
        """Whether there is a connection, which now has its thread."""
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return False
        except OSError:
            time.sleep(_BREATH)
            return False
        try:
            threading.Thread(target=self._answer, args=(sock, _port(listener), slots), daemon=True).start()
        except RuntimeError:  # "can't start new thread"
            sock.close()
            time.sleep(_BREATH)
            return False
        return True

    def _answer(self, sock: socket.socket, port: int | None, slots: threading.Semaphore) -> None:
        try:
            # A client that went away is no news.
            with sock, contextlib.suppress(OSError):
                Handler(sock, self, port)
                # As above: closing alone would not end it where a forked process holds it.
                sock.shutdown(socket.SHUT_WR)
        finally:
            slots.release()


def _port(listener: socket.socket) -> int | None:
    return None if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])
