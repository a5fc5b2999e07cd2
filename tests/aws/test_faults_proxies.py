"""Proxies that refuse, hang, close or cannot be spoken with, and the forms of NO_PROXY."""

import base64
import json
import socket
from pathlib import Path
from urllib.request import proxy_bypass_environment

import pytest

from tests.support.certificates import Authority
from tests.support.faults import Bench, Fault
from tests.support.relay import connect_here
from tests.support.scripted import STS_ANSWER, ScriptedServer, Step, http, say

OK = say(http("200 OK", STS_ANSWER))
PASSWORD = "s3cret/of-the-proxy"
USER = "user:s3cret%2Fof-the-proxy@"
TIMEOUT = 0.5  # seconds
THRICE = 3 * TIMEOUT + 0.5


def _hang(sock: socket.socket, _request: bytes) -> None:
    while sock.recv(100):
        pass


def _tunnel_then_hang(sock: socket.socket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    _hang(sock, request)


def _tunnel_then_close(sock: socket.socket, _request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


NO_WAY = "proxy 127.0.0.1:# did not open a tunnel to sts.example:443: "

TUNNELS: dict[str, tuple[Step, Fault]] = {
    "refuses the password": (
        say(http("407 Who are you")),
        Fault(7, NO_WAY + "HTTP/1.1 407 Who are you; check user and password in the proxy URL", 0),
    ),
    "forbids the host": (say(http("403 Forbidden")), Fault(7, NO_WAY + "HTTP/1.1 403 Forbidden; check", 0)),
    "cannot reach the host": (say(http("502 Bad Gateway")), Fault(7, NO_WAY + "HTTP/1.1 502 Bad Gateway", 0)),
    "closes": (say(b""), Fault(7, NO_WAY + "no response; check the proxy", 0)),
    "speaks SSH": (say(b"SSH-2.0-OpenSSH_9.2\r\n"), Fault(7, NO_WAY + "SSH-2.0-OpenSSH_9.2; check the proxy", 0)),
    "hangs": (
        _hang, Fault(7, "cannot open a tunnel through the proxy 127.0.0.1:# within 0.5 s", 0, within=THRICE)
    ),
    "hangs after CONNECT": (
        _tunnel_then_hang, Fault(7, "cannot negotiate TLS with sts.example:443 within 0.5 s", 0, within=THRICE)
    ),
    "closes after CONNECT": (_tunnel_then_close, Fault(7, "cannot negotiate TLS with sts.example:443", 0)),
}  # fmt: skip

HOW = "HTTPS_PROXY: unsupported proxy URL; use http://[USER:PASSWORD@]HOST:PORT"

URLS = {
    "is a SOCKS proxy": (f"socks5://{USER}127.0.0.1:1080", Fault(2, HOW, 0, 0)),
    "needs TLS": (f"https://{USER}127.0.0.1:1080", Fault(2, HOW, 0, 0)),
    "has an invalid port": (
        f"http://{USER}127.0.0.1:port",
        Fault(2, "HTTPS_PROXY is not a valid URL; use http://", 0, 0),
    ),
    "is not ASCII": (
        f"http://{USER}pr\u00f6xy.example:1",
        Fault(2, "the host in HTTPS_PROXY has spaces or non-ASCII", 0, 0),
    ),
    "has a space in its name": (
        f"http://{USER}a b:1",
        Fault(2, "the host in HTTPS_PROXY has spaces or non-ASCII", 0, 0),
    ),
    "is unreachable": (
        f"http://{USER}127.0.0.1:1",
        Fault(7, "cannot connect to the proxy 127.0.0.1:1: Connection", 0),
    ),
}

FAULTS = {f"a proxy that {name}": fault for name, (_, fault) in (*TUNNELS.items(), *URLS.items())}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnel(runs: Bench, name: str) -> None:
    step, fault = TUNNELS[name]
    with ScriptedServer(step) as proxy:
        url = f"http://{USER}127.0.0.1:{proxy.port}"
        seen = runs.run("https://sts.example", f"--timeout={TIMEOUT}s", HTTPS_PROXY=url)
    runs.holds(fault, seen, 0)
    assert PASSWORD not in seen.err
    assert "s3cret" not in seen.err
    # A refusal stays one; anything else is tried again.
    assert len(proxy.requests) == (1 if name in ("refuses the password", "forbids the host") else 3)
    assert all(request.startswith(b"CONNECT sts.example:443 HTTP/1.1\r\n") for request in proxy.requests)


@pytest.mark.parametrize("name", URLS)
def test_url(runs: Bench, name: str) -> None:
    url, fault = URLS[name]
    seen = runs.run("https://sts.example", f"--timeout={TIMEOUT}s", HTTPS_PROXY=url)
    runs.holds(fault, seen, 0)
    assert "s3cret" not in seen.err


def test_a_proxy_with_a_password(runs: Bench, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "right")
    certificate = authority.server_certificate("sts.example")
    with ScriptedServer(OK, certificate=certificate) as sts, ScriptedServer(connect_here) as proxy:
        seen = runs.run(
            f"https://sts.example:{sts.port}",
            "--timeout=10s",
            HTTPS_PROXY=f"http://{USER}127.0.0.1:{proxy.port}",
            AWS_CA_BUNDLE=str(authority.bundle),
        )
    assert (seen.code, seen.err, len(sts.requests)) == (0, "", 1)
    assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
    pair = base64.b64encode(f"user:{PASSWORD}".encode())
    assert b"\r\nProxy-Authorization: Basic " + pair + b"\r\n" in proxy.requests[0]
    assert b"Proxy-Authorization" not in sts.requests[0]


NO_PROXY = {
    "*": True,
    "127.0.0.1": True,
    "example.com, 127.0.0.1 ,": True,
    "127.0.0.1:{port}": True,
    "127.0.0.1:1": False,
    ".0.0.1": True,
    "0.0.1": True,
    "27.0.0.1": False,
    "127.0.0.2": False,
    "": False,
    ",": False,
}


@pytest.mark.parametrize("form", NO_PROXY)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_no_proxy(runs: Bench, variable: str, form: str) -> None:
    with ScriptedServer(OK) as sts, ScriptedServer(OK) as proxy:
        environ = {variable: form.format(port=sts.port), "HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
        assert runs.run(sts.endpoint, "--timeout=5s", **environ).code == 0
        direct = NO_PROXY[form]
        assert (len(sts.requests), len(proxy.requests)) == (int(direct), int(not direct))
        # botocore asks urllib.
        assert bool(proxy_bypass_environment(f"127.0.0.1:{sts.port}", {"no": environ[variable]})) is direct
