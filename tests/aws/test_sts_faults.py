"""What a server, a proxy or a network does wrong ends in the right error, in bounded time."""

import calendar
import re
import socket
import time
from collections.abc import Callable

import pytest

from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.errors import NetworkError, NoErrorDocumentError, ResponseError, SigV4Error, StsError
from sigv4.http import MAX_BODY, HttpClient
from sigv4.retry import RetryPolicy
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import AssumeRole, GetSessionToken
from tests.support.scripted import STS_ANSWER, ScriptedServer, Step, error, http, say

OK = say(http("200 OK", STS_ANSWER))
TIMEOUT = 0.4  # seconds, where a timeout is what is tested
PATIENCE = 30.0  # elsewhere
NOON = calendar.timegm((2026, 11, 24, 12, 0, 0))
SECRET = "made-up-secret-of-this-test"


class Caller:
    """Calls GetSessionToken and keeps what the client did with the world outside."""

    def __init__(
        self,
        server: ScriptedServer,
        *,
        attempts: int = 3,
        timeout: float = PATIENCE,
        clock: Callable[[], float] = time.time,
        **environ: str,
    ) -> None:
        self.slept: list[float] = []
        self.warned: list[str] = []
        self.dates: list[bytes] = []
        key = hmac_from_secret(SECRET)

        def hmac_secret(message: bytes) -> bytes:
            self.dates.append(message)
            return key(message)

        self.client = StsClient(
            Signer("AKIATESTTESTTEST", hmac_secret),
            resolve(None, environ.pop("url", server.endpoint)),
            HttpClient(timeout, environ, warn=self.warned.append),
            policy=RetryPolicy(max_attempts=attempts),
            warn=self.warned.append,
            clock=clock,
            sleep=self.slept.append,
            random=lambda: 0.5,
        )

    def __call__(self) -> str:
        return self.client.call(GetSessionToken()).access_key_id

    def fails(self, kind: type[SigV4Error], pattern: str) -> SigV4Error:
        """Must fail with exactly that kind of error, one line, without the secret, and within bounds."""
        start = time.monotonic()
        with pytest.raises(SigV4Error) as caught:
            self()
        assert time.monotonic() - start < PATIENCE
        assert type(caught.value) is kind, repr(caught.value)
        text = str(caught.value)
        assert re.search(pattern, text), text
        assert "\n" not in text
        assert SECRET not in text + repr(caught.value)
        return caught.value


def test_an_answer_is_read() -> None:
    with ScriptedServer(OK) as server:
        caller = Caller(server)
        assert caller() == "ASIAMADEUPMADEUP0000"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n" in head
    assert body == b"Action=GetSessionToken&Version=2011-06-15"
    assert caller.slept == []
    assert caller.warned == []


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%x\r\n%s\r\n" % (len(part), part) for part in (STS_ANSWER[:9].encode(), STS_ANSWER[9:].encode())
)


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + STS_ANSWER.encode(),
        b"HTTP/1.1 100 Continue\r\n\r\n" + http("200 OK", STS_ANSWER),
    ],
    ids=["chunked", "until-close", "continue"],
)
def test_other_shapes_of_an_answer_are_read(answer: bytes) -> None:
    with ScriptedServer(say(answer)) as server:
        assert Caller(server)() == "ASIAMADEUPMADEUP0000"


