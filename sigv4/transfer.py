"""Requests and answers whose bodies may be of any size: neither is ever whole in memory."""

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

_BLOCK = 1 << 16  # octets
_NO_LIMIT = 1 << 62  # octets


class _Idle(Deadline):
    """A deadline for each wait, instead of for all of them together."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._seconds = seconds

    def left(self) -> float:
        """The same number of seconds each time."""
        return self._seconds


class Transfer(HttpClient):
    """As HttpClient, but `timeout` bounds each wait for octets to move, not the whole.

    `receive` is called with the answer's head (a Response without a body), once, and gives the function that
    takes its body's blocks. What either raises passes through. The Response of `send` has no body.
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
        with self._told(host, port):
            self._put_head(connection, request, target, proxy_authorization)
            answer = _answer(connection, request)
        head = Response(answer.status, tuple(answer.getheaders()), b"")
        take = self._receive(head)
        while True:
            with self._told(host, port):
                block = answer.read(_BLOCK)
                if not block and answer.length:
                    # read(n) takes a connection that ends early for the end of the body.
                    raise IncompleteRead(b"", answer.length)
            if not block:
                return head
            take(block)

    @contextmanager
    def _told(self, host: str, port: int) -> Iterator[None]:
        """What the network or the server does wrong, as an error of ours."""
        try:
            yield
        except RequestError:
            raise
        except (OSError, HTTPException) as error:
            raise self._failure(error, "get an answer from ", host, port) from error
        except ValueError as error:  # a chunk of negative size
            raise self._failure(HTTPException(), "", host, port) from error


def _answer(connection: HTTPConnection, request: Request) -> HTTPResponse:
    """Sends the request whose headers are in, and reads the answer's head."""
    failure: OSError | None = None
    try:
        connection.endheaders(request.body)
    except TimeoutError:
        raise
    except OSError as error:
        # Who refuses a body does not wait for its end; the answer may be there nevertheless.
        failure = error
    try:
        answer = connection.getresponse()
    except (OSError, HTTPException):
        if failure is not None:
            raise failure from None
        raise
    if answer.status < HTTPStatus.OK:
        raise BadStatusLine("")  # http.client takes all but 100 for the end, and the answer behind it for nothing
    if answer.length is None and not answer.chunked and answer.getheader("Content-Length") is not None:
        raise HTTPException  # no number, for which http.client would read on to the close (RFC 9112 §6.3)
    return answer
