"""Runs that are cut short: by a signal at any moment, by a TPM or an STS that hangs. Nothing stays in the TPM."""

import signal
import subprocess
import threading
import time

import pytest

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.programs import KEY_ID, SECRET, Machine, left_behind
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Tpm

pytestmark = pytest.mark.box(SECRET)

GOOD = say(http("200 OK", STS_ANSWER))
MARGIN = 30.0
"""Seconds that a busy machine may take for what an idle one does in 0.2."""


class Hold:
    """Holds up one command: before the TPM sees it, or its answer on the way back."""

    def __init__(self, bus: Interposer, code: TPM_CC, when: str) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()
        self._code = code.to_bytes(4, "big")
        self._bus = bus
        if when == "before":
            bus.on_command = self._before
        else:
            bus.on_response = self._after

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()

    def _pass(self, command: bytes) -> None:
        if command[6:10] == self._code and not self.go.is_set():
            self.reached.set()
            self.go.wait(60)

    def _before(self, command: bytes) -> None:
        self._pass(command)

    def _after(self, response: bytes, command: bytes) -> bytes:
        self._pass(command)
        return response


def _start(box: Machine, path: str, endpoint: str, *words: str) -> "subprocess.Popen[str]":
    return box.start(f"--tpm-path={path}", f"--aws-access-key-id={KEY_ID}", f"--endpoint-url={endpoint}", *words)


def _ended(process: "subprocess.Popen[str]", within: float = MARGIN) -> tuple[int, str, str]:
    """Also the end of its stdout and stderr, which the process left in the background must not hold open."""
    out, err = process.communicate(timeout=within)
    return process.returncode, out, err


PEM = "--credential-file={home}/plain.pem"
MOMENTS = {
    "CreatePrimary": TPM_CC.CreatePrimary,
    "StartAuthSession": TPM_CC.StartAuthSession,
    "Load": TPM_CC.Load,
    "HMAC": TPM_CC.HMAC,
    "FlushContext": TPM_CC.FlushContext,
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_while_the_tpm_works(
    box: Machine, bus: Interposer, moment: str, when: str, number: signal.Signals
) -> None:
    bus.clear()
    with Hold(bus, MOMENTS[moment], when) as hold:
        process = _start(box, bus.path, "http://127.0.0.1:1", PEM.format(home=box.home), "--timeout=50")
        assert hold.reached.wait(20)
        process.send_signal(number)
        # While the TPM still works: whoever pressed Ctrl-C has the prompt back.
        code, out, err = _ended(process)
    assert (code, out) == (128 + number, "")
    assert err == "aws-tpm-process-credential: interrupted\n"
    # The relay serves the process in the background first, as it came first.
    assert left_behind(bus.path) == []
    opened = [pair for pair in bus.dialogue if pair.code in ("CreatePrimary", "StartAuthSession", "Load")]
    assert opened
    assert bus.codes.count("FlushContext") >= len(opened)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_sts_hangs(box: Machine, number: signal.Signals) -> None:
    reached = threading.Event()
    with ScriptedServer(lambda _sock, _request: (reached.set(), sts.ended.wait(60))[0]) as sts:
        process = _start(box, box.swtpm.path, sts.endpoint, PEM.format(home=box.home), "--timeout=50")
        assert reached.wait(20)
        assert left_behind(box.swtpm.path) == []  # closed before the network is touched
        process.send_signal(number)
        assert _ended(process) == (128 + number, "", "aws-tpm-process-credential: interrupted\n")


def test_a_second_signal_does_not_cut_the_clean_up_short(box: Machine, bus: Interposer) -> None:
    bus.clear()
    with Hold(bus, TPM_CC.Load, "after") as hold:
        process = _start(box, bus.path, "http://127.0.0.1:1", PEM.format(home=box.home), "--timeout=50")
        assert hold.reached.wait(20)
        for _ in range(5):
            process.send_signal(signal.SIGINT)
        assert _ended(process)[0] == 130
    assert left_behind(bus.path) == []


def test_killed_outright_in_the_middle_is_what_the_clean_up_saves_from(box: Machine, bus: Interposer) -> None:
    """So that the checks above are known to find something: nothing cleans up after SIGKILL."""
    bus.clear()
    with Hold(bus, TPM_CC.HMAC, "after") as hold:
        process = _start(box, bus.path, "http://127.0.0.1:1", PEM.format(home=box.home), "--timeout=50")
        assert hold.reached.wait(20)
        process.kill()
        _ended(process)
    left = left_behind(bus.path)
    assert len(left) == 2
    with Tpm.open(bus.path, 20) as tpm:
        for handle in left:
            tpm.flush(handle)


@pytest.mark.parametrize("encryption", [[], ["--no-session-encryption"]], ids=["encrypted", "clear"])
@pytest.mark.parametrize("key", [PEM, f"--persistentHandle={keys.PLAIN_HANDLE:#x}"], ids=["file", "handle"])
def test_a_tpm_that_never_answers(box: Machine, key: str, encryption: list[str]) -> None:
    box.swtpm.pause()
    try:
        started = time.monotonic()
        process = _start(
            box, box.swtpm.path, "http://127.0.0.1:1", key.format(home=box.home), *encryption, "--timeout=500ms"
        )
        code, out, err = _ended(process)
        assert 0.5 <= time.monotonic() - started < 0.5 + MARGIN
    finally:
        box.swtpm.resume()
    assert (code, out) == (3, "")
    assert "did not respond in time" in err
    assert "--timeout allows more time" in err
    assert err.count("\n") == 1
    assert left_behind(box.swtpm.path) == []


@pytest.mark.parametrize("moment", ["CreatePrimary", "StartAuthSession", "Load"])
def test_what_a_late_answer_opened_is_flushed(box: Machine, bus: Interposer, moment: str) -> None:
    bus.clear()
    with Hold(bus, MOMENTS[moment], "after") as hold:
        process = _start(box, bus.path, "http://127.0.0.1:1", PEM.format(home=box.home), "--timeout=1s")
        assert hold.reached.wait(20)
        assert _ended(process, 1 + MARGIN)[:2] == (3, "")
    assert left_behind(bus.path) == []
    assert bus.codes[bus.codes.index(moment) + 1] == "FlushContext"


def test_an_sts_that_never_answers(box: Machine) -> None:
    with ScriptedServer(lambda _sock, _request: (sts.ended.wait(60), None)[1]) as sts:
        started = time.monotonic()
        process = _start(
            box, box.swtpm.path, sts.endpoint, f"--persistentHandle={keys.PLAIN_HANDLE:#x}", "--timeout=1s"
        )
        code, out, err = _ended(process, 60)
        spent = time.monotonic() - started
    assert (code, out) == (7, "")
    assert "cannot get a response" in err
    # Three attempts of a second each, with short pauses between them.
    assert len(sts.requests) == 3
    assert 3.0 <= spent < 4 + MARGIN


def test_the_tpm_is_closed_before_the_network_is_touched(box: Machine) -> None:
    """swtpm takes one client at a time: while the request waits at STS, another program has the TPM."""
    seen: list[list[int]] = []

    def look_and_answer(sock: object, request: bytes) -> None:
        seen.append(left_behind(box.swtpm.path))
        GOOD(sock, request)  # type: ignore[arg-type]

    for key in (PEM.format(home=box.home), f"--persistentHandle={keys.PLAIN_HANDLE:#x}"):
        with ScriptedServer(look_and_answer) as sts:
            process = _start(box, box.swtpm.path, sts.endpoint, key, "--timeout=20")
            assert _ended(process, 30)[0] == 0
    assert seen == [[], []]