@pytest.mark.parametrize(
    "fault",
    [
        say(http("500 Oops")),
        say(http("502 Bad Gateway", "<html>proxy</html>")),
        say(http("503 Slow Down", error("ServiceUnavailable"))),
        say(http("504 Gateway Timeout")),
        say(http("400 Bad Request", error("IDPCommunicationError"))),
        say(http("400 Bad Request", error("RequestTimeout"))),
        say(b""),
        say(b"garbage\r\n\r\n"),
        say(http("200 OK", STS_ANSWER)[:-30]),
        say(CHUNKED),
    ],
)
def test_a_fault_that_passes_is_tried_again(fault: Step) -> None:
    with ScriptedServer(fault, fault, OK) as server:
        caller = Caller(server, clock=lambda: NOON)
        assert caller() == "ASIAMADEUPMADEUP0000"
        assert len(server.requests) == 3
    # 0.5 × min(0.05 × 2^i, 20): the `random` of the caller is always a half.
    assert caller.slept == [0.025, 0.05]
    assert caller.dates == [b"20261124"]


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        (http("400 Bad Request", error("Throttling", "Rate exceeded")), [0.5, 1.0]),
        (http("400 Bad Request", error("PriorRequestNotComplete")), [0.5, 1.0]),
        (http("429 Too Many Requests"), [0.5, 1.0]),
        (http("429 Too Many Requests", "", "x-amz-retry-after: 1500"), [1.5, 1.5]),
        (http("503 Slow Down", error("ServiceUnavailable"), "X-Amz-Retry-After: 200"), [0.2, 0.2]),
        (http("503 Slow Down", error("ServiceUnavailable"), "x-amz-retry-after: 999999"), [5.025, 5.05]),
        (http("503 Slow Down", error("ServiceUnavailable"), "x-amz-retry-after: soon"), [0.025, 0.05]),
        (http("503 Service Unavailable", "", "Retry-After: 2"), [2.0, 2.0]),
        (http("503 Service Unavailable", "", "Retry-After: 120"), [5.025, 5.05]),
        (http("503 Service Unavailable", "", "Retry-After: 9", "x-amz-retry-after: 300"), [0.3, 0.3]),
        (http("503 Service Unavailable", "", "Retry-After: Wed, 25 Nov 2026 12:00:00 GMT"), [0.025, 0.05]),
    ],
)
def test_the_wait_is_what_the_fault_asks_for(fault: bytes, slept: list[float]) -> None:
    with ScriptedServer(say(fault), say(fault), OK) as server:
        caller = Caller(server, clock=lambda: NOON)
        assert caller() == "ASIAMADEUPMADEUP0000"
    assert caller.slept == pytest.approx(slept)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_fault_that_stays_ends(attempts: int) -> None:
    with ScriptedServer(say(http("500 Oops", error("InternalFailure", "Try later")))) as server:
        failure = Caller(server, attempts=attempts).fails(
            StsError, r"^InternalFailure: Try later \(HTTP 500, request id 0-2\)"
        )
        assert len(server.requests) == attempts
    assert isinstance(failure, StsError)
    assert (failure.code, failure.http_status, failure.request_id) == ("InternalFailure", 500, "0-2")


@pytest.mark.parametrize(
    ("status", "body", "pattern"),
    [
        (
            "403 Forbidden",
            error("AccessDenied", "Not you.\nNever."),
            r"AccessDenied: Not you. Never \(HTTP 403.*permission",
        ),
        ("403 Forbidden", error("InvalidClientTokenId"), "access key id; check its spelling"),
        ("403 Forbidden", error("SignatureDoesNotMatch"), '"AWS4" followed by'),
        ("403 Forbidden", error("RegionDisabledException"), "activate it in IAM"),
        ("400 Bad Request", error("ExpiredToken"), "have expired"),
        ("403 Forbidden", "<html>no</html>", r"^403: the response has no AWS error document"),
        (
            "403 Forbidden",
            error("AccessDenied", "\x1b]0;owned\x07".replace("\x1b", "&#x9b;").replace("\x07", "")),
            r"\?\]0;owned",
        ),
        ("404 Not Found", "", r"^404: "),
    ],
)
def test_a_refusal_is_not_tried_again(status: str, body: str, pattern: str) -> None:
    with ScriptedServer(say(http(status, body))) as server:
        Caller(server).fails(NoErrorDocumentError if pattern.startswith("^") else StsError, pattern)
        assert len(server.requests) == 1


