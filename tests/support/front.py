"""An HTTP entrance to a server that can do what AWS and networks do: answer in its place, or lose an answer."""

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple
from urllib.parse import parse_qsl

from tests.support.local_http import LocalHttp

__all__ = ["Exchange", "Front", "refusal"]

Answer = tuple[int, bytes] | None


class Exchange(NamedTuple):
    """A request, by its Authorization header and its body, and the body of its answer."""

    authorization: str
    body: str
    answer: str

    def signed_with(self) -> str:
        """The access key id that signed it."""
        return self.authorization.partition("Credential=")[2].partition("/")[0]

    def form(self) -> dict[str, str]:
        """The request's fields."""
        return dict(parse_qsl(self.body, keep_blank_values=True))


def refusal(code: str) -> tuple[int, bytes]:
    """An answer by which AWS refuses a call."""
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return 403, text.encode()


class Front(LocalHttp):
    """Passes requests on to the server at `port`. A context manager; `url` is where it listens.

    `instead(headers, body)` may give an answer in the server's place; `lose(body)` says whose answer is lost
    once the server has given it. `seen` has all that went through.
    """

    def __init__(
        self,
        port: int,
        instead: Callable[[str, str], Answer] = lambda _authorization, _body: None,
        lose: Callable[[str], bool] = lambda _body: False,
    ) -> None:
        self.seen: list[Exchange] = []
        seen = self.seen

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
                seen.append(Exchange(self.headers["Authorization"], body.decode(), answer[1].decode()))
                self.close_connection = True
                if lose(body.decode()):
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

        super().__init__(Handler)
