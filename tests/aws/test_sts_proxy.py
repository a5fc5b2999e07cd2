"""Proxies from the environment: tunnels for https, forwarding for http, passwords that stay unseen."""

import base64
import socket

import pytest

from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.errors import NetworkError, RequestError, SigV4Error
from sigv4.http import HttpClient
from sigv4.request import Request
from sigv4.retry import RetryPolicy
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import GetSessionToken
from tests.support.certificates import Authority
from tests.support.relay import TlsRelay, connect_here
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

PASSWORD = "p@ss/word"
PROXY_USER = "user:p%40ss%2Fword@"
AUTHORIZATION = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss/word")
OK = say(http("200 OK", STS_ANSWER))


def _call(url: str, timeout: float = 2, **environ: str) -> str:
    signer = Signer("AKIATESTTESTTEST", hmac_from_secret("made-up"))
    client = StsClient(
        signer, resolve(None, url), HttpClient(timeout, environ), policy=RetryPolicy(max_attempts=1)
    )
    return client.call(GetSessionToken()).access_key_id


@pytest.mark.parametrize("user", ["", PROXY_USER])
def test_https_goes_through_a_tunnel(tmp_path, user: str) -> None:
    authority = Authority(tmp_path, "right")
    certificate = authority.server_certificate("sts.example")
    with ScriptedServer(OK) as server, TlsRelay(("127.0.0.1", server.port), certificate) as relay:
        with ScriptedServer(connect_here) as proxy:
            environ = {
                "HTTPS_PROXY": f"http://{user}127.0.0.1:{proxy.port}",
                "AWS_CA_BUNDLE": str(authority.bundle),
            }
            assert _call(f"https://sts.example:{relay.port}/", **environ) == "ASIAMADEUPMADEUP0000"
        assert proxy.requests[0].startswith(b"CONNECT sts.example:%d HTTP/1.1\r\n" % relay.port)
        assert (AUTHORIZATION in proxy.requests[0]) == bool(user)
        # The proxy's password is for the proxy alone, and what STS gets is not for the proxy.
        assert b"Proxy-Authorization" not in server.requests[0]
        assert server.requests[0].startswith(b"POST / HTTP/1.1\r\nHost: sts.example")


def test_tls_is_verified_behind_a_tunnel(tmp_path) -> None:
    certificate = Authority(tmp_path, "right").server_certificate("sts.example")
    wrong = Authority(tmp_path, "wrong")
    with ScriptedServer(OK) as server, TlsRelay(("127.0.0.1", server.port), certificate) as relay:
        with ScriptedServer(connect_here) as proxy:
            environ = {"https_proxy": f"127.0.0.1:{proxy.port}", "AWS_CA_BUNDLE": str(wrong.bundle)}
            with pytest.raises(NetworkError, match=r"sts.example:\d+: invalid certificate"):
                _call(f"https://sts.example:{relay.port}/", **environ)
        assert server.requests == []


def test_http_is_forwarded() -> None:
    with ScriptedServer(OK) as proxy:
        url = f"http://{PROXY_USER}127.0.0.1:{proxy.port}/"
        assert _call("http://sts.example/base", http_proxy=url) == "ASIAMADEUPMADEUP0000"
        assert _call("http://sts.example:8080/", http_proxy=url) == "ASIAMADEUPMADEUP0000"
    assert proxy.requests[0].startswith(b"POST http://sts.example/base HTTP/1.1\r\nHost: sts.example\r\n")
    assert proxy.requests[1].startswith(b"POST http://sts.example:8080/ HTTP/1.1\r\nHost: sts.example:8080\r\n")
    assert AUTHORIZATION in proxy.requests[0]


def test_http_to_another_machine_is_warned_of_once() -> None:
    with ScriptedServer(OK) as proxy:
        warned: list[str] = []
        client = HttpClient(2, {"http_proxy": f"127.0.0.1:{proxy.port}"}, warn=warned.append)
        for host in ("localhost", "127.0.0.9", "[::1]", "sts.example", "127.0.0.1.example", "other.example"):
            client.send(Request("GET", f"http://{host}/"))
    assert len(warned) == 1
    assert warned[0].startswith("the connection to sts.example:80 is not encrypted (http)")


def test_no_proxy_is_heeded() -> None:
    with ScriptedServer(OK) as server, ScriptedServer(OK) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        _call(server.endpoint, http_proxy=url, no_proxy="example.com, 127.0.0.1")
        assert (len(server.requests), len(proxy.requests)) == (1, 0)
        _call(server.endpoint, http_proxy=url, no_proxy="example.com")
        assert (len(server.requests), len(proxy.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "pattern", "retryable"),
    [
        (http("407 Proxy Authentication Required"), "407 Proxy .*user and password", False),
        (http("403 Forbidden\x1b[31m"), r"403 Forbidden\?\[31m; check the proxy", False),
        (http("502 Bad Gateway"), "502 Bad Gateway", True),
        (b"", "no response", True),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH", True),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000, "200 OK; check the proxy", True),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "200 OK; check the proxy", True),
    ],
    ids=["407", "403", "502", "nothing", "ssh", "endless", "cut"],
)
def test_a_proxy_that_gives_no_way(answer: bytes, pattern: str, retryable: bool) -> None:
    with ScriptedServer(say(answer)) as proxy, pytest.raises(NetworkError, match=pattern) as caught:
        _call("https://sts.example/", https_proxy=f"http://{PROXY_USER}127.0.0.1:{proxy.port}")
    _hides_the_password(caught.value)
    assert caught.value.retryable is retryable


def test_a_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError, match=f"connect to the proxy 127.0.0.1:{port}: Connection refused") as caught:
        _call("https://sts.example/", HTTPS_PROXY=f"http://{PROXY_USER}127.0.0.1:{port}")
    _hides_the_password(caught.value)


def test_a_proxy_that_never_answers() -> None:
    proxy = ScriptedServer(lambda *_: proxy.ended.wait(5) and None)
    with proxy, pytest.raises(NetworkError, match=r"tunnel through the proxy .* within 0.3 s"):
        _call("https://sts.example/", 0.3, HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")


@pytest.mark.parametrize("url", ["socks5://{}h:1", "https://{}h:1", "http://{}h:port", "http://{}[::1", "http://"])
def test_a_proxy_that_we_cannot_speak_with(url: str) -> None:
    with pytest.raises(RequestError, match=r"HTTPS_PROXY\b.*http://.USER:PASSWORD@.HOST:PORT") as caught:
        _call("https://sts.example/", HTTPS_PROXY=url.format(PROXY_USER))
    _hides_the_password(caught.value)


def _hides_the_password(error: SigV4Error) -> None:
    cause: BaseException | None = error
    while cause is not None:
        for secret in (PASSWORD, "p%40ss", AUTHORIZATION.split()[-1].decode()):
            assert secret not in str(cause) + repr(cause)
        cause = cause.__cause__
