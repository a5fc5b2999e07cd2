"""How a program ends when something goes wrong: one line, in characters that cannot steer a terminal."""

import contextlib
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal.messages import guarded
from cli.terminal.streams import printable
from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, write_program
from tests.support.verbs import Tool

ROOT = Path(__file__).parents[2]


def ended(work: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own whose `work` is these lines."""
    lines = "\n".join(f"    {line}" for line in work.splitlines())
    imports = "import os, signal, sys, time\nfrom cli.terminal.messages import guarded"
    program = f"{imports}\ndef work():\n{lines}\n    return 0\n"
    return subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit(guarded('program', work))"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key café 鍵 🔑", "key café 鍵 🔑"),
        ("\x1b[2J\x9b31m\x07\x7f", "\\x1b[2J\\x9b31m\\x07\\x7f"),
        ("a\rb\nc\u2028", "a\\rb\\nc\\u2028"),
        ("\u202egnp.exe\u2066\u200b", "\\u202egnp.exe\\u2066\\u200b"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_has_no_shape_is_shown_by_its_number(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_nothing_from_the_command_line_steers_the_terminal(tool: Tool) -> None:
    evil = "\x1b]0;x\x07\u202e\r\x9b2J\n"
    for words in (
        ["show", f"/nonexistent/{evil}"],
        ["list", "--tpm-path", f"/dev/{evil}"],
        ["import", "--parent", evil],
        [evil],
        ["curl", f"https://{evil}"],
        ["spec", evil],
        ["decode", evil],
    ):
        ran = tool(*words)
        assert ran.code not in (0, 1)
        assert (ran.err.count("\n"), ran.err[:-1].isprintable()) == (1, True), (words, ran.err)
        assert ran.out == ""


def test_text_on_standard_output_does_not_either(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        print("one\ttwo\x1b[2J\nthree\x85")
        print(b"\xff".decode(errors="surrogateescape"))
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\x1b[1moctets are sent as they are\n")
        return 0

    assert guarded("program", work) == 0
    out, err = capfd.readouterr()
    assert out == "one\ttwo\\x1b[2J\nthree\\x85\n\\udcff\n\x1b[1moctets are sent as they are\n"
    assert err == ""


def test_what_the_locale_has_no_character_for_is_shown_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, "ascii"))
    assert guarded("program", lambda: print("schlüssel") or 0) == 0
    assert octets.getvalue() == b"schl\\xfcssel\n"


@pytest.mark.parametrize(
    "words",
    [
        *(["import", "--help"], ["--help"], ["completion", "bash"]),
        *(["doctor", "--tpm-path", "/nonexistent"], ["decode", "80010000000c000001440000"]),
    ],
)
def test_output_that_cannot_be_written_is_an_error_of_stdout(tmp_path: Path, words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [write_program(tmp_path, TOOLBOX), *words],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"tpmwire: stdout: No space left on device\n")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        ("raise KeyError('the secret')", "internal error: KeyError in <string>, line 4; please report it"),
        ("import json; json.loads('[' * 100_000)", "the input is nested too deeply"),
        ("raise MemoryError", "out of memory"),
    ],
)
def test_an_error_that_nobody_expected_is_one_line(work: str, says: str) -> None:
    done = ended(work)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"program: {says}")
    assert "secret" not in done.stderr


def test_ctrl_c_in_a_callback_from_which_python_raises_nothing_still_ends_the_run() -> None:
    done = ended(
        "class Dropped:\n    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "dropped = Dropped()\ndel dropped\ntime.sleep(30)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "program: interrupted\n")


DUMPABLE = """
import os
leave = os._exit
def tell(code):
    import ctypes
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)  # PR_GET_DUMPABLE
    leave(code)
os._exit = tell
"""


@pytest.mark.parametrize(("name", "words"), [(CREDENTIAL_PROCESS, ["--aws-access-key-id=A"]), (TOOLBOX, ["list"])])
def test_no_other_process_of_the_user_gets_at_a_runs_memory(tmp_path: Path, name: str, words: list[str]) -> None:
    program = write_program(tmp_path, name, DUMPABLE)
    done = subprocess.run(
        [program, *words, "--tpm-path=/nonexistent"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (3, "0\n")


ANSWER = """
import sys
from types import SimpleNamespace
from cli.terminal.messages import guarded
from cli.requests.response import Output

def work():
    with Output(next(iter(sys.argv[1:]), None), include=True) as output:
        take = output.receive(SimpleNamespace(status=200, headers=[("x-from", chr(0x9b) + "31m")]))
        for block in (b"\\x1b[2Jcaf\\xc3", b"\\xa9\\r", b"\\n\\xff\\x07\\n"):
            take(block)
        output.keep()
    return 0

sys.exit(guarded("program", work))
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], b"HTTP/1.1 200 OK\r\nx-from: \\x9b31m\r\n\r\n\\x1b[2Jcaf\xc3\xa9\r\n\\xff\\x07\r\n"),
        (["-"], b"HTTP/1.1 200 OK\r\r\nx-from: \x9b31m\r\r\n\r\r\n\x1b[2Jcaf\xc3\xa9\r\r\n\xff\x07\r\n"),
    ],
    ids=["a terminal", "octets, as asked for"],
)
def test_an_answer_of_the_network_does_not_steer_the_terminal(words: list[str], shown: bytes) -> None:
    terminal, child = pty.openpty()
    done = subprocess.run([sys.executable, "-c", ANSWER, *words], cwd=ROOT, check=False, stdout=child)
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):  # the end
        while block := os.read(terminal, 4096):
            seen += block
    os.close(terminal)
    assert (done.returncode, seen) == (0, shown)
