"""The server of `tpmwire serve` in this process, with made-up credentials, on a port and on a unix socket."""

import contextlib
import socket
import time
from pathlib import Path

from cli.serving.handler import Service
from cli.serving.listen import tcp_listener, unix_listener
from cli.serving.server import CredentialServer
from cli.serving.store import Store
from cli.serving.tokens import Sessions, TokenFile
from sigv4.credentials import Credentials
from sigv4.times import rfc3339

__all__ = ["SECRET", "TOKEN", "Running"]

TOKEN = "a-token-of-the-test"
SECRET = "made-up-secret"


class Running:
    """A server on a port and on a unix socket, whose store has credentials unless `empty`."""

    def __init__(self, directory: Path, imds: bool, empty: bool = False) -> None:
        (directory / "token").touch(0o600)
        (directory / "token").write_text(TOKEN)
        self.path = str(directory / "socket")
        self.store = Store(lambda: Credentials("ASIAMADEUP", SECRET, "made-up-token", rfc3339(time.time() + 3600)))
        if not empty:
            self.store.fetch()
        self.listeners = [tcp_listener("127.0.0.1", 0), unix_listener(self.path, 0o600)]
        self.port: int = self.listeners[0].getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        token = TokenFile(str(directory / "token"))
        service = Service(self.store, token, Sessions(), imds, "eu-central-1", process=True)
        self.server = CredentialServer(self.listeners, service)

    def send(self, octets: bytes, *, unix: bool = False) -> bytes:
        """All that comes back for these octets, after which nothing more is sent."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(socket.socket(socket.AF_UNIX if unix else socket.AF_INET))
            sock.settimeout(60)
            sock.connect(self.path if unix else ("127.0.0.1", self.port))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(octets)
                sock.shutdown(socket.SHUT_WR)
            return _all(sock)

    def ask(self, line: str, *headers: str, host: str | None = None, unix: bool = False) -> tuple[int, str, str]:
        """Status, head and body of the answer."""
        lines = [f"{line} HTTP/1.1", f"Host: {host or self.host}", *headers, "", ""]
        head, _, body = self.send("\r\n".join(lines).encode("latin-1"), unix=unix).decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body


def _all(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(65536):
        data += more
    return data
