"""An HTTP client with deadlines and size limits; TLS certificates are always verified."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping

from .authorities import Authorities
from .errors import NetworkError, RequestError, ResponseError, one_line
from .http_message import (
    MAX_HEAD,
    HeadTooLargeError,
    HttpMessageError,
    InvalidMessageError,
    NoMessageError,
    ResponseReader,
    TruncatedMessageError,
    write_request,
)
from .proxy import Proxy, proxy_for
from .request import Request, host_header, split_url
from .sockets import BoundedSocket, Deadline, TooMuchData, open_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

__all__ = ["MAX_BODY", "MAX_HEAD", "HttpClient", "Response"]

MAX_BODY = 1 << 20  # bytes
_WRONG_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_WRONG_HOST = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


class Response:
    """A complete HTTP response: `status`, `headers` as pairs, `body`."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status} with {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """Returns the first value of the header `name` (case-insensitive); None if the header is missing."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class HttpClient:
    """An HTTP client that opens one connection per request.

    `timeout` (seconds) limits each wait: for the connection, for the TLS handshake, and for the whole response.
    `environ` selects proxies (see `proxy_for`) and CA certificates (see `Authorities`). `warn` receives one line
    if a request is sent unencrypted to another machine.
    """

    def __init__(
        self,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        *,
        user_agent: str = "tpmwire",
        warn: Callable[[str], None] | None = None,
    ) -> None:
        if not 0 < timeout < 1e6:
            raise RequestError(f"invalid timeout {timeout!r}; use a number of seconds above 0")
        self.timeout = timeout
        self._environ = environ or {}
        self._user_agent = user_agent
        self._warn = warn
        self._authorities = Authorities(self._environ)
        self._tls: ssl.SSLContext | None = None

    def check(self, url: str) -> None:
        """Raises RequestError if the proxy for `url` is unsupported, or the CA certificates cannot be read."""
        encrypted = split_url(url).scheme == "https"
        proxy_for(url, self._environ)
        if encrypted and self._authorities.path is not None:
            self._tls_context()

    def send(self, request: Request) -> Response:
        """Sends `request` and returns the whole response, with any status. Redirects are not followed.

        Raises RequestError for an invalid URL or proxy, or an unreadable CA bundle. Raises NetworkError if there
        is no valid response, and ResponseError if the response exceeds MAX_BODY or MAX_HEAD.
        """
        parts = split_url(request.url)
        encrypted = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if encrypted else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not target.isascii() or " " in target or not host.isascii():
            raise RequestError("the URL has spaces or non-ASCII characters; percent-encode them before signing")
        proxy = proxy_for(request.url, self._environ)
        context = self._tls_context() if encrypted else None
        if not encrypted and not _is_loopback(host):
            self._warn_once(
                f"the connection to {host}:{port} is not encrypted (http), and exposes the credentials; use https"
            )
        if proxy is not None and not encrypted:
            target = f"http://{host_header(request.url)}{target}"
        sock = self._connect(proxy, host, port)
        try:
            if proxy is not None and encrypted:
                self._tunnel(sock, proxy, host, port)
            if context is not None:
                sock = self._encrypt(sock, context, host, port)
            authorization = proxy.authorization if proxy is not None and not encrypted else None
            return self._exchange(sock, request, target, authorization, host, port)
        finally:
            sock.close()

    def _warn_once(self, text: str) -> None:
        if self._warn is not None:
            self._warn(text)
            self._warn = None

    def _connect(self, proxy: Proxy | None, host: str, port: int) -> socket.socket:
        peer, peer_port = (proxy.host, proxy.port) if proxy else (host, port)
        try:
            return open_socket(peer, peer_port, Deadline(self.timeout))
        except OSError as error:
            raise self._convert(error, f"connect to {'the proxy ' if proxy else ''}", peer, peer_port) from error

    def _tunnel(self, sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
        """Opens a tunnel through the proxy with a CONNECT request (RFC 9110 §9.3.6)."""
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        bounded = BoundedSocket(sock, Deadline(self.timeout), MAX_HEAD)
        try:
            bounded.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
            head = bounded.read_until(b"\r\n\r\n")
        except OSError as error:
            raise self._convert(error, "open a tunnel through the proxy ", proxy.host, proxy.port) from error
        status = one_line(head.partition(b"\r\n")[0].decode("latin-1"), 100)
        if not head.endswith(b"\r\n\r\n") or not status.startswith("HTTP/1.") or status[8:10] != " 2":
            refused = status[9:12] in ("401", "407")  # some proxies send 401 instead of 407 for a wrong password
            advice = "check user and password in the proxy URL" if refused else "check the proxy"
            raise NetworkError(
                f"proxy {proxy.host}:{proxy.port} did not open a tunnel to {authority}: "
                f"{status or 'no response'}; {advice}",
                proxy.host,
                proxy.port,
                retryable=status[9:10] != "4",
            )

    def _encrypt(self, sock: socket.socket, context: ssl.SSLContext, host: str, port: int) -> ssl.SSLSocket:
        sock.settimeout(self.timeout)
        try:
            # The name is passed as bytes, since ssl would import encodings.idna for a str.
            return context.wrap_socket(sock, server_hostname=host.encode("ascii"))
        except (OSError, ValueError) as error:
            raise self._convert(error, "negotiate TLS with ", host, port) from error

    def _exchange(
        self,
        sock: socket.socket,
        request: Request,
        target: str,
        proxy_authorization: str | None,
        host: str,
        port: int,
    ) -> Response:
        bounded = BoundedSocket(sock, Deadline(self.timeout), MAX_HEAD + MAX_BODY)
        headers = self._headers(request, proxy_authorization)
        try:
            write_request(bounded, request.method, target, headers, request.body)
            response = ResponseReader(bounded, request.method)
            response.read_head()
            return Response(response.status, response.headers, _read_body(response))
        except TooMuchData as error:
            raise ResponseError(
                f"{host}:{port} sent more than {MAX_BODY} bytes; check the endpoint and any proxy in between"
            ) from error
        except (OSError, HttpMessageError) as error:
            raise self._convert(error, "get a response from ", host, port, sent=True) from error

    def _headers(self, request: Request, proxy_authorization: str | None) -> list[tuple[str, str]]:
        headers = list(request.headers)
        if request.header("host") is None:
            headers.insert(0, ("Host", host_header(request.url)))
        if request.header("user-agent") is None:
            headers.append(("User-Agent", self._user_agent))
        if request.header("content-length") is None and (request.body or request.method in ("POST", "PUT")):
            headers.append(("Content-Length", str(len(request.body or b""))))
        if proxy_authorization is not None:
            headers.append(("Proxy-Authorization", proxy_authorization))
        headers.append(("Connection", "close"))
        return headers

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl  # late: a run that never connects by TLS does not need it

            # Not create_default_context(), which would write the session keys to $SSLKEYLOGFILE.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            self._authorities.load(context)
            self._tls = context
        return self._tls

    def _convert(
        self, error: Exception, action: str, host: str, port: int, *, sent: bool = False
    ) -> NetworkError | ResponseError:
        """Returns the error of sigv4 for an exception of sockets, TLS or HTTP parsing.

        `action` is the text after "cannot" in the message. `sent` is whether the peer may have the request.
        """
        peer = f"{host}:{port}"
        retryable = True
        if isinstance(error, TimeoutError):
            text = f"cannot {action}{peer} within {self.timeout:g} s; check the network, or set a longer timeout"
        elif isinstance(error, NoMessageError):
            text = f"{peer} closed the connection without a response; check the endpoint, or try again"
        elif isinstance(error, TruncatedMessageError):
            text = f"{peer} closed the connection in the middle of its response; try again"
        elif isinstance(error, HeadTooLargeError):
            return ResponseError(
                f"{peer} sent a header section that is too large; check the endpoint and any proxy in between"
            )
        elif isinstance(error, InvalidMessageError):
            text = f"{peer} sent a response that is not valid HTTP ({error}); check the endpoint"
        else:
            reason, advice, retryable = _reason(error, self._authorities)
            text = f"cannot {action}{peer}: {reason}; {advice}"
        return NetworkError(text, host, port, retryable=retryable, sent=sent)


def _reason(error: Exception, authorities: Authorities) -> tuple[str, str, bool]:
    """Returns (reason, next step, whether a retry may help) for an OSError."""
    import ssl  # late: a run that never connects by TLS does not need it

    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_HOST:
            advice = "check the endpoint's host name"
        elif error.verify_code in _WRONG_TIME:
            today = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
            advice = f"if this machine's clock ({today} UTC) is wrong, set it (timedatectl set-ntp true)"
        else:
            advice = authorities.advice()
        return f"invalid certificate ({error.verify_message.rstrip('.')})", advice, False
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed", "check that the port supports TLS 1.2 or 1.3", True
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        return f"cannot resolve the host name ({reason})", "check the region, the network and the DNS", True
    return reason, "check the network and the endpoint", True


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())


def _read_body(response: ResponseReader) -> bytes:
    body = bytearray()
    while block := response.read(MAX_BODY + 1 - len(body)):
        body += block
        if len(body) > MAX_BODY:
            raise TooMuchData
    return bytes(body)
