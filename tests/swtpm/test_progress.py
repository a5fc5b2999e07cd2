"""Progress of slow work: a line on a terminal from the third second on, and nothing anywhere else."""

import contextlib
import os
import pty
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from cli.terminal import messages, progress
from tests.support.captures import COMMAND, RESPONSE, Capture, recorded
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm
from tests.support.verbs import PROGRAM

LINE = b"\r\x1b[K"


@contextlib.contextmanager
def with_terminal(
    *words: str, seen: Callable[[bytes], None], terminal: bool = True, **options: object
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a verb whose standard error is a terminal or a pipe; calls `seen` with all that it has shown."""
    here, there = pty.openpty() if terminal else os.pipe()
    program = subprocess.Popen(  # type: ignore[call-overload]
        [*PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=there,
        env={**os.environ, "TERM": "xterm"},
        **({"stdin": subprocess.DEVNULL} | options),
    )
    os.close(there)

    def read() -> None:
        shown = b""
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while more := os.read(here, 4096):
                shown += more
                seen(shown)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield program
    finally:
        program.wait(120)
        reader.join(60)
        os.close(here)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_slow_tpm(terminal: bool, swtpm: Swtpm) -> None:
    waiting, shown = threading.Event(), b""

    def seen(text: bytes) -> None:
        nonlocal shown
        shown = text
        if b"CreatePrimary: 3 s" in text:
            waiting.set()

    def hold(response: bytes, command: bytes) -> bytes:
        # The TPM is as slow as the test needs it: until the line is there, or would be.
        if command[6:10] == b"\0\0\1\x31":
            waiting.wait(60 if terminal else 3)
        return response

    with Interposer(swtpm.path) as relay:
        relay.on_response = hold
        words = ["name", "srk", "--tpm-path", f"swtpm:path={relay.path}"]
        with with_terminal(*words, seen=seen, terminal=terminal) as program:
            out, _ = program.communicate(timeout=120)
    assert program.returncode == 0
    assert len(bytes.fromhex(out.decode())) == 34
    if not terminal:
        assert shown == b""
        return
    first, *others = shown.split(LINE)
    assert first == b""
    assert others[0].startswith(b"waiting for the TPM: CreatePrimary: ")
    assert others[-1] == b""  # the line is removed at the end


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["decode"], b"explaining standard input: "),
        (["debug", "--json"], b"explaining the recording: "),
        (["explain"], b"recognizing the input: "),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_a_capture_that_arrives_slowly(words: list[str], line: bytes) -> None:
    shown = threading.Event()
    with with_terminal(
        *words,
        "-",
        seen=lambda text: line in text and shown.set(),
        stdin=subprocess.PIPE,
    ) as program:
        whole = recorded(Capture().to(COMMAND).back(RESPONSE).frames)
        program.stdin.write(whole[:-10])
        program.stdin.flush()
        assert shown.wait(60)
        program.stdin.write(whole[-10:])
        out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert b"randomBytes" in out
    assert b"\x1b" not in out


def test_the_line_has_the_part_that_is_done_and_fits_the_terminal() -> None:
    work = progress.Activity("explaining \x1b[31mtalk.pcap", 200)
    work.done = 50
    assert work.line(80) == "explaining \\x1b[31mtalk.pcap: 25 %, 0 s"
    assert work.line(20) == "explaini: 25 %, 0 s"
    assert progress.Activity("waiting").line(80) == "waiting: 0 s"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is written to a terminal, where activities are shown at once."""
    written: list[str] = []
    monkeypatch.setattr(progress, "DELAY", 0.01)
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    monkeypatch.setattr(progress, "is_shown", lambda: True)
    monkeypatch.setattr(progress._Screen, "_write", staticmethod(written.append))
    yield written
    assert messages.before_note is None


def wait_for(written: list[str], text: str) -> None:
    """Waits until a line begins with a text."""
    done = threading.Event()
    for _ in range(2000):
        if written and written[-1].startswith(f"\r\x1b[K{text}"):
            return
        done.wait(0.01)
    raise AssertionError(written[-3:])


def test_nested_activities_and_a_note_between(screen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.activity("outer"):
        wait_for(screen, "outer")
        with progress.activity("inner"):
            wait_for(screen, "inner")
            messages.note("a note")
            assert "\r\x1b[K" in screen
        wait_for(screen, "outer")
    assert screen[-1] == "\r\x1b[K"
    assert capsys.readouterr().err == "a note\n"


def test_an_error_ends_the_line(screen: list[str]) -> None:
    def fail() -> None:
        with progress.activity("work"):
            wait_for(screen, "work")
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        fail()
    assert screen[-1] == "\r\x1b[K"


def test_no_progress_beside_results_on_the_same_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "is_shown", lambda: True)
    monkeypatch.setattr(progress.sys.stdout, "isatty", lambda: True, raising=False)  # type: ignore[attr-defined]
    with progress.activity("work", prints=True):
        assert progress._screen.activities == []
