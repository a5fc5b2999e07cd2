"""Software TPMs: swtpm over TCP or a Unix socket, and the reference simulator's framing (mssim)."""

import contextlib
import os
import socket
import time

from ..errors import TransportError
from .base import Transport

__all__ = ["MssimTransport", "SwtpmTransport"]

TPM_SEND_COMMAND = 8
TPM_SESSION_END = 20


class SwtpmTransport(Transport):
    """A stream socket that takes commands and gives responses, nothing around them."""

    hint = "swtpm serves one client at a time: is another one connected?"

    def __init__(self, address: str | tuple[str, int], path: str, timeout: float) -> None:
        super().__init__(_connected(address, path, timeout), path, timeout)


class MssimTransport(Transport):
    """The TCG reference simulator's TCP protocol: each command and response in a frame."""

    hint = "the simulator serves one client at a time: is another one connected?"

    def __init__(self, address: tuple[str, int], path: str, timeout: float) -> None:
        super().__init__(_connected(address, path, timeout), path, timeout)

    def _framed(self, command: bytes) -> bytes:
        locality = b"\0"
        return TPM_SEND_COMMAND.to_bytes(4, "big") + locality + len(command).to_bytes(4, "big") + command

    def _unframed(self, octets: bytes) -> bytes | None:
        """Size, response, and a zero that acknowledges."""
        if len(octets) < 4 + 10:
            return None
        size = self._size(octets[4:])
        if int.from_bytes(octets[:4], "big") != size:
            raise TransportError(f"{self.path} frames an answer of {size} octets with another size: is it mssim?")
        if len(octets) < 4 + size + 4:
            return None
        if octets[4 + size :] != bytes(4):
            raise TransportError(f"{self.path} does not end its answer as the simulator's protocol wants")
        return octets[4 : 4 + size]

    def close(self) -> None:
        """Ends the session, so that the simulator takes the next client."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # Gone already is what we wanted.
                os.write(self._fd, TPM_SESSION_END.to_bytes(4, "big"))
        super().close()


def _connected(address: str | tuple[str, int], path: str, timeout: float) -> int:
    try:
        if isinstance(address, str):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                _connect_in_turn(connection, address, time.monotonic() + timeout)
            except BaseException:
                connection.close()
                raise
        else:
            connection = socket.create_connection(address, timeout)
            # A command is one write; waiting for more of it only costs time.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except TimeoutError as error:
        raise TransportError(f"{path} does not take a connection in time: is swtpm running there?") from error
    except ConnectionRefusedError as error:
        raise TransportError(f"nothing listens at {path}: is swtpm running there?") from error
    except PermissionError as error:
        raise TransportError(
            f"no permission to use {path}: the user needs to be in the group of that socket and of its directory"
        ) from error
    except OSError as error:
        raise TransportError(f"connecting to {path} failed: {error.strerror or error}") from error
    return connection.detach()


def _connect_in_turn(connection: socket.socket, path: str, deadline: float) -> None:
    """Where others wait for swtpm already, a Unix socket, unlike TCP, refuses at once (EAGAIN)."""
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            connection.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
        time.sleep(0.01)
