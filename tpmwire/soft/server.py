"""Serves a soft TPM over sockets like swtpm: one socket for TPM commands and one for control commands."""

import contextlib
import selectors
import socket
from collections.abc import Callable

from ..wire import HEADER_SIZE
from .transport import SoftTransport

__all__ = ["serve"]

LARGEST = 8192
"""Maximum size of a command in bytes."""

CONTROL = {1: 8, 3: 4, 4: 8, 5: 4, 9: 4, 10: 4, 14: 4}
"""Size in bytes of the response to each supported command of swtpm's control channel."""

INIT, SET_LOCALITY, SHUTDOWN = 2, 5, 3


def serve(tpm: SoftTransport, commands: socket.socket, control: socket.socket | None = None) -> None:
    """Serves clients of two listening sockets until a client of the control socket requests a shutdown.

    Only one client at a time can send TPM commands. Other clients wait, as with swtpm.
    """
    with selectors.DefaultSelector() as selector:
        _Server(tpm, selector, commands, control).run()


class _Server:
    def __init__(
        self,
        tpm: SoftTransport,
        selector: selectors.BaseSelector,
        commands: socket.socket,
        control: socket.socket | None,
    ) -> None:
        self._tpm = tpm
        self._selector = selector
        self._commands = commands
        self._running = True
        self._buffers: dict[socket.socket, bytes] = {}
        selector.register(commands, selectors.EVENT_READ, self._accept_client)
        if control is not None:
            selector.register(control, selectors.EVENT_READ, self._accept_control)

    def run(self) -> None:
        """Handles socket events until a shutdown."""
        try:
            while self._running:
                for key, _ in self._selector.select():
                    handle: Callable[[socket.socket], None] = key.data
                    assert isinstance(key.fileobj, socket.socket)
                    handle(key.fileobj)
        finally:
            for client in self._buffers:
                client.close()

    def _accept_client(self, listening: socket.socket) -> None:
        client, _ = listening.accept()
        self._selector.unregister(listening)
        self._add(client, self._read_command)

    def _accept_control(self, listening: socket.socket) -> None:
        client, _ = listening.accept()
        self._add(client, self._read_control)

    def _add(self, client: socket.socket, handle: Callable[[socket.socket], None]) -> None:
        self._buffers[client] = b""
        self._selector.register(client, selectors.EVENT_READ, handle)

    def _receive(self, client: socket.socket) -> bytes:
        """Returns the client's bytes that are not yet handled, or an empty string if the client disconnected."""
        with contextlib.suppress(OSError):
            if data := client.recv(LARGEST):
                self._buffers[client] += data
                return self._buffers[client]
        self._selector.unregister(client)
        del self._buffers[client]
        client.close()
        return b""

    def _read_command(self, client: socket.socket) -> None:
        data = self._receive(client)
        if client not in self._buffers:
            self._selector.register(self._commands, selectors.EVENT_READ, self._accept_client)
            return
        if len(data) < HEADER_SIZE:
            return
        size = int.from_bytes(data[2:6], "big")
        if HEADER_SIZE <= size <= LARGEST and len(data) < size:
            return
        self._buffers[client] = b""
        with contextlib.suppress(OSError):
            client.sendall(self._tpm.transceive(data))

    def _read_control(self, client: socket.socket) -> None:
        data = self._receive(client)
        if len(data) < 4:
            return
        code = int.from_bytes(data[:4], "big")
        if code in (INIT, SET_LOCALITY) and len(data) < 5:
            return
        self._buffers[client] = b""
        if code == SET_LOCALITY:
            self._tpm.machine.locality = data[4]
        with contextlib.suppress(OSError):
            client.sendall(bytes(CONTROL.get(code, 4)))
        if code == SHUTDOWN:
            self._running = False
