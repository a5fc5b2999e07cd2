"""`tpmwire learn`: lessons at a prompt, from a file, at a terminal, and in several processes."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.lessons import Progress, find_lesson
from tests.support.verbs import PROGRAM, Tool, started


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


RANDOM = "\n".join(find_lesson("random").solution)


def test_lines_from_a_file(tool: Tool, home: Path) -> None:
    (home / "my.tpm").write_text(RANDOM)
    ran = tool("learn", "3", "-f", str(home / "my.tpm"))
    assert ran.code == 0
    assert "✔ 3." in ran.out
    assert (home / "state/tpmwire/learn.json").stat().st_mode & 0o777 == 0o600
    assert re.search(r"✔  3  Random numbers +solved\n", tool("learn", "--list").out)
    assert tool("learn", "2", "-f", str(home / "my.tpm")).code == 1
    assert tool("learn", "--reset", "random").code == 0
    assert "solved" not in tool("learn", "--list").out
    for words in (["-f", "x"], ["--list", "3"], ["--list", "--reset"], ["77"], ["random", "-f", "/nonexistent"]):
        ran = tool("learn", *words)
        assert (ran.code, ran.err.count("\n")) == (2, 1), words


def test_lessons_at_a_prompt(tool: Tool, home: Path) -> None:
    """Standard input has the user's lines: the first lesson is skipped, and the third one solved."""
    ran = tool("learn", stdin=b"skip\nhint\nquit\n")
    assert ran.code == 0
    assert "Lesson 2 of" in ran.out
    assert "Task 1: " in ran.out
    ran = tool("learn", "3", stdin=RANDOM.encode() + b"\n\nquit\n")
    assert "Lesson 3 is solved" in ran.out
    assert "TPM_RC_RETRY" in ran.out
    assert "Lesson 2 of" in ran.out  # the next one
    listed = tool("learn", "--list").out.splitlines()
    assert [line.split()[-1] for line in listed[:4]] == ["skipped", "next", "solved", "open"]


def test_words_that_end_lessons(tool: Tool, home: Path) -> None:
    """`quit` ends after a solved lesson too, and in a file."""
    ran = tool("learn", "3", stdin=RANDOM.encode() + b"\nquit\n")
    assert (ran.code, "Lesson 3 is solved" in ran.out, "Lesson 1 of" in ran.out) == (0, True, False)
    ran = tool("learn", "3", "-f", "-", stdin=b"quit\n" + RANDOM.encode())
    assert (ran.code, "is solved" in ran.out) == (1, False)
    ran = tool("learn", "3", "-f", "-", stdin=b"page\n" + RANDOM.encode())
    assert (ran.code, ran.out.startswith("Lesson 3 of")) == (0, True)


def test_hints_and_tasks_are_wrapped(tool: Tool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for number in ("1", "10", "12"):
        ran = tool("learn", number, "-f", "-", stdin=b"GetRandom 1\nhint\n")
        shown = ran.out[ran.out.index("Task 1: ") :]
        assert max(map(len, shown.splitlines())) < 60


def test_damaged_progress_is_reported(tool: Tool, home: Path) -> None:
    path = home / "state/tpmwire/learn.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    ran = tool("learn", "--list")
    assert (ran.code, ran.err) == (0, f"tpmwire: note: {path} is damaged; all lessons count as open\n")


def read_until(fd: int, text: bytes, again: Callable[[], None] = lambda: None) -> bytes:
    """Reads from a terminal until `text`; calls `again` after each second without any."""
    data, deadline = b"", time.monotonic() + 120
    while text not in data:
        assert time.monotonic() < deadline, data
        if select.select([fd], [], [], 1)[0]:
            data += os.read(fd, 4096)
        else:
            again()
    return data


def test_a_lesson_at_a_terminal(home: Path) -> None:
    """The page comes before the prompt; Ctrl-D ends."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    command = [*PROGRAM, "learn", "3"]
    with started(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as program:
        os.close(theirs)
        assert b"Random numbers" in read_until(ours, b"lesson 3>")
        *lines, last = find_lesson("random").solution
        for line in lines:
            os.write(ours, line.encode() + b"\r")
            read_until(ours, b"lesson 3>")  # of the echo
        os.write(ours, last.encode() + b"\r")
        read_until(ours, b"Enter continues")
        # Ctrl-C; the terminal does not control the program. Python's readline misses one just before it waits.
        program.send_signal(signal.SIGINT)
        read_until(ours, b"Enter continues", lambda: program.send_signal(signal.SIGINT))
        os.write(ours, b"\x04")
        assert program.wait(60) == 0
    os.close(ours)


def test_two_runs_at_once(home: Path) -> None:
    """Both record their lesson, and each has a TPM of its own."""

    def learn(number: str) -> str:
        lines = "\n".join(find_lesson(number).solution).encode()
        done = subprocess.run(
            [*PROGRAM, "learn", number], input=lines, capture_output=True, check=True, timeout=120
        )
        return done.stdout.decode()

    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(learn, ["1", "3", "3"]))
    assert all(re.search(r"Lesson \d is solved", text) for text in outputs)
    progress = Progress.parse((home / "state/tpmwire/learn.json").read_text())
    assert progress.solved == {find_lesson("1").slug, find_lesson("3").slug}


def test_another_program_can_use_the_tpm_of_a_lesson(home: Path, tool: Tool) -> None:
    with started([*PROGRAM, "learn", "10"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        path = next(line for line in program.stdout if line.startswith(b"TPM of this lesson: ")).split()[-1]
        ran = tool("send", "--tpm-path", path.decode(), "PCR_Event", "pcrHandle=16", "eventData=text:kernel")
        assert ran.code == 0, ran.err
        out, _ = program.communicate(b"tasks\n", timeout=60)
    assert b"Task 2 is solved" in out


def test_a_lesson_that_locks_a_tpm_refuses_a_device(tool: Tool, home: Path) -> None:
    ran = tool("learn", "passwords_and_lockout", "-f", "-", "--tpm-path", "device:/dev/null", stdin=b"")
    assert ran.code == 2
    assert "locks the TPM out" in ran.err


def test_the_single_file_has_no_lessons(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cli.lessons", None)
    ran = tool("learn", "--list")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "the single-file tpmwire does not include lessons; install tpmwire with pip" in ran.err
