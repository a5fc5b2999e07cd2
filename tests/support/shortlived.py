"""The verifying STS behind an entrance that shortens what it gives: AWS gives nothing under 15 minutes."""

import http.client
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.front import refusal
from tests.support.sts import VerifyingSts

__all__ = ["ShortLived"]


class ShortLived:
    """Passes requests on to `sts`, which checks the signature, and has its credentials end after `seconds`.

    Where `refusing` is set, AWS's AccessDenied is the answer. `open.clear()` holds answers until `open.set()`.
    `asked` counts requests, `issued` the times (POSIX seconds) at which credentials were given. A context manager.
    """

    def __init__(self, sts: VerifyingSts, seconds: float) -> None:
        self.seconds = seconds
        self.refusing = False
        self.open = threading.Event()
        self.open.set()
        self.asked = 0
        self.issued: list[float] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                outer.open.wait(30)
                status, answer = outer.answer(sts.port, self.path, body, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, port: int, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The answer to one request."""
        if self.refusing:
            return refusal("AccessDenied")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", path, body, headers)
        given = connection.getresponse()
        answer = given.read()
        connection.close()
        now = time.time()
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + self.seconds))
        shorter, changed = re.subn(
            rb"<Expiration>[^<]*</Expiration>", f"<Expiration>{end}</Expiration>".encode(), answer
        )
        if changed:
            self.issued.append(now)
        return given.status, shorter

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
