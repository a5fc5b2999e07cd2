"""Serves a soft TPM over sockets like swtpm or like the reference simulator.

swtpm and the simulator each have one socket for TPM commands and one for control commands.
"""

import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import NamedTuple

from ..errors import TransportTimeoutError
from ..wire import HEADER_SIZE
from .transport import SoftTransport

__all__ = ["serve"]

LARGEST = 4096
"""Maximum size of a command in bytes."""

CONTROL = {1: 8, 3: 4, 4: 8, 5: 4, 9: 4, 10: 4, 14: 4}
"""Size in bytes of the response to each supported command of swtpm's control channel."""

INIT, SET_LOCALITY, SHUTDOWN = 2, 5, 3
PAYLOADS = {INIT: 4, SET_LOCALITY: 1}
"""Size in bytes of the payload of commands of swtpm's control channel. Other commands have none."""

SEND_COMMAND, SESSION_END, STOP = 8, 20, 21
POWER_ON, POWER_OFF, RESET, RESTART = 1, 2, 17, 18
"""Commands of the reference simulator (TpmTcpProtocol.h). SESSION_END and STOP have no response."""


class _Handled(NamedTuple):
    """A handled request: the response, and the size of the request in bytes.

    `closes` means that the client is disconnected, `stops` that the server ends.
    """

    response: bytes
    size: int
    closes: bool = False
    stops: bool = False


_Handler = Callable[[SoftTransport, bytes], _Handled | None]
"""Handles the first request in a client's bytes. Returns None if the request is incomplete."""


def serve(
    tpm: SoftTransport, commands: socket.socket, control: socket.socket | None = None, *, mssim: bool = False
) -> None:
    """Serves clients of two listening sockets until a client of the control socket requests a shutdown.

    `mssim` selects the protocol of the reference simulator instead of swtpm's; `control` is then the platform
    socket. Only one client at a time can send TPM commands. Other clients wait, as with swtpm.
    """
    handlers = (_mssim_command, _mssim_platform) if mssim else (_swtpm_command, _swtpm_control)
    with selectors.DefaultSelector() as selector:
        _Server(tpm, selector, commands, control, handlers).run()


def _swtpm_command(tpm: SoftTransport, data: bytes) -> _Handled | None:
    if len(data) < HEADER_SIZE:
        return None
    size = int.from_bytes(data[2:6], "big")
    if not HEADER_SIZE <= size <= LARGEST:
        size = len(data)  # the TPM refuses the command
    return None if len(data) < size else _Handled(_execute(tpm, data[:size]), size)


def _execute(tpm: SoftTransport, command: bytes) -> bytes:
    """Returns the response to a command, or no bytes if the TPM simulates that it does not respond."""
    try:
        return tpm.transceive(command)
    except TransportTimeoutError:
        return b""


def _swtpm_control(tpm: SoftTransport, data: bytes) -> _Handled | None:
    if len(data) < 4:
        return None
    code = int.from_bytes(data[:4], "big")
    size = 4 + PAYLOADS.get(code, 0)
    if len(data) < size:
        return None
    if code == SET_LOCALITY:
        tpm.machine.locality = data[4]
    elif code == INIT:
        with contextlib.suppress(TransportTimeoutError):  # a simulated fault
            tpm.restart()
    known = code in CONTROL or code == INIT
    # The size of an unknown command is not known: everything is discarded.
    return _Handled(bytes(CONTROL.get(code, 4)), size if known else len(data), stops=code == SHUTDOWN)


def _mssim_command(tpm: SoftTransport, data: bytes) -> _Handled | None:
    """Handles a request to the simulator's command socket: code, locality, size and TPM command.

    The response has its size before it, and four zero bytes after it.
    """
    if len(data) < 4:
        return None
    code = int.from_bytes(data[:4], "big")
    if code != SEND_COMMAND:
        return _Handled(b"", 4, closes=True, stops=code == STOP)
    if len(data) < 9:
        return None
    size = int.from_bytes(data[5:9], "big")
    if size > LARGEST:
        return _Handled(b"", len(data), closes=True)
    if len(data) < 9 + size:
        return None
    tpm.machine.locality = data[4]
    response = _execute(tpm, data[9 : 9 + size])
    framed = len(response).to_bytes(4, "big") + response + bytes(4) if response else b""
    return _Handled(framed, 9 + size)


def _mssim_platform(tpm: SoftTransport, data: bytes) -> _Handled | None:
    if len(data) < 4:
        return None
    code = int.from_bytes(data[:4], "big")
    if code in (SESSION_END, STOP):
        return _Handled(b"", 4, closes=True, stops=code == STOP)
    if code in (POWER_OFF, RESET, RESTART):
        tpm.machine.power_off()
    return _Handled(bytes(4), 4)


class _Server:
    def __init__(
        self,
        tpm: SoftTransport,
        selector: selectors.BaseSelector,
        commands: socket.socket,
        control: socket.socket | None,
        handlers: tuple[_Handler, _Handler],
    ) -> None:
        self._tpm = tpm
        self._selector = selector
        self._commands = commands
        self._handlers = handlers
        self._running = True
        self._buffers: dict[socket.socket, bytes] = {}
        self._commander: socket.socket | None = None  # the client that can send TPM commands
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
        self._commander, _ = listening.accept()
        self._selector.unregister(listening)
        self._add(self._commander)

    def _accept_control(self, listening: socket.socket) -> None:
        client, _ = listening.accept()
        self._add(client)

    def _add(self, client: socket.socket) -> None:
        self._buffers[client] = b""
        self._selector.register(client, selectors.EVENT_READ, self._read)

    def _read(self, client: socket.socket) -> None:
        """Handles all complete requests of a client."""
        data = b""
        with contextlib.suppress(OSError):
            data = client.recv(LARGEST)
        if not data:
            self._disconnect(client)
            return
        self._buffers[client] += data
        handler = self._handlers[0 if client is self._commander else 1]
        while self._buffers[client]:
            handled = handler(self._tpm, self._buffers[client])
            if handled is None:
                return
            self._buffers[client] = self._buffers[client][handled.size :]
            with contextlib.suppress(OSError):
                client.sendall(handled.response)
            self._running = self._running and not handled.stops
            if handled.closes:
                self._disconnect(client)
                return

    def _disconnect(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._buffers[client]
        client.close()
        if client is self._commander:
            self._commander = None
            self._selector.register(self._commands, selectors.EVENT_READ, self._accept_client)