def _without(name: str) -> str:
    return re.sub(f"<{name}>.*?</{name}>", "", STS_ANSWER)


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        ("", "not valid XML"),
        (STS_ANSWER[:-40], "not valid XML"),
        ("<html><head><title>Wi-Fi</title><br></head></html>", "not valid XML"),
        ("<!DOCTYPE html><html></html>", "DOCTYPE"),
        ("<html><body>Please log in</body></html>", "no AccessKeyId"),
        ("{}", "not valid XML"),
        ("<GetSessionTokenResponse/>", "no AccessKeyId"),
        (STS_ANSWER.replace("GetSessionToken", "AssumeRole"), "no AccessKeyId"),
        (error("Throttling"), "no AccessKeyId"),
        *(
            (_without(name), f"no {name}")
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        ),
        (STS_ANSWER.replace("made//up+token=", " "), "an empty SessionToken"),
        (STS_ANSWER.replace("made//up+token=", "made up"), "SessionToken has invalid"),
        (STS_ANSWER.replace("made+up/secret", "ü"), "SecretAccessKey has invalid"),
        (STS_ANSWER.replace("ASIA", "AS-A"), "AccessKeyId has invalid"),
        (STS_ANSWER.replace("2030-01-01T00:00:00Z", "tomorrow"), "Expiration is not a valid RFC 3339"),
        (STS_ANSWER.replace("2030-01-01T00:00:00Z", "2030-02-30T00:00:00Z"), "Expiration is not a valid RFC 3339"),
        (
            STS_ANSWER.replace("<SecretAccessKey>", "<SecretAccessKey>a</SecretAccessKey><SecretAccessKey>"),
            "more than one",
        ),
        ("<a>" * 20 + "</a>" * 20, "too deeply"),
        (" " * (MAX_BODY + 1), "more than 1048576 bytes"),
    ],
)
def test_a_200_that_is_no_answer(body: str, pattern: str) -> None:
    with ScriptedServer(say(http("200 OK", body))) as server:
        Caller(server).fails(ResponseError, pattern)
        assert len(server.requests) == 1


def _flood(head: bytes, piece: bytes, size: int) -> Step:
    def step(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(head)
        for _ in range(size // len(piece)):
            sock.sendall(piece)

    return step


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * 1000),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60000 + b"\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ],
    ids=["length", "until-close", "chunks", "chunk-extensions", "headers", "header", "continues"],
)
def test_an_answer_without_end_is_left(head: bytes, piece: bytes) -> None:
    with ScriptedServer(_flood(head, piece, 4 * MAX_BODY)) as server:
        Caller(server).fails(ResponseError, "more than 1048576 bytes|a header section that is too large")


def _trickle(head: bytes) -> Step:
    def step(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(head)
        for _ in range(1000):
            time.sleep(0.02)
            sock.sendall(b"x")

    return step


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]
)
def test_a_trickle_of_octets_does_not_stretch_the_wait(head: bytes) -> None:
    with ScriptedServer(_trickle(head)) as server:
        Caller(server, attempts=1, timeout=TIMEOUT).fails(
            NetworkError, r"response from 127.0.0.1:\d+ within 0.4 s.*longer timeout"
        )


def test_a_server_that_never_answers() -> None:
    silent = ScriptedServer(lambda *_: silent.ended.wait(5) and None)
    with silent:
        caller = Caller(silent, attempts=2, timeout=TIMEOUT)
        failure = caller.fails(NetworkError, "within 0.4 s")
        assert caller.slept == [0.025]
    assert isinstance(failure, NetworkError)
    assert (failure.host, failure.port) == ("127.0.0.1", silent.port)


def test_a_name_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def slow(host: bytes, *args: int, **options: int) -> object:
        if options.get("flags"):
            return real(host, *args, **options)
        time.sleep(3)
        raise OSError("too late to matter")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with ScriptedServer(OK) as unused:
        caller = Caller(unused, attempts=1, timeout=TIMEOUT, url="http://sts.example")
        caller.fails(NetworkError, "connect to sts.example:80 within 0.4 s")


def test_a_tls_handshake_that_never_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with ScriptedServer(OK) as unused:
            caller = Caller(unused, attempts=1, timeout=TIMEOUT, url=f"https://127.0.0.1:{port}")
            caller.fails(NetworkError, f"negotiate TLS with 127.0.0.1:{port} within 0.4 s")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with ScriptedServer(OK) as unused:
        caller = Caller(unused, url=f"http://127.0.0.1:{port}")
        failure = caller.fails(NetworkError, f"cannot connect to 127.0.0.1:{port}: Connection refused")
        assert caller.slept == [0.025, 0.05]
    assert isinstance(failure, NetworkError)
    assert failure.retryable


def test_a_redirect_is_not_followed() -> None:
    with ScriptedServer(OK) as other:
        moved = say(http("302 Found", "", f"Location: {other.endpoint}/login"))
        with ScriptedServer(moved) as server:
            Caller(server).fails(
                ResponseError, rf"redirects to {other.endpoint}/login \(HTTP 302\), and redirects are not followed"
            )
        assert other.requests == []


