"""An HTTP entrance to a server that can do what AWS and networks do: answer in its place, or lose an answer."""

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType

__all__ = ["Front", "refusal"]

Answer = tuple[int, bytes] | None


def refusal(code: str) -> tuple[int, bytes]:
    """An answer by which AWS refuses a call."""
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return 403, text.encode()


class Front:
    """Passes requests on to the server at `port`. A context manager; `url` is where it listens.

    `instead(headers, body)` may give an answer in the server's place; `lose(body)` says whose answer is lost
    once the server has given it.
    """

    def __init__(
        self,
        port: int,
        instead: Callable[[str, str], Answer] = lambda _authorization, _body: None,
        lose: Callable[[str], bool] = lambda _body: False,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = instead(self.headers["Authorization"], body.decode())
                if answer is None:
                    # With the Host that was signed.
                    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                    server.request("POST", self.path, body, dict(self.headers))
                    given = server.getresponse()
                    answer = given.status, given.read()
                    server.close()
                self.close_connection = True
                if lose(body.decode()):
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Front":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
