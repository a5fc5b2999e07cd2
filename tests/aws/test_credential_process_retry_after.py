"""The whole program before an STS that asks for time, and then verifies the signature of the next attempt."""

import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.support import keys
from tests.support.programs import Machine
from tests.support.scripted import ScriptedServer, Step, error, http
from tests.support.sts import VerifyingSts

MARGIN = 30.0  # seconds that a busy machine may take for an attempt


@pytest.fixture
def moments() -> list[float]:
    """When each attempt came."""
    return []


@pytest.fixture
def passed_on(sts: VerifyingSts, moments: list[float]) -> Step:
    """Passes the request on to the STS that verifies."""

    def step(sock: socket.socket, request: bytes) -> None:
        moments.append(time.monotonic())
        with socket.create_connection(("127.0.0.1", sts.port), 30) as server:
            server.sendall(request)
            while more := server.recv(65536):
                sock.sendall(more)

    return step


@pytest.mark.parametrize(
    ("mode", "headers", "least"),
    [
        ("standard", ["x-amz-retry-after: 1200"], 1.2),
        ("standard", ["X-Amz-Retry-After: 700", "Retry-After: 60"], 0.7),
        ("standard", ["Retry-After: 1"], 1.0),
        ("adaptive", ["x-amz-retry-after: 800"], 0.8),
        ("standard", ["x-amz-retry-after: soon"], 0.0),
    ],
)
def test_the_next_attempt_comes_when_it_is_asked_for(
    box: Machine,
    sts: VerifyingSts,
    moments: list[float],
    passed_on: Callable[[socket.socket, bytes], None],
    mode: str,
    headers: list[str],
    least: float,
) -> None:
    answer = http("503 Slow Down", error("ServiceUnavailable"), *headers)

    def busy(sock: socket.socket, _request: bytes) -> None:
        moments.append(time.monotonic())
        sock.sendall(answer)

    with ScriptedServer(busy, passed_on) as front:
        done = box.run(
            f"--aws-access-key-id={sts.access_key_id}",
            f"--persistentHandle={keys.PLAIN_HANDLE:#x}",
            f"--tpm-path={box.swtpm.path}",
            "--assumeRole",
            f"--aws-arn={sts.role_arn}",
            f"--endpoint-url={front.endpoint}",
            "--timeout=20s",
            AWS_RETRY_MODE=mode,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["SessionToken"]
    first, second = moments
    assert least <= second - first < least + MARGIN
