"""credential_process lines: every SDK reads the same words, and the program is found from any folder."""

import os
import re
import shlex
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.lifecycle.process_line import find_program, join_line
from cli.terminal.messages import UsageError
from cli.tpm.path import absolute_tpm_path

PROGRAM = "aws-tpm-process-credential"
WORDS = st.lists(st.text(" #;'\"\\$`~*=ab:%é\u00a0", max_size=8), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_every_sdk_reads_the_same_words(words: list[str]) -> None:
    line = join_line(words)
    # Some end a value at a blank and # or ;, even in quotes.
    assert re.search(r"\s[#;]", line) is None
    assert shlex.split(line) == words  # botocore, and with it the aws command
    shell = "for word; do printf '%s\\n' \"$word\"; done"
    done = subprocess.run(["sh", "-c", f"set -- {line}\n{shell}"], capture_output=True, check=True)
    assert done.stdout.decode().split("\n")[:-1] == words  # all others
    # .NET puts the line into double quotes first.
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    assert shlex.split(f'sh -c "{escaped}"', posix=True)[2] == line or "$" in line or "`" in line


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\x00", "a\x85b", "a\u2028b", "\udcff"])
def test_what_a_config_file_cannot_hold_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot contain"):
        join_line(["x", word])


def _program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without our program: no folder of PATH, nor this Python's, has it."""
    monkeypatch.setattr(sys, "argv", [str(_program(tmp_path / "bin" / "tpmwire"))])
    monkeypatch.setattr(sys, "executable", "/nonexistent/python3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:relative")
    return tmp_path


def test_the_program_beside_the_one_that_runs(alone: Path) -> None:
    _program(alone / "path" / PROGRAM)
    program = _program(alone / "bin" / PROGRAM)
    assert find_program() == ([str(program)], None)


def test_the_program_beside_the_file_that_a_link_leads_to(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(alone / "bin" / PROGRAM)
    (alone / "links").mkdir()
    (alone / "links" / "tpmwire").symlink_to(alone / "bin" / "tpmwire")
    monkeypatch.setattr(sys, "argv", [str(alone / "links" / "tpmwire")])
    assert find_program() == ([str(program)], None)


def test_the_program_of_this_python_and_of_path(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(alone / "path" / PROGRAM)
    assert find_program() == ([str(program)], None)
    program = _program(alone / "venv" / PROGRAM)
    monkeypatch.setattr(sys, "executable", str(alone / "venv" / "python3"))
    assert find_program() == ([str(program)], None)


def test_a_program_run_by_a_relative_path(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(alone / "bin" / PROGRAM)
    monkeypatch.chdir(alone)
    monkeypatch.setattr(sys, "argv", ["bin/tpmwire"])
    assert find_program() == ([str(program)], None)


def test_what_will_not_be_found_is_told(alone: Path) -> None:
    words, problem = find_program()
    assert words == [PROGRAM]
    assert problem is not None
    assert "PATH" in problem
    program = _program(alone / "bin" / PROGRAM, 0o644)
    assert find_program() == ([str(program)], f"{program} is not executable; run chmod +x on it")


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_the_single_file_runs_itself(alone: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    single = alone / "single" / "tpmwire.pyz"
    single.parent.mkdir()
    with zipfile.ZipFile(single, "w") as archive:
        archive.writestr("__main__.py", "")
    single.chmod(mode)
    monkeypatch.setattr(sys, "argv", [str(single)])
    start = [str(single)] if mode & 0o100 else [sys.executable, str(single)]
    assert find_program() == ([*start, PROGRAM], None)
    # Its other name, where somebody made the link.
    (alone / "single" / PROGRAM).symlink_to(single)
    expected = [str(alone / "single" / PROGRAM)] if mode & 0o100 else [*start, PROGRAM]
    assert find_program() == (expected, None)


def test_tpm_paths_that_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("sock")
    here = os.getcwd()
    assert absolute_tpm_path("sock") == f"{here}/sock"
    assert absolute_tpm_path("swtpm:path=sock") == f"swtpm:path={here}/sock"
    assert absolute_tpm_path("device:tpm0") == f"device:{here}/tpm0"
    assert absolute_tpm_path("soft:state?explain") == f"soft:{here}/state?explain"
    for other in (
        "soft:",
        "soft:?explain",
        "soft:seed=x",
        "127.0.0.1:2321",
        "swtpm:host=h,port=1",
        "mssim:host=h,port=1",
        "/dev/tpmrm0",
    ):
        assert absolute_tpm_path(other) == other
