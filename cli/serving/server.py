"""One HTTP server for two protocols: ECS's container credentials, and EC2's metadata service, version 2 only.

Sources: AWS SDKs reference guide, "Container credential provider"; EC2 User Guide, "IMDSv2".
"""

import hmac
import json
import secrets
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .store import Store

__all__ = ["CredentialServer"]

_PATIENCE = 5  # seconds for a request to come in, and for its answer to go out
_MOST_AT_ONCE = 32
_ROLE = "tpmwire"
_LIST = "/latest/meta-data/iam/security-credentials"
_TOKENS_KEPT = 1000
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class CredentialServer(ThreadingHTTPServer):
    """Serves `store` on a bound, listening TCP socket of loopback. `token` opens /credentials.

    `imds`: the metadata service, too, to whoever reaches the port.
    """

    daemon_threads = True

    def __init__(self, listener: socket.socket, store: Store, token: str, *, imds: bool) -> None:
        address = listener.getsockname()
        super().__init__(address[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.store = store
        self.imds = imds
        self.hosts = {f"{host}:{address[1]}" for host in _HOSTS}
        self._token = token.encode("ascii")
        self._sessions: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection; the next one waits in the kernel's queue where there are enough."""
        self._slots.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As in the base; gives the place free."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news, and a traceback could show what it was to get."""

    def knows(self, token: str | None) -> bool:
        """Whether it is the token of the container endpoint."""
        return hmac.compare_digest((token or "").encode("utf-8", "replace"), self._token)

    def open_session(self, seconds: int) -> str:
        """A new token of the metadata service, good for that long."""
        token, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._sessions = {key: end for key, end in self._sessions.items() if end > now}
            while len(self._sessions) >= _TOKENS_KEPT:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[token.encode()] = now + seconds
        return token

    def has_session(self, token: str | None) -> bool:
        """Whether it is a token of the metadata service that is still good."""
        given, now = (token or "").encode("utf-8", "replace"), time.monotonic()
        with self._lock:
            found = [hmac.compare_digest(given, key) and end > now for key, end in self._sessions.items()]
        return any(found)


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, without a body; its head is bounded by http.server (64 KiB lines, 100 headers)."""

    server: CredentialServer
    timeout = _PATIENCE
    server_version = "tpmwire"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: request lines are others' words."""

    def do_PUT(self) -> None:
        """Opens a session of the metadata service."""
        if not self._allowed():
            return
        if self.path != "/latest/api/token" or not self.server.imds:
            return self._refuse(404, "there is nothing here")
        wanted = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 6 and 1 <= int(wanted) <= 21600):
            return self._refuse(400, "the token's lifetime must be 1 to 21600 seconds")
        self._answer(200, self.server.open_session(int(wanted)), "text/plain", wanted)

    def do_GET(self) -> None:
        """Gives credentials to who has a token."""
        if not self._allowed():
            return
        path = self.path.rstrip("/")
        if path == "/credentials":
            if not self.server.knows(self.headers.get("Authorization")):
                return self._refuse(401, "the Authorization header has not the token of the token file")
            return self._credentials({})
        if not self.server.has_session(self.headers.get("X-aws-ec2-metadata-token")):
            return self._refuse(401, "IMDSv2 only: get a token first")
        if path == _LIST:
            return self._answer(200, _ROLE, "text/plain")
        if path == f"{_LIST}/{_ROLE}":
            return self._credentials({"Code": "Success", "Type": "AWS-HMAC"})
        self._refuse(404, "there is nothing here")

    def _allowed(self) -> bool:
        # A page whose host name was made to point here is sent by a browser with that name.
        if self.headers.get("Host", "").lower() not in self.server.hosts or "X-Forwarded-For" in self.headers:
            self._refuse(403, "neither forwarded requests nor other host names")
            return False
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self._refuse(413, "no body, please")
            return False
        return True

    def _credentials(self, document: dict[str, str]) -> None:
        try:
            found = self.server.store.get()
        except Exception:  # noqa: BLE001 - the store has told it
            return self._refuse(503, "no credentials at present: see the log of tpmwire serve")
        document |= {
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "Token": found.session_token,
            "Expiration": found.expiration,
        }
        self._answer(200, json.dumps(document), "application/json")

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, json.dumps({"code": str(status), "message": message}), "application/json")

    def _answer(self, status: int, text: str, kind: str, lifetime: str | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if lifetime is not None:
            self.send_header("X-aws-ec2-metadata-token-ttl-seconds", lifetime)
        self.end_headers()
        self.wfile.write(body)
