"""The two protocols: ECS's container credentials, and EC2's metadata service, version 2 only.

Sources: AWS SDKs and Tools Reference Guide, "Container credential provider"; Amazon EC2 User Guide, "Use the
Instance Metadata Service to access instance metadata".
"""

import contextlib
import io
import json
import socket
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple

from .head import BoundedInput, TooMuchError
from .store import Store, UnavailableError
from .tokens import Sessions, TokenFile

if TYPE_CHECKING:
    from .server import CredentialServer

__all__ = ["Desk", "Handler"]

PATIENCE = 5.0
"""Seconds for a request to come in, and again for its answer to go out."""

LONGEST_HEAD = 16384
"""Octets of a request."""

ROLE = "tpmwire"
_LIST = "/latest/meta-data/iam/security-credentials"
_REGION = "/latest/meta-data/placement/region"
_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Desk(NamedTuple):
    """What is served and to whom; `imds`: the metadata service, too, to whoever reaches it.

    `region` is what the metadata service says of it; None where it is not known.
    """

    store: Store
    token: TokenFile
    sessions: Sessions
    imds: bool = False
    region: str | None = None


class Handler(BaseHTTPRequestHandler):
    """One request a connection, without a body. What is refused is told in JSON, as SDKs read it.

    Who asks may be a web page, by a host name that was made to point here, or somebody behind a proxy; they are
    known by the headers that browsers and proxies add.
    """

    server: "CredentialServer"  # type: ignore[assignment]
    default_request_version = "HTTP/1.0"  # as below, for what has no version

    def __init__(self, sock: socket.socket, server: "CredentialServer", port: int | None) -> None:
        self._port = port
        super().__init__(sock, None, server)  # type: ignore[arg-type]

    def setup(self) -> None:
        """As in the base, but bounded in time and size."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(BoundedInput(self.connection, PATIENCE, LONGEST_HEAD))

    def handle(self) -> None:
        """One request."""
        self.close_connection = True
        self.command, self.requestline, self.request_version = "", "", "HTTP/1.1"
        try:
            self.handle_one_request()
        except TooMuchError:
            self._refuse(431, "RequestTooLarge", f"a request here has at most {LONGEST_HEAD} octets")
            self._drain()

    def version_string(self) -> str:
        """Who answers; not which version of it."""
        return "tpmwire"

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: request lines are others' words."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses itself; without its echo of the request."""
        if code == 501:
            return self._refuse(405, "MethodNotAllowed", "only GET, and PUT for a token of the metadata service")
        self._refuse(code, "BadRequest", "this is no request that is understood here")

    def do_PUT(self) -> None:
        """Opens a session of the metadata service."""
        if not self._allowed():
            return None
        if self.path != "/latest/api/token" or not self.server.desk.imds:
            return self._nothing()
        wanted = self.headers.get(_TTL, "")
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 6 and 1 <= int(wanted) <= 21600):
            return self._refuse(400, "BadRequest", f"{_TTL} must be 1 to 21600")
        return self._answer(200, self.server.desk.sessions.open(int(wanted)), "text/plain", (_TTL, wanted))

    def do_GET(self) -> None:
        """Gives credentials to who has a token."""
        if not self._allowed():
            return None
        desk, path = self.server.desk, self.path.removesuffix("/")
        if path == "/credentials":
            if not desk.token.opens(self.headers.get("Authorization", "")):
                return self._refuse(401, "Unauthorized", "the Authorization header has not the token file's token")
            return self._credentials(metadata=False)
        if not desk.imds:
            return self._nothing()
        if not desk.sessions.has(self.headers.get("X-aws-ec2-metadata-token", "")):
            return self._refuse(401, "Unauthorized", "IMDSv2 only: PUT /latest/api/token gives a token")
        if path == _LIST:
            return self._answer(200, ROLE, "text/plain")
        if path == f"{_LIST}/{ROLE}":
            return self._credentials(metadata=True)
        if path == _REGION and desk.region:
            return self._answer(200, desk.region, "text/plain")
        return self._nothing()

    def _allowed(self) -> bool:
        if len(self.requestline.split()) != 3 or not self.request_version.startswith("HTTP/1."):
            self.request_version = "HTTP/1.0"  # by 0.9 the answer would have no head
            self._refuse(505, "BadRequest", "only HTTP/1.0 and 1.1 are spoken here")
        elif self.headers.defects:
            # The parser takes the rest for a body, and with it what a proxy may have added (RFC 9112, §5.1).
            self._refuse(400, "BadRequest", "a line of the head is no header")
        elif not self._host_is_ours():
            self._refuse(403, "Forbidden", "the Host header is not this server's")
        elif "X-Forwarded-For" in self.headers or "Forwarded" in self.headers:
            self._refuse(403, "Forbidden", "forwarded requests get nothing")
        elif "Origin" in self.headers or "Sec-Fetch-Site" in self.headers:
            self._refuse(403, "Forbidden", "web pages get nothing")
        elif self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self._refuse(413, "BadRequest", "a request here has no body")
            self._drain()
        else:
            return True
        return False

    def _host_is_ours(self) -> bool:
        given = self.headers.get_all("Host", [])
        if len(given) != 1:
            return False
        host = given[0].lower()
        if self._port is None:  # a unix socket's clients make up a host
            name = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
            return name in _HOSTS
        names = (*_HOSTS, self._bound())
        return host in {f"{name}:{self._port}" for name in names} or (self._port == 80 and host in names)

    def _bound(self) -> str:
        return str(self.connection.getsockname()[0])

    def _credentials(self, *, metadata: bool) -> None:
        store = self.server.desk.store
        try:
            found = store.get()
        except UnavailableError:
            return self._refuse(
                503,
                "CredentialsUnavailable",
                "there are no credentials at present: the log of tpmwire serve says why",
                ("Retry-After", str(max(1, round(store.due - time.time())))),
            )
        document = {
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "Token": found.session_token,
            "Expiration": found.expiration,
        }
        if metadata:
            from sigv4.times import rfc3339

            document = {
                "Code": "Success",
                "LastUpdated": rfc3339(store.fetched),
                "Type": "AWS-HMAC",
                **document,
            }
        if found.account_id:
            document["AccountId"] = found.account_id
        return self._answer(200, json.dumps(document), "application/json")

    def _nothing(self) -> None:
        self._refuse(404, "NotFound", "there is nothing here")

    def _refuse(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> None:
        self._answer(status, json.dumps({"Code": code, "Message": message}), "application/json", *headers)

    def _answer(self, status: int, text: str, kind: str, *headers: tuple[str, str]) -> None:
        self.connection.settimeout(PATIENCE)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 405:
            self.send_header("Allow", "GET, PUT")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drain(self) -> None:
        """Reads what is still coming for a moment; closing at once could take the answer from the client."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            rest = BoundedInput(self.connection, 1.0, 1 << 20)
            with contextlib.suppress(TooMuchError):
                while rest.readinto(bytearray(65536)):
                    pass
