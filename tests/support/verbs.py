"""Verbs of the toolbox, run in this process or as a program of their own."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.swtpm import Swtpm, tpm2

__all__ = ["PROGRAM", "Ran", "Tool", "held", "shell", "started"]

PROGRAM = [sys.executable, "-c", "from cli.toolbox import main; raise SystemExit(main())"]


class Ran(NamedTuple):
    """How a verb ended."""

    code: int
    out: str
    err: str


Tool = Callable[..., Ran]
"""Runs a verb in this process: `tool("list", "--tpm-path", path, stdin=b"…")`; the fixture of that name."""


def held(swtpm: Swtpm) -> str:
    """What tpm2-tools find of transient objects and sessions: nothing, as a rule."""
    kinds = ("transient", "loaded-session", "saved-session")
    return "".join(tpm2(swtpm, "getcap", f"handles-{kind}").decode() for kind in kinds)


def shell(*words: str | Path, before: str = "", stdin: bytes = b"") -> Ran:
    """Runs a verb in a process of its own, after the shell commands `before`."""
    command = ["sh", "-c", f'{before}\nexec "$@"', "sh", *PROGRAM, *map(str, words)]
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, timeout=240)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def started(command: Sequence[str | Path], **settings: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process of its own. The end of the block waits for its end; a failed test ends it."""
    with subprocess.Popen(command, **settings) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
