"""An HTTP server in a thread of the test."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

__all__ = ["LocalHttp"]


class LocalHttp:
    """Serves requests with a handler on a port of 127.0.0.1. A context manager; `url` is where it listens."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        class Quiet(handler):  # type: ignore[misc, valid-type]
            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
