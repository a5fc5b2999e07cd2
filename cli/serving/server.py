"""The credential server, which handles the connections of all its sockets."""

import os
import socket
import time
from collections.abc import Callable, Sequence

from .connections import Connections
from .handler import Service, respond
from .listen import admits_others, peer_user

__all__ = ["CredentialServer"]

_LAST_ANSWERS = 2.0  # seconds to wait for responses in progress when the server stops


class CredentialServer:
    """Serves `service` on bound, listening sockets, which it closes. A context manager.

    Each socket has its own threads, so clients of the port cannot block clients of the unix socket.
    """

    def __init__(self, listeners: Sequence[socket.socket], service: Service) -> None:
        self._service = service
        self._connections = [Connections(each, _responder(each, service)) for each in listeners]

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
        for store in (self._service.store, *(each.store for each in self._service.profiles.values())):
            store.close()
        deadline = time.monotonic() + _LAST_ANSWERS
        for each in self._connections:
            each.close(deadline)

    def close_listeners(self) -> None:
        """Closes a forked process's copies of the listening sockets."""
        for each in self._connections:
            each.close_listener()


def _responder(listener: socket.socket, service: Service) -> Callable[[bytes, socket.socket], bytes]:
    """Returns the function that responds to the requests of a socket's connections."""
    if listener.family != socket.AF_UNIX:
        port = int(listener.getsockname()[1])
        return lambda data, _sock: respond(data, service, port)
    others = admits_others(listener)
    return lambda data, sock: respond(data, service, None, trusted=others or peer_user(sock) in (0, os.geteuid()))
