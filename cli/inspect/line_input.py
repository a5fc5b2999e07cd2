"""Reads the lines of `tpmwire shell`: with completion and history by prompt_toolkit, or by plain input."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..terminal.messages import UsageError, note
from .shell.completion import complete
from .shell.saved import state_folder
from .shell.secrecy import has_secret
from .shell.values import Values

if TYPE_CHECKING:
    from prompt_toolkit.history import FileHistory  # an optional package

__all__ = ["history_path", "line_reader", "read_interruptibly"]


def history_path() -> Path:
    """Returns the path of the shell's history in the directory for state (XDG_STATE_HOME)."""
    return state_folder() / "shell_history"


def line_reader(prompt: str, values: Values) -> Callable[[], str]:
    """Returns a function that reads a line; the function raises EOFError at the end, KeyboardInterrupt at Ctrl-C.

    Without the package prompt_toolkit, or without a terminal, lines are read as they are.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed; use `tpmwire send -f FILE` for a script")
    if not sys.stdin.isatty():
        return _next_line
    try:
        import prompt_toolkit  # noqa: F401, PLC0415 - an optional package
    except ImportError:
        note("tpmwire: note: completion and history need prompt_toolkit: pip install 'tpmwire[shell]'")
        return lambda: read_interruptibly(lambda: input(prompt))
    session = _prompt_session(values)
    return lambda: read_interruptibly(lambda: str(session.prompt(prompt)))


def _next_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def read_interruptibly(read: Callable[[], str]) -> str:
    """Returns what `read` returns; Ctrl-C raises KeyboardInterrupt instead of ending the program."""
    sys.stdout.flush()  # prompt_toolkit writes to another stream: earlier output must be there before the prompt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return read()
    finally:
        signal.signal(signal.SIGINT, before)


def _prompt_session(values: Values) -> Any:
    from prompt_toolkit import PromptSession  # noqa: PLC0415 - an optional package
    from prompt_toolkit.completion import Completer, Completion  # noqa: PLC0415 - likewise
    from prompt_toolkit.history import InMemoryHistory  # noqa: PLC0415 - likewise
    from prompt_toolkit.output import create_output  # noqa: PLC0415 - likewise

    class LineCompleter(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterator[Any]:
            last, found = complete(document.text_before_cursor, values)
            for word in found:
                yield Completion(word, -len(last))

    # `streams.printed` has replaced sys.stdout by a stream that escapes control characters.
    return PromptSession(
        completer=LineCompleter(),
        complete_while_typing=False,
        history=_open_history() or InMemoryHistory(),
        output=create_output(stdout=sys.__stdout__),
    )


def _open_history() -> "FileHistory | None":
    """Returns the history in the user's file, which stores no line with a secret; None if it cannot be written."""
    from prompt_toolkit.history import FileHistory  # noqa: PLC0415 - an optional package

    class SafeHistory(FileHistory):
        def store_string(self, string: str) -> None:
            if has_secret(string):
                return
            with contextlib.suppress(OSError):  # a full disk must not end the shell
                super().store_string(string)

    path = history_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
    except OSError as error:
        note(f"tpmwire: note: cannot store the history: {path}: {error.strerror}")
        return None
    return SafeHistory(str(path))
