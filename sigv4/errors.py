"""The errors of sigv4. The class shows whether the request, the network or AWS is at fault; str() is one line."""

__all__ = [
    "NetworkError",
    "NoErrorDocumentError",
    "RequestError",
    "ResponseError",
    "SigV4Error",
    "StsError",
    "one_line",
]


def one_line(text: str, limit: int = 600) -> str:
    """Returns `text` as one line of printable characters, at most `limit` of them.

    A server's text reaches the user's terminal, so control characters must be removed.
    """
    flat = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


class SigV4Error(Exception):
    """Base class of the errors of sigv4."""


class RequestError(SigV4Error, ValueError):
    """A value that AWS or HTTP does not allow. The request was not signed or sent."""


class NetworkError(SigV4Error):
    """The request got no valid response, for example after a DNS, connection, TLS, proxy or HTTP error.

    `host` and `port` identify the peer. `retryable` is False if a retry cannot help, as for an invalid
    certificate. `sent` is True if the peer may have received the request.
    """

    def __init__(self, message: str, host: str, port: int, *, retryable: bool = True, sent: bool = False) -> None:
        super().__init__(one_line(message), host, port)
        self.host = host
        self.port = port
        self.retryable = retryable
        self.sent = sent

    def __str__(self) -> str:
        return str(self.args[0])


class ResponseError(SigV4Error):
    """The response cannot be used: HTML, truncated XML, a missing value, too large, or a redirect."""


class StsError(SigV4Error):
    """AWS responded with an error.

    `code`, `message` and `request_id` are from AWS's error document; without such a document, `code` is the HTTP
    status. `hint` is the next step for the user, or "". `retry_after` is the number of seconds that AWS asks to
    wait, or None.
    """

    def __init__(self, code: str, message: str, request_id: str, http_status: int, hint: str = "") -> None:
        super().__init__(code, message, request_id, http_status, hint)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.http_status = http_status
        self.hint = hint
        self.retry_after: float | None = None

    def __str__(self) -> str:
        request = f", request id {one_line(self.request_id, 80)}" if self.request_id else ""
        message = one_line(self.message).rstrip(".")
        text = f"{one_line(self.code, 80)}: {message or 'no message'} (HTTP {self.http_status}{request})"
        return f"{text}; {self.hint}" if self.hint else text


class NoErrorDocumentError(StsError):
    """A response with an error status has no AWS error document: it may come from a proxy or another server."""
