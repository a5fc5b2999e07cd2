"""Verbs of the toolbox, run in this process or as a program of their own."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.toolbox import main
from tests.support.swtpm import Swtpm, tpm2

__all__ = ["PROGRAM", "Ran", "Tool", "held", "tool", "without_tpm"]

PROGRAM = [sys.executable, "-c", "from cli.toolbox import main; raise SystemExit(main())"]


class Ran(NamedTuple):
    """How a verb ended."""

    code: int
    out: str
    err: str


Tool = Callable[..., Ran]


@pytest.fixture
def tool(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs a verb: `tool("list", "--tpm-path", path, stdin=b"…")`."""

    def run(*words: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Ran(code, *capfd.readouterr())

    return run


@pytest.fixture
def without_tpm(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs a verb that uses a key, where nothing else is set and there is no TPM."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: tool(*words, "--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent")


def held(swtpm: Swtpm) -> str:
    """What tpm2-tools find of transient objects and sessions: nothing, as a rule."""
    kinds = ("transient", "loaded-session", "saved-session")
    return "".join(tpm2(swtpm, "getcap", f"handles-{kind}").decode() for kind in kinds)


def shell(*words: str | Path, before: str = "", stdin: bytes = b"") -> Ran:
    """Runs a verb in a process of its own, after the shell commands `before`."""
    command = ["sh", "-c", f'{before}\nexec "$@"', "sh", *PROGRAM, *map(str, words)]
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, timeout=60)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
