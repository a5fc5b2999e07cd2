"""The console's sign-in page: takes credentials that work at an STS, for a token, and a token for a redirect."""

import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.exceptions import ClientError

from tests.support.relay import TlsRelay, pump
from tests.support.scripted import ScriptedServer
from tests.support.sts import VerifyingSts

__all__ = ["SigninPage", "signin_page"]


class SigninPage:
    """What it was asked (`seen`, the query of each request), and what it gave (`given`, tokens)."""

    def __init__(self, sts: VerifyingSts) -> None:
        self._sts = sts
        self.seen: list[dict[str, str]] = []
        self.given: list[str] = []
        self.proxy = ""

    def answer(self, url: str) -> tuple[int, str, str]:
        """Status, body and Location for a request, as the IAM User Guide describes them."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.seen.append(query)
        if parts.path != "/federation":
            return 404, "", ""
        if query.get("Action") == "login" and query.get("SigninToken") in self.given:
            return 302, "", query["Destination"]
        if query.get("Action") == "getSigninToken" and self._takes(query):
            self.given.append(secrets.token_urlsafe(40))
            return 200, json.dumps({"SigninToken": self.given[-1]}), ""
        # Some servers repeat what they do not like.
        return 400, f"Invalid session: {query.get('Session')}", ""

    def _takes(self, query: dict[str, str]) -> bool:
        if not 900 <= int(query.get("SessionDuration", "900")) <= 43200:
            return False
        session = json.loads(query["Session"])
        client = boto3.client(
            "sts",
            region_name="us-east-1",
            endpoint_url=self._sts.endpoint,
            aws_access_key_id=session.pop("sessionId"),
            aws_secret_access_key=session.pop("sessionKey"),
            aws_session_token=session.pop("sessionToken"),
        )
        try:
            arn = client.get_caller_identity()["Arn"]
        except ClientError:
            return False
        return not session and ":assumed-role/" in arn


@contextlib.contextmanager
def signin_page(sts: VerifyingSts, host: str) -> Iterator[SigninPage]:
    """The page at https://`host`, certified by `sts.authority()`, for who goes by its `proxy` (HTTPS_PROXY)."""
    page = SigninPage(sts)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, location = page.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    certificate: Path = sts.authority().server_certificate(host)
    with TlsRelay(("127.0.0.1", server.server_port), certificate) as relay:

        def connect(client: socket.socket, request: bytes) -> None:
            if request.split(b" ")[:2] != [b"CONNECT", f"{host}:443".encode()]:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", relay.port), timeout=60) as behind:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(behind, client), daemon=True)
                back.start()
                pump(client, behind)
                back.join()

        with ScriptedServer(connect) as proxy:
            page.proxy = f"http://127.0.0.1:{proxy.port}"
            yield page
    server.shutdown()
    server.server_close()
