"""An HTTP client that streams bodies of any size, and never has a whole body in memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, cast

from .errors import RequestError
from .http import HttpClient, Response
from .request import Request
from .sockets import BoundedSocket, Deadline

if TYPE_CHECKING:
    import socket

__all__ = ["Transfer"]

_BLOCK = 1 << 16  # bytes
_NO_LIMIT = 1 << 62  # bytes


class _Idle(Deadline):
    """A deadline that restarts for each wait."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._seconds = seconds

    def left(self) -> float:
        """Returns the number of seconds that a wait can take."""
        return self._seconds


class Transfer(HttpClient):
    """An HttpClient that streams bodies; `timeout` limits each wait for data, not the whole transfer.

    `receive` is called once, with the response's head (a Response without a body). It returns a function that is
    called with each block of the body. Errors of both functions pass through. The Response that `send` returns has
    no body.
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
        connection = HTTPConnection(host, port)
        connection.sock = cast("socket.socket", BoundedSocket(sock, _Idle(self.timeout), _NO_LIMIT))
        with self._convert_errors(host, port):
            self._put_head(connection, request, target, proxy_authorization)
            response = _exchange_heads(connection, request)
        head = Response(response.status, tuple(response.getheaders()), b"")
        receive_block = self._receive(head)
        while True:
            with self._convert_errors(host, port):
                block = response.read(_BLOCK)
                if not block and response.length:
                    # read(n) does not tell a connection that ends early from the end of the body.
                    raise IncompleteRead(b"", response.length)
            if not block:
                return head
            receive_block(block)

    @contextmanager
    def _convert_errors(self, host: str, port: int) -> Iterator[None]:
        """Converts exceptions of the standard library to errors of sigv4."""
        try:
            yield
        except RequestError:
            raise
        except (OSError, HTTPException) as error:
            raise self._convert(error, "get a response from ", host, port) from error
        except ValueError as error:  # a chunk of negative size
            raise self._convert(HTTPException(), "", host, port) from error


def _exchange_heads(connection: HTTPConnection, request: Request) -> HTTPResponse:
    """Sends the request body and reads the response's head.

    The request's headers have already been passed to `connection`.
    """
    failure: OSError | None = None
    try:
        connection.endheaders(request.body)
    except TimeoutError:
        raise
    except OSError as error:
        # A server that refuses the body may respond and close before it has read all of it.
        failure = error
    try:
        response = connection.getresponse()
    except (OSError, HTTPException):
        if failure is not None:
            raise failure from None
        raise
    if response.status < HTTPStatus.OK:
        # http.client skips status 100 only, and would ignore the response after another 1xx.
        raise BadStatusLine("")
    if response.length is None and not response.chunked and response.getheader("Content-Length") is not None:
        # http.client ignores a Content-Length that is not a number, and would read to the close (RFC 9112 §6.3).
        raise HTTPException
    return response
