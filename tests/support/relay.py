"""A TLS-terminating relay: what comes in under TLS goes on in clear to another address.

It writes at once and acknowledges late, as Go's servers and others do: a request written in two pieces takes 40 ms
more, unless the client has set TCP_NODELAY.
"""

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType


class TlsRelay:
    """Listens on `host` with the certificate in `certificate`; `port` is where. A context manager."""

    def __init__(self, target: tuple[str, int], certificate: Path, host: str = "127.0.0.1") -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "TlsRelay":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the listening; connections end by themselves."""
        # close() alone does not wake the accept() of another thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):  # a client that refuses our certificate is what tests want
            client.settimeout(30)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _acknowledge_late(client)
            secured = self._context.wrap_socket(client, server_side=True)
            with secured, socket.create_connection(self._target, timeout=30) as plain:
                back = threading.Thread(target=pump, args=(plain, secured), daemon=True)
                back.start()
                pump(secured, plain, late=True)
                back.join()


def connect_here(client: socket.socket, request: bytes) -> None:
    """A proxy's CONNECT, as a script of ScriptedServer: whatever host is asked for, the port is this machine's."""
    connect_to(int(request.split(b" ")[1].rpartition(b":")[2]), client)


def connect_to(port: int, client: socket.socket) -> None:
    """Answers a proxy's CONNECT: whatever is asked for, the server is at `port` of this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as server:
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def _acknowledge_late(sock: socket.socket) -> None:
    """Until the next read: Linux changes this back by itself (tcp(7), TCP_QUICKACK)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


def pump(source: socket.socket, sink: socket.socket, *, late: bool = False) -> None:
    """Passes bytes on until one side ends; acknowledges those of `source` late, if wanted."""
    with contextlib.suppress(OSError):
        while True:
            if late:
                _acknowledge_late(source)
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
