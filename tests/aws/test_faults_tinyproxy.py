"""A proxy that is not of our making: tinyproxy, with a password, in front of an STS under TLS."""

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.faults import Bench, Fault
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

USER, PASSWORD = "user", "s3cret"
NO_WAY = "proxy 127.0.0.1:# did not open a tunnel to localhost:#: "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScriptedServer, Path]]:
    """The server, for "localhost", and the file of its CA."""
    authority = Authority(tmp_path_factory.mktemp("ca"), "right")
    certificate = authority.server_certificate("localhost")
    with ScriptedServer(say(http("200 OK", STS_ANSWER)), certificate=certificate) as server:
        yield server, authority.bundle


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, server: tuple[ScriptedServer, Path]) -> Iterator[int]:
    """The proxy's port. It lets USER through, to the STS's port alone."""
    program = shutil.which("tinyproxy", path="/usr/bin:/usr/sbin")
    assert program, "tinyproxy is missing: apt-get install tinyproxy-bin"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    config = tmp_path_factory.mktemp("tinyproxy") / "conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\nAllow 127.0.0.1\n"
        f"BasicAuth {USER} {PASSWORD}\nConnectPort {server[0].port}\n"
    )
    running = subprocess.Popen([program, "-d", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert running.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(10)


def _holds(runs: Bench, url: str, proxy: str, server: tuple[ScriptedServer, Path], fault: Fault) -> str:
    server[0].requests.clear()
    seen = runs.run(url, "--timeout=5s", HTTPS_PROXY=proxy, AWS_CA_BUNDLE=str(server[1]))
    runs.holds(fault, seen, len(server[0].requests))
    assert PASSWORD not in seen.err
    return seen.out


def test_the_password_opens_it(runs: Bench, proxy: int, server: tuple[ScriptedServer, Path]) -> None:
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:{proxy}"
    out = _holds(runs, f"https://localhost:{server[0].port}", url, server, Fault(0, ""))
    assert json.loads(out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()) not in server[0].requests[0]


@pytest.mark.parametrize(
    ("user", "status"),
    [
        ("", "407 Proxy Authentication Required"),
        (f"{USER}:wrong@", "401 Unauthorized"),
        (f"other:{PASSWORD}@", "401 Unauthorized"),
    ],
)
def test_another_password(
    runs: Bench, proxy: int, server: tuple[ScriptedServer, Path], user: str, status: str
) -> None:
    says = NO_WAY + f"HTTP/1.# {status}; check user and password in the proxy URL"
    out = _holds(
        runs,
        f"https://localhost:{server[0].port}",
        f"http://{user}127.0.0.1:{proxy}",
        server,
        Fault(7, says, 0),
    )
    assert out == ""


def test_a_port_that_it_does_not_let_through(runs: Bench, proxy: int, server: tuple[ScriptedServer, Path]) -> None:
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:{proxy}"
    _holds(runs, "https://localhost:1", url, server, Fault(7, NO_WAY + "HTTP/1.# 403", 0))
