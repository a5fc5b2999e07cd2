"""An HTTP client that streams bodies of any size, and never holds a whole body in memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .http import HttpClient, Response
from .http_message import HttpMessageError, ResponseReader, write_request
from .request import Request
from .sockets import BoundedSocket, Deadline

if TYPE_CHECKING:
    import socket

__all__ = ["Transfer"]

_BLOCK = 1 << 16  # bytes
_NO_LIMIT = 1 << 62  # bytes


class _Idle(Deadline):
    """A deadline that starts again for each wait."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._seconds = seconds

    def left(self) -> float:
        """Returns the full number of seconds, since the deadline restarts for each wait."""
        return self._seconds


class Transfer(HttpClient):
    """An HttpClient that streams bodies; `timeout` limits each wait for data, not the whole transfer.

    `receive` is called once, with a Response that has no body. `receive` returns a function that is called with
    each block of the body. Errors of both functions pass through. The Response that `send` returns has no body.
    """

    def __init__(
        self,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        *,
        receive: Callable[[Response], Callable[[bytes], object]],
        user_agent: str = "tpmwire",
        warn: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(timeout, environ, user_agent=user_agent, warn=warn)
        self._receive = receive

    def _exchange(
        self,
        sock: "socket.socket",
        request: Request,
        target: str,
        proxy_authorization: str | None,
        host: str,
        port: int,
    ) -> Response:
        bounded = BoundedSocket(sock, _Idle(self.timeout), _NO_LIMIT)
        response = ResponseReader(bounded, request.method)
        with self._convert_errors(host, port):
            self._exchange_heads(bounded, request, target, proxy_authorization, response)
        head = Response(response.status, response.headers, b"")
        receive_block = self._receive(head)
        while True:
            with self._convert_errors(host, port):
                block = response.read(_BLOCK)
            if not block:
                return head
            receive_block(block)

    def _exchange_heads(
        self,
        sock: BoundedSocket,
        request: Request,
        target: str,
        proxy_authorization: str | None,
        response: ResponseReader,
    ) -> None:
        """Sends the request and reads the response's head."""
        failure: OSError | None = None
        try:
            write_request(sock, request.method, target, self._headers(request, proxy_authorization), request.body)
        except TimeoutError:
            raise
        except OSError as error:
            # A server that refuses the body may respond and close before it has read all of it.
            failure = error
        try:
            response.read_head()
        except (OSError, HttpMessageError):
            if failure is not None:
                raise failure from None
            raise

    @contextmanager
    def _convert_errors(self, host: str, port: int) -> Iterator[None]:
        """Converts exceptions of sockets, TLS and HTTP parsing in the block to errors of sigv4."""
        try:
            yield
        except (OSError, HttpMessageError) as error:
            raise self._convert(error, "get a response from ", host, port) from error
