"""The one error family of sigv4. Whose fault it is decides the class; str() is always one line."""

__all__ = ["NetworkError", "RequestError", "ResponseError", "SigV4Error", "StsError", "one_line"]


def one_line(text: str, limit: int = 600) -> str:
    """`text` fit to be shown: one line, printable characters only, at most `limit` of them.

    Texts of a server end up on the user's terminal, so control characters must not get through.
    """
    flat = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


class SigV4Error(Exception):
    """Base of every error that sigv4 raises on purpose."""


class RequestError(SigV4Error, ValueError):
    """Our side's fault: a value that AWS or HTTP does not allow. Nothing was signed or sent."""


class NetworkError(SigV4Error):
    """No answer was had: name resolution, connection, TLS, proxy, timeout, a broken HTTP dialogue.

    `host` and `port` say with whom. `retryable` is False where trying again cannot help, such as a
    certificate that does not verify.
    """

    def __init__(self, message: str, host: str, port: int, *, retryable: bool = True) -> None:
        super().__init__(one_line(message), host, port)
        self.host = host
        self.port = port
        self.retryable = retryable

    def __str__(self) -> str:
        return str(self.args[0])


class ResponseError(SigV4Error):
    """The server answered, but with something that is no answer to what was asked: HTML, XML that is cut,
    a value missing or empty, too large, a redirect."""


class StsError(SigV4Error):
    """AWS answered with an error.

    `code`, `message` and `request_id` are AWS's own (the code is the HTTP status where the answer carried
    no error document), `http_status` the HTTP status, `hint` what to do next ("" where we know nothing),
    `retry_after` the seconds that AWS asks us to wait (None where it does not).
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
        return f"{text}. {self.hint}" if self.hint else text
