"""Clients of `tpmwire serve`: `python -m tests.bench.serving`. BENCH_CLIENTS sets their number (default 1000).

The first table has the time of a whole process for each way to request credentials. The second has many clients at
once, which all connect before the first one sends its request: how long they wait for the whole response, and how
many connections were dropped. The credentials are made up: neither TPM nor STS takes part.
"""

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from cli.serving.connections import raise_descriptor_limit
from tests.support.credential_server import SECRET, TOKEN

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "1000"))
ROUNDS = 5
RUNS = int(os.environ.get("BENCH_RUNS", "21"))
WANTED = 0.6
"""Seconds within which 99 of 100 clients are to have their response."""

SERVER = """
import sys
from pathlib import Path
from statistics import median
from cli.serving.connections import raise_descriptor_limit
from tests.support.credential_server import Running
raise_descriptor_limit()
running = Running(Path(sys.argv[1]), imds=False)
with running.server:
    print(running.port, flush=True)
    sys.stdin.read()
"""
ASK = f"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: {TOKEN}\r\n\r\n".encode()
PROCESS = b"GET /process HTTP/1.0\r\nHost: localhost\r\n\r\n"

Address = tuple[int, str | tuple[str, int], bytes]
"""Socket family, address, and the request for credentials."""


def main() -> None:
    """Prints one line for each kind of socket."""
    raise_descriptor_limit()
    with running_server() as addresses:
        _print_processes(str(addresses["unix socket"][1]))
        print(f"{CLIENTS} clients at once, {ROUNDS} rounds; ms until the whole response")
        for kind, address in addresses.items():
            _print(kind, address)


@contextlib.contextmanager
def running_server() -> Iterator[dict[str, Address]]:
    """A server in a process of its own: the addresses of its port and of its unix socket."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", SERVER, name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield {
                "port": (socket.AF_INET, ("127.0.0.1", port), ASK),
                "unix socket": (socket.AF_UNIX, str(Path(name, "socket")), PROCESS),
            }
            server.communicate()


def _print_processes(path: str) -> None:
    """Prints the medians of whole processes, run in turn so that the machine's other work affects all equally."""
    ways = {
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "tpmwire fetch": [str(Path(sys.executable).with_name("tpmwire")), "fetch", path],
        "tpmwire fetch --timeout": [str(Path(sys.executable).with_name("tpmwire")), "fetch", path, "--timeout=9s"],
        "curl": [shutil.which("curl") or "curl", "-s", "--unix-socket", path, "http://localhost/process"],
    }
    figures: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with open(os.devnull, "w") as null:
        output = [(os.POSIX_SPAWN_DUP2, null.fileno(), 1)]
        for _ in range(RUNS):
            for way, argv in ways.items():
                begun = time.perf_counter()
                process = os.posix_spawn(argv[0], argv, os.environ, file_actions=output)
                _, status, used = os.wait4(process, 0)
                assert status == 0, argv
                figures[way].append((time.perf_counter() - begun, used.ru_utime + used.ru_stime))
    print(f"whole processes, medians of {RUNS} runs{'':13}wall ms   CPU ms")
    for way, rows in figures.items():
        wall, cpu = (1000 * median(column) for column in zip(*rows, strict=True))
        print(f"{way:44}{wall:9.1f}{cpu:9.1f}")


def _print(kind: str, address: Address) -> None:
    times: list[float] = []
    dropped = 0
    for _ in range(ROUNDS):
        done = round_of(CLIENTS, address)
        times += done
        dropped += CLIENTS - len(done)
    times.sort()
    at = {name: 1000 * times[min(len(times) - 1, int(part * len(times)))] for name, part in PARTS.items()}
    shown = "  ".join(f"{name} {value:.0f}" for name, value in at.items())
    reached = "" if at["p99"] <= 1000 * WANTED and not dropped else ": NOT reached"
    print(f"{kind:12} {shown}  dropped {dropped} (wanted: p99 at most {1000 * WANTED:.0f}, none dropped){reached}")


PARTS = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


def round_of(clients: int, address: Address) -> list[float]:
    """Seconds that each client waited; those whose connection was dropped are missing."""
    family, where, request = address
    socks = [socket.socket(family) for _ in range(clients)]
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.connect(where)
            sock.setblocking(False)
        begun = time.perf_counter()
        for sock in socks:
            sock.send(request)
            selector.register(sock, selectors.EVENT_READ, bytearray())
        times: list[float] = []
        while selector.get_map() and (ready := selector.select(30)):
            for key, _ in ready:
                data = _read(key.fileobj)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
                    if SECRET.encode() in key.data:
                        times.append(time.perf_counter() - begun)
    for sock in socks:
        sock.close()
    return times


def _read(sock: object) -> bytes:
    assert isinstance(sock, socket.socket)
    try:
        return sock.recv(65536)
    except OSError:
        return b""


if __name__ == "__main__":
    main()
