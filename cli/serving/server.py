"""The server, with a door for each socket."""

import socket
import time
from collections.abc import Sequence
from functools import partial

from .door import Door
from .handler import Desk, respond

__all__ = ["CredentialServer"]

_LAST_ANSWERS = 2.0  # seconds for responses in progress when the server ends


class CredentialServer:
    """Serves `desk` on bound, listening sockets, which it closes. A context manager.

    Clients of the port cannot block those of the unix socket: each socket has its own threads.
    """

    def __init__(self, listeners: Sequence[socket.socket], desk: Desk) -> None:
        self._desk = desk
        self._doors = [Door(each, partial(respond, desk=desk, port=_port(each))) for each in listeners]

    def __enter__(self) -> "CredentialServer":
        for door in self._doors:
            door.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops accepting connections. Clients that wait for credentials get an error; responses are sent."""
        for door in self._doors:
            door.stop()
        self._desk.store.close()
        deadline = time.monotonic() + _LAST_ANSWERS
        for door in self._doors:
            door.close(deadline)

    def close_listeners(self) -> None:
        """Closes the ports in a forked process, which must not hold them."""
        for door in self._doors:
            door.close_listener()


def _port(listener: socket.socket) -> int | None:
    return None if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])
