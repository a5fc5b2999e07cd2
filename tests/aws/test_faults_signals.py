"""Ctrl-C, SIGTERM and SIGHUP at each stage. tests/aws/test_credential_process_interrupted.py has each command."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.faults import MARGIN, Bench, Fault, Seen
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tests.support.silent import silent_port

SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}
PATIENCE = 20  # seconds
INTERRUPTED = "aws-tpm-process-credential: interrupted"


class Stage:
    """A run that has come to a certain place. `requests` counts what STS was sent."""

    def __init__(self, runs: Bench, stack: contextlib.ExitStack) -> None:
        self.runs = runs
        runs.bus.clear()
        self.stack = stack
        self.requests: list[bytes] = []
        self.process: subprocess.Popen[str]

    def start(self, url: str, *words: str, **environment: str) -> None:
        self.process = self.runs.box.start(*self.runs.words(url, "--timeout=50s", *words), **environment)

    def wait_for(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def server(self, script: Callable[[socket.socket, bytes], None]) -> ScriptedServer:
        made = self.stack.enter_context(ScriptedServer(script))
        self.requests = made.requests
        return made


def _before_the_tpm(stage: Stage, directory: Path) -> None:
    """The password's file is a pipe into which nobody has written yet."""
    pipe = directory / "password"
    os.mkfifo(pipe, 0o600)
    stage.start("http://127.0.0.1:1", f"--keyPass-file={pipe}")
    descriptor = os.open(pipe, os.O_WRONLY)  # waits for the reader
    stage.stack.callback(os.close, descriptor)


def _while_the_tpm_works(stage: Stage, _directory: Path) -> None:
    go, reached = threading.Event(), threading.Event()

    def hold(_command: bytes) -> None:
        reached.set()
        go.wait(PATIENCE)

    stage.runs.bus.on_command = hold
    stage.start("http://127.0.0.1:1")
    assert reached.wait(PATIENCE)
    stage.stack.callback(go.set)


def _while_connecting(stage: Stage, _directory: Path) -> None:
    stage.start(f"http://127.0.0.1:{stage.stack.enter_context(silent_port())}")
    stage.wait_for(lambda: stage.runs.bus.codes)
    time.sleep(0.3)


def _within_tls(stage: Stage, _directory: Path) -> None:
    listener = stage.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stage.start(f"https://127.0.0.1:{listener.getsockname()[1]}")
    client = stage.stack.enter_context(listener.accept()[0])
    assert client.recv(1) == b"\x16"


def _while_sts_is_silent(stage: Stage, _directory: Path) -> None:
    silent = stage.server(lambda _sock, _request: (silent.ended.wait(PATIENCE), None)[1])
    stage.start(silent.endpoint)
    stage.wait_for(lambda: silent.requests)


def _within_the_answer(stage: Stage, _directory: Path) -> None:
    half = http("200 OK", STS_ANSWER)[:-40]
    slow = stage.server(lambda sock, _request: (sock.sendall(half), slow.ended.wait(PATIENCE), None)[2])
    stage.start(slow.endpoint)
    stage.wait_for(lambda: slow.requests)
    time.sleep(0.2)


def _between_two_attempts(stage: Stage, _directory: Path) -> None:
    busy = stage.server(say(http("503 Slow Down", "", "Retry-After: 5")))
    stage.start(busy.endpoint)
    stage.wait_for(lambda: busy.requests)
    time.sleep(0.3)


STAGES: dict[str, tuple[Callable[[Stage, Path], None], Fault]] = {
    "before the TPM": (_before_the_tpm, Fault(130, INTERRUPTED, 0, 0)),
    "while the TPM works": (_while_the_tpm_works, Fault(130, INTERRUPTED, 0, 1)),
    "while connecting": (_while_connecting, Fault(130, INTERRUPTED, 0)),
    "within TLS": (_within_tls, Fault(130, INTERRUPTED, 0)),
    "while STS is silent": (_while_sts_is_silent, Fault(130, INTERRUPTED, 1)),
    "during STS's response": (_within_the_answer, Fault(130, INTERRUPTED, 1)),
    "between two attempts": (_between_two_attempts, Fault(130, INTERRUPTED, 1)),
}

FAULTS = {f"Ctrl-C {stage}": fault for stage, (_, fault) in STAGES.items()}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", SIGNALS)
def test_signal(runs: Bench, tmp_path: Path, name: str, stage: str) -> None:
    with contextlib.ExitStack() as stack:
        there = Stage(runs, stack)
        STAGES[stage][0](there, tmp_path)
        start = time.monotonic()
        there.process.send_signal(SIGNALS[name])
        out, err = there.process.communicate(timeout=MARGIN)
        seen = Seen(there.process.returncode, out, err, time.monotonic() - start)
    runs.holds(STAGES[stage][1]._replace(code=128 + SIGNALS[name]), seen, len(there.requests))


def test_a_run_that_waits_for_another_run(runs: Bench, tmp_path: Path) -> None:
    """The one that waits ends at once; the one that it waited for is none the wiser."""
    go = threading.Event()
    answer = say(http("200 OK", STS_ANSWER))
    with contextlib.ExitStack() as stack:
        there = Stage(runs, stack)
        sts = there.server(lambda sock, request: (go.wait(PATIENCE), answer(sock, request))[1])
        there.start(sts.endpoint, "--cache", XDG_RUNTIME_DIR=str(tmp_path))
        first = there.process
        there.wait_for(lambda: sts.requests)
        there.start(sts.endpoint, "--cache", XDG_RUNTIME_DIR=str(tmp_path))
        time.sleep(1)
        there.process.send_signal(signal.SIGINT)
        assert there.process.communicate(timeout=MARGIN) == ("", INTERRUPTED + "\n")
        assert there.process.returncode == 130
        go.set()
        assert STS_ANSWER.split("AccessKeyId>")[1][:20] in first.communicate(timeout=MARGIN)[0]
        assert len(sts.requests) == 1
