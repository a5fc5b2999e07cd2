"""Transports to software TPMs: swtpm over TCP or a Unix socket, and the reference simulator's protocol (mssim)."""

import contextlib
import os
import socket
import time

from ..errors import TransportError
from .base import DescriptorTransport

__all__ = ["MssimTransport", "SwtpmTransport"]

TPM_SEND_COMMAND = 8
TPM_SESSION_END = 20


class SwtpmTransport(DescriptorTransport):
    """A connection to swtpm by TCP or a Unix socket, which carries commands and responses without framing."""

    hint = "swtpm serves one client at a time: is another client connected?"

    def __init__(self, address: str | tuple[str, int], path: str, timeout: float) -> None:
        super().__init__(_open_connection(address, path, timeout), path, timeout)


class MssimTransport(DescriptorTransport):
    """A connection to TCG's reference simulator by its TCP protocol, which frames each command and response."""

    hint = "the simulator serves one client at a time: is another client connected?"

    def __init__(self, address: tuple[str, int], path: str, timeout: float) -> None:
        super().__init__(_open_connection(address, path, timeout), path, timeout)

    def _add_frame(self, command: bytes) -> bytes:
        locality = b"\0"
        return TPM_SEND_COMMAND.to_bytes(4, "big") + locality + len(command).to_bytes(4, "big") + command

    def _remove_frame(self, data: bytes) -> bytes | None:
        """Returns the response in the bytes received so far; None if it is incomplete.

        The frame of a response is its size, the response, and four zero bytes. Raises TransportError
        for an invalid response.
        """
        if len(data) < 4 + 10:
            return None
        size = self._size(data[4:])
        framed = int.from_bytes(data[:4], "big")
        if framed != size:
            raise TransportError(
                f"{self.path}: invalid frame: expected size {size}, got {framed}; is this an mssim server?"
            )
        if len(data) < 4 + size + 4:
            return None
        if data[4 + size :] != bytes(4):
            raise TransportError(
                f"{self.path}: invalid frame: does not end with four zero bytes; is this an mssim server?"
            )
        return data[4 : 4 + size]

    def close(self) -> None:
        """Ends the simulator's session, so that it accepts the next client, and closes the connection."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # the simulator may already be gone
                os.write(self._fd, TPM_SESSION_END.to_bytes(4, "big"))
        super().close()


def _open_connection(address: str | tuple[str, int], path: str, timeout: float) -> int:
    try:
        if isinstance(address, str):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                _connect_in_turn(connection, address, time.monotonic() + timeout)
            except BaseException:
                connection.close()
                raise
        else:
            host, port = address
            # ASCII names are passed as bytes, because getaddrinfo imports encodings.idna for a str.
            name = host.encode() if host.isascii() else host
            connection = socket.create_connection((name, port), timeout)  # type: ignore[arg-type]
            # A command is sent in one write, so Nagle's algorithm would only delay it.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except TimeoutError as error:
        raise TransportError(f"cannot connect to {path}: timed out; is a software TPM running there?") from error
    except ConnectionRefusedError as error:
        raise TransportError(
            f"cannot connect to {path}: connection refused; is a software TPM running there?"
        ) from error
    except PermissionError as error:
        raise TransportError(
            f"cannot connect to {path}: permission denied; add the user to the group of socket and directory"
        ) from error
    except OSError as error:
        raise TransportError(f"cannot connect to {path}: {error.strerror or error}") from error
    return connection.detach()


def _connect_in_turn(connection: socket.socket, path: str, deadline: float) -> None:
    """Connects to a Unix socket; retries until the deadline while other clients fill its queue (EAGAIN)."""
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            connection.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
        time.sleep(0.01)
