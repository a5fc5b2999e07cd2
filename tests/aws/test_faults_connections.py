"""Connections that are refused, hang, break or drip: the program ends in time and says with whom it spoke."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import Bench, Fault
from tests.support.scripted import STS_ANSWER, ScriptedServer, Step, http, say
from tests.support.silent import silent_port

OK = http("200 OK", STS_ANSWER)
TIMEOUT = 0.5  # seconds, where a timeout is what is tested
THRICE = 3 * TIMEOUT + 0.5  # three attempts, and the pauses between them


def _reset(sock: socket.socket, _request: bytes) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _half_and_reset(sock: socket.socket, request: bytes) -> None:
    sock.sendall(OK[: len(OK) // 2])
    time.sleep(0.1)  # else the reset takes back what was sent
    _reset(sock, request)


def _hang_after(octets: bytes) -> Step:
    def step(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(octets)
        while sock.recv(100):
            pass

    return step


def _drip_after(octets: bytes) -> Step:
    def step(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(octets)
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)

    return step


HEAD, _, BODY = OK.partition(b"\r\n\r\n")
CLOSED = "closed the connection without a response; check the endpoint, or try again"
LATE = "cannot get a response from 127.0.0.1:# within 0.5 s; check the network, or set a longer timeout"

ANSWERING = {
    "closes without a response": (say(b""), Fault(7, CLOSED, 3)),
    "resets without a response": (_reset, Fault(7, "Connection reset by peer; check the network", 3)),
    "closes within its headers": (say(HEAD[:9]), Fault(7, "is not valid HTTP", 3)),
    "closes within its body": (say(OK[:-40]), Fault(7, "closed the connection in the middle of its response", 3)),
    "resets within its body": (_half_and_reset, Fault(7, "Connection reset by peer; check the network", 3)),
    "hangs before its headers": (_hang_after(b""), Fault(7, LATE, 3, within=THRICE)),
    "hangs within its headers": (_hang_after(HEAD), Fault(7, LATE, 3, within=THRICE)),
    "hangs after its headers": (_hang_after(HEAD + b"\r\n\r\n"), Fault(7, LATE, 3, within=THRICE)),
    "hangs within its body": (_hang_after(OK[:-40]), Fault(7, LATE, 3, within=THRICE)),
    "sends its headers slowly": (_drip_after(b"HTTP/1.1 200 OK\r\nA: "), Fault(7, LATE, 3, within=THRICE)),
    "sends its body slowly": (
        _drip_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), Fault(7, LATE, 3, within=THRICE)
    ),
}  # fmt: skip


def _port_that_is_closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


REACHING = {
    "nothing listens": Fault(7, "cannot connect to 127.0.0.1:#: Connection refused; check the network", 0),
    "packets are lost": Fault(
        7, "cannot connect to 127.0.0.1:# within 0.5 s; check the network", 0, within=THRICE
    ),
    "hangs before TLS": Fault(7, "cannot negotiate TLS with 127.0.0.1:# within 0.5 s", 0, within=THRICE),
    "hangs within TLS": Fault(7, "cannot negotiate TLS with 127.0.0.1:# within 0.5 s", 0, within=THRICE),
    "does not use TLS": Fault(7, "check that the port supports TLS 1.2 or 1.3", 0),
    "uses an old TLS": Fault(7, "TLSV1_ALERT_PROTOCOL_VERSION; check that the port supports TLS 1.2 or 1.3", 0),
    "closes within TLS": Fault(7, "cannot negotiate TLS with 127.0.0.1:#", 0),
    "no name server": Fault(7, "cannot connect to sts.test:1: cannot resolve the host name", 0, within=THRICE),
    "a name server that hangs": Fault(7, "cannot connect to sts.test:1 within 0.5 s", 0, within=THRICE),
}

FAULTS = {**{f"STS {name}": fault for name, (_, fault) in ANSWERING.items()}, **REACHING}


@pytest.mark.parametrize("name", ANSWERING)
def test_answering(runs: Bench, name: str) -> None:
    script, fault = ANSWERING[name]
    with ScriptedServer(script) as sts:
        runs.holds(fault, runs.run(sts.endpoint, f"--timeout={TIMEOUT}s"), len(sts.requests))


@contextlib.contextmanager
def _reached(name: str, runs: Bench) -> Iterator[tuple[str, Path | None]]:
    """What of `REACHING` is so while it lasts: a URL, and the program where it is not the usual one."""
    with contextlib.ExitStack() as stack:
        if name == "nothing listens":
            yield _port_that_is_closed(), None
        elif name == "packets are lost":
            yield f"http://127.0.0.1:{stack.enter_context(silent_port())}", None
        elif name == "hangs before TLS":
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", None
        elif "name server" in name:
            server = runs.box.home / "resolv.conf"
            server.write_text("nameserver 127.83.9.1\noptions attempts:1 timeout:5\n")
            if name == "a name server that hangs":
                listener = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                listener.bind(("127.83.9.1", 53))
            yield "http://sts.test:1", runs.within(f"mount --bind {server} /etc/resolv.conf")
        else:
            step: dict[str, Step] = {
                "hangs within TLS": _hang_after(b"\x16\x03\x03"),  # a record's first octets
                "does not use TLS": say(b"SSH-2.0-OpenSSH_9.2\r\n"),
                "uses an old TLS": say(b"\x15\x03\x01\x00\x02\x02\x46"),  # alert protocol_version
                "closes within TLS": say(b""),
            }
            peer = stack.enter_context(_Raw(step[name]))
            yield f"https://127.0.0.1:{peer.port}", None


class _Raw:
    """Does `step` to each connection once something has come in, whatever it is."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "_Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    self._step(client, client.recv(9999))


@pytest.mark.parametrize("name", REACHING)
def test_reaching(runs: Bench, name: str) -> None:
    with _reached(name, runs) as (url, program):
        runs.holds(REACHING[name], runs.run(url, f"--timeout={TIMEOUT}s", program=program), 0)


@pytest.mark.parametrize("before", ["lost", "refused"])
def test_a_name_whose_first_address_leads_nowhere(runs: Bench, before: str) -> None:
    """AAAA without a way to it: what is behind the A record answers, and well before the timeout."""
    hosts = runs.box.home / "hosts"
    hosts.write_text("::1 sts.test\n127.0.0.1 sts.test\n")
    program = runs.within(f"mount --bind {hosts} /etc/hosts")
    with ScriptedServer(say(OK)) as sts, contextlib.ExitStack() as stack:
        if before == "lost":
            stack.enter_context(silent_port("::1", sts.port))
        seen = runs.run(f"http://sts.test:{sts.port}", "--timeout=20s", program=program)
    assert seen.code == 0
    assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
    assert seen.seconds < 10


def test_ipv6(runs: Bench) -> None:
    with ScriptedServer(say(OK), host="::1") as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s")
    assert (seen.code, seen.err, len(sts.requests)) == (0, "", 1)
    assert f"\r\nHost: [::1]:{sts.port}\r\n".encode() in sts.requests[0]
