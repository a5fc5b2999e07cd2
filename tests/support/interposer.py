"""Somebody on the bus: a relay between a program and its TPM that listens, and on demand changes what goes by."""

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from tpmwire.spec.constants import TPM_CC
from tpmwire.transport import open_transport

__all__ = ["Interposer", "Pair", "read_message"]


class Pair(NamedTuple):
    """A command and its response as the program saw them."""

    command: bytes
    response: bytes

    @property
    def code(self) -> str:
        """The command's name."""
        return TPM_CC(int.from_bytes(self.command[6:10], "big")).name


def unchanged(octets: bytes, _other: bytes) -> bytes:
    """Lets an answer pass."""
    return octets


class Interposer:
    """A Unix socket at `path` that relays to the TPM at `target`. A context manager.

    `dialogue` holds all pairs. `on_response(response, command)` may change a response; `on_command(command)` may
    answer in the TPM's place by returning octets, or return None to let the command pass; `on_forward(command)` is
    the command as the TPM then gets it. `Interposer.running` lists those of this process.
    """

    running: ClassVar[list["Interposer"]] = []

    def __init__(self, target: str) -> None:
        self.target = target
        self.dialogue: list[Pair] = []
        self.on_response: Callable[[bytes, bytes], bytes] = unchanged
        self.on_command: Callable[[bytes], bytes | None] = lambda _command: None
        self.on_forward: Callable[[bytes], bytes] = bytes

    def __enter__(self) -> Self:
        self._directory = tempfile.mkdtemp(prefix="relay-", dir="/tmp")
        self.path = os.path.join(self._directory, "s")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        # tpm2-tools speak to swtpm's control channel too; what goes by there is none of our business.
        os.symlink(f"{self.target.removeprefix('swtpm:path=')}.ctrl", f"{self.path}.ctrl")
        Interposer.running.append(self)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        Interposer.running.remove(self)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
        shutil.rmtree(self._directory)

    @property
    def codes(self) -> list[str]:
        """The commands' names, in order."""
        return [pair.code for pair in self.dialogue]

    @property
    def octets(self) -> bytes:
        """Everything that crossed the bus."""
        return b"".join(pair.command + pair.response for pair in self.dialogue)

    def clear(self) -> None:
        """Forgets what went by, and lets everything pass again."""
        self.dialogue.clear()
        self.on_response = unchanged
        self.on_command = lambda _command: None
        self.on_forward = bytes

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(ConnectionError):
                self._relay(client)

    def _relay(self, client: socket.socket) -> None:
        tpm = open_transport(self.target, 30)
        try:
            while command := read_message(client):
                response = self.on_command(command)
                if response is None:
                    response = self.on_response(tpm.transceive(self.on_forward(command)), command)
                self.dialogue.append(Pair(command, response))
                client.sendall(response)
        finally:
            tpm.close()


def read_message(peer: socket.socket) -> bytes:
    """A whole command or response; empty at the end of the connection."""
    data = b""
    while len(data) < 10 or len(data) < int.from_bytes(data[2:6], "big"):
        more = peer.recv(4096)
        if not more:
            return b""
        data += more
    return data
