"""Colours by one rule: on a terminal, by NO_COLOR, FORCE_COLOR and --color; with the letters of plain text."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.verbs import PROGRAM, Tool

TALK = ["80010000000c0000017b0010", "80010000000f000000000003aabbcc"]
BROKEN = "80010000000b0000017b00"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(*words: str, **variables: str) -> str:
    """What the verb writes to a terminal of its own."""
    here, there = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm", "COLUMNS": "80"} | variables
    with os.fdopen(here, "rb", buffering=0) as screen:
        program = subprocess.Popen(
            [*PROGRAM, "decode", *words],
            stdout=there,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        os.close(there)
        shown = b""
        while True:
            try:
                more = screen.read(65536)
            except OSError:  # the terminal's other end is closed
                break
            if not more:
                break
            shown += more
        _, said = program.communicate(timeout=30)
    assert said == b""
    return shown.decode().replace("\r\n", "\n")


def test_the_letters_are_the_same_whatever_the_colours(tool: Tool) -> None:
    for words in (TALK, [BROKEN]):
        plain = tool("decode", "--color", "never", *words).out
        coloured = tool("decode", "--color", "always", *words).out
        assert "\x1b[" in coloured
        assert ESCAPES.sub("", coloured) == plain
    assert "\x1b[1;31m! " in coloured


def test_a_terminal_has_colours_unless_they_are_not_wanted(tool: Tool) -> None:
    # What is no terminal has none.
    plain = tool("decode", *TALK).out
    assert "\x1b" not in plain
    coloured = on_terminal(*TALK)
    assert "\x1b[1mbytesRequested" in coloured
    assert ESCAPES.sub("", coloured) == plain
    assert on_terminal(*TALK, NO_COLOR="1") == plain
    assert on_terminal(*TALK, TERM="dumb") == plain
    assert on_terminal("--color", "never", *TALK) == plain
    assert "\x1b" in on_terminal("--color", "always", *TALK, NO_COLOR="1")


@pytest.mark.parametrize(
    "words",
    [
        ["decode", *TALK],
        ["spec", "TPMT_HA", "000b" + "11" * 32],
        ["send", "--dry-run", "GetRandom", "bytesRequested=4"],
    ],
)
def test_one_rule_for_all_verbs(words: list[str], tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = tool(*words).out
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    colored = tool(*words).out
    assert "\x1b[" in colored
    assert ESCAPES.sub("", colored) == plain
    assert tool(*words, "--color=never").out == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert tool(*words).out == plain
    assert tool(*words, "--color=always").out == colored


def test_without_the_extra(tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    ran = tool("decode", "--color", "always", *TALK)
    assert (ran.code, ran.err.count("\n"), ran.out) == (2, 1, "")
    assert "tpmwire[color]" in ran.err
    # A terminal gets plain text: rich that cannot be imported stands in front of the installed one.
    (tmp_path / "rich.py").write_text("raise ImportError")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    assert "\x1b" not in on_terminal(*TALK, PYTHONPATH=path)