def _dated(status: str, body: str, when: float) -> Step:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when))
    return say(http(status, body, f"Date: {date}"))


EXPIRED = error(
    "SignatureDoesNotMatch", "Signature expired: 20150830T123600Z is now earlier than 20150830T133100Z (- 5 min.)"
)


@pytest.mark.parametrize(
    ("body", "off"),
    [
        (EXPIRED, 3600),
        (error("SignatureDoesNotMatch", "Signature not yet current: x is still later than y"), -3600),
        (error("InvalidSignatureException", "Signature expired"), 86400),
        (error("RequestTimeTooSkewed"), -86400),
        (error("RequestExpired"), 400),
        (error("SignatureDoesNotMatch", "The request signature we calculated does not match"), 400),
    ],
)
def test_a_wrong_clock_is_corrected_once(body: str, off: int) -> None:
    """`off`: seconds by which the server is ahead."""
    with ScriptedServer(_dated("403 Forbidden", body, NOON + off), OK) as server:
        caller = Caller(server, clock=lambda: NOON)
        assert caller() == "ASIAMADEUPMADEUP0000"
    stamps = [found[1].decode() for r in server.requests if (found := re.search(rb"X-Amz-Date: (\S+)", r))]
    assert stamps == [time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(t)) for t in (NOON, NOON + off)]
    where = "behind" if off > 0 else "ahead of"
    assert caller.warned == [f"your clock is {abs(off)} seconds {where} AWS; signing with AWS's time instead"]
    assert caller.slept == []
    # Another day needs another key, which the key's holder is asked for.
    days = [b"20261124"] + (
        [time.strftime("%Y%m%d", time.gmtime(NOON + off)).encode()] if abs(off) == 86400 else []
    )
    assert caller.dates == days


def test_a_clock_that_stays_wrong_is_an_error_with_a_hint() -> None:
    with ScriptedServer(_dated("403 Forbidden", EXPIRED, NOON + 3600)) as server:
        Caller(server, clock=lambda: NOON).fails(StsError, "your clock is 3600 seconds behind; set it")
        assert len(server.requests) == 2


def test_a_wrong_key_is_not_taken_for_a_wrong_clock() -> None:
    with ScriptedServer(
        _dated("403 Forbidden", error("SignatureDoesNotMatch", "does not match"), NOON + 100)
    ) as server:
        caller = Caller(server, clock=lambda: NOON)
        caller.fails(StsError, '"AWS4"')
        assert len(server.requests) == 1
    assert caller.warned == []


@pytest.mark.parametrize("date", ["", "Date: soon", "Date: Tue, 99 Nov 2026 12:00:00 GMT"])
def test_without_the_servers_time_a_clock_error_stays_one(date: str) -> None:
    with ScriptedServer(say(http("403 Forbidden", EXPIRED, *([date] if date else [])))) as server:
        Caller(server).fails(StsError, "check the clock")
        assert len(server.requests) == 1


SERIAL = "arn:aws:iam::123456789012:mfa/me"
WITH_CODE = (
    GetSessionToken(serial_number=SERIAL, token_code="123456"),
    AssumeRole("arn:aws:iam::123456789012:role/r", "name", serial_number=SERIAL, token_code="123456"),
)


@pytest.mark.parametrize("operation", WITH_CODE, ids=lambda each: each.action)
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", http("500 E", error("InternalFailure"))]
)
def test_an_mfa_code_that_aws_may_have_used_is_sent_once(operation: GetSessionToken, answer: bytes) -> None:
    with ScriptedServer(say(answer), OK) as server:
        with pytest.raises((NetworkError, StsError)) as caught:
            Caller(server).client.call(operation)
        assert len(server.requests) == 1
    assert "wait for the next code" in " ".join(caught.value.__notes__)


def test_an_mfa_code_that_aws_has_not_used_is_sent_again() -> None:
    with ScriptedServer(say(http("400 E", error("Throttling"))), OK) as server:
        with pytest.raises(ResponseError):  # OK is a response of GetSessionToken
            Caller(server).client.call(WITH_CODE[1])
        assert len(server.requests) == 2
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    caller = Caller(server, url=endpoint)
    with pytest.raises(NetworkError) as refused:
        caller.client.call(WITH_CODE[0])
    assert len(caller.slept) == 2
    assert not hasattr(refused.value, "__notes__")
