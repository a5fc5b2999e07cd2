"""A TCP server that does to each connection what a script says: faults that no real server has on demand."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

Step = Callable[[socket.socket, bytes], None]

STS_ANSWER = (
    "<GetSessionTokenResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetSessionTokenResult><Credentials>"
    "<AccessKeyId>ASIAMADEUPMADEUP0000</AccessKeyId><SecretAccessKey>made+up/secret</SecretAccessKey>"
    "<SessionToken>made//up+token=</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>"
    "</Credentials></GetSessionTokenResult>"
    "<ResponseMetadata><RequestId>0-1</RequestId></ResponseMetadata></GetSessionTokenResponse>"
)


def http(status: str, body: str | bytes = "", *headers: str) -> bytes:
    """An answer with that status line and its Content-Length."""
    data = body.encode() if isinstance(body, str) else body
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data)}", "", "")
    return "\r\n".join(lines).encode() + data


def error(code: str, message: str = "No.") -> str:
    """An STS error document."""
    return (
        "<ErrorResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>0-2</RequestId></ErrorResponse>"
    )


def say(data: bytes) -> Step:
    """Answers with `data` and closes."""
    return lambda sock, _request: sock.sendall(data)


class ScriptedServer:
    """One script for each connection, in order; the last one for all further ones. A context manager.

    `host` is the address to listen at, `certificate` a PEM file for a server that speaks TLS. `requests`
    holds what each connection sent: head and body.
    """

    def __init__(self, *scripts: Step, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self._scripts = scripts
        self.requests: list[bytes] = []
        self._accepted = 0
        self.ended = threading.Event()
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.endpoint = f"http{'s' if certificate else ''}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # A script may hang for as long as it likes; the next attempt is served beside it.
            script = self._scripts[min(self._accepted, len(self._scripts) - 1)]
            self._accepted += 1
            threading.Thread(target=self._serve, args=(client, script), daemon=True).start()

    def _serve(self, client: socket.socket, script: Step) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(client)
            stack.enter_context(contextlib.suppress(OSError))
            client.settimeout(60)
            if self._tls is not None:
                client = stack.enter_context(self._tls.wrap_socket(client, server_side=True))
            request = _read_request(client)
            self.requests.append(request)
            script(client, request)


def _read_request(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    size = int(fields.get(b"content-length", b"0"))
    while len(body) < size:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body
