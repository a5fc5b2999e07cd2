"""The credential server, which handles the connections of all its sockets."""

import socket
import time
from collections.abc import Sequence
from functools import partial

from .connections import Connections
from .handler import Service, respond

__all__ = ["CredentialServer"]

_LAST_ANSWERS = 2.0  # seconds to wait for responses in progress when the server stops


class CredentialServer:
    """Serves `service` on bound, listening sockets, which it closes. A context manager.

    Each socket has its own threads, so clients of the port cannot block those of the unix socket.
    """

    def __init__(self, listeners: Sequence[socket.socket], service: Service) -> None:
        self._service = service
        self._connections = [
            Connections(each, partial(respond, service=service, port=_port(each))) for each in listeners
        ]

    def __enter__(self) -> "CredentialServer":
        for each in self._connections:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops accepting connections. Waiting clients get an error; responses in progress are still sent."""
        for each in self._connections:
            each.stop()
        self._service.store.close()
        deadline = time.monotonic() + _LAST_ANSWERS
        for each in self._connections:
            each.close(deadline)

    def close_listeners(self) -> None:
        """Closes the listening sockets in a forked process, which must not keep them open."""
        for each in self._connections:
            each.close_listener()


def _port(listener: socket.socket) -> int | None:
    return None if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])
