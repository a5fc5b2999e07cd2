"""Shows the progress of activities that take over two seconds: one line on stderr, on a terminal only.

with activity("waiting for the TPM"):
    ...
"""

import _thread
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from . import messages
from .streams import printable

__all__ = ["Activity", "activity", "is_shown"]

DELAY, INTERVAL = 2.0, 0.5
"""Seconds until an activity is shown, and between its updates."""

_CLEAR = "\r\x1b[K"

_MAIN_THREAD = _thread.get_ident()  # of the import; the module `threading` would be loaded for nothing else


class Activity:
    """An activity that the user waits for. If `total` is not 0, `done` of `total` parts are finished."""

    def __init__(self, text: str, total: int = 0) -> None:
        self.text = text
        self.done, self.total = 0, total
        self._started = time.monotonic()

    @property
    def age(self) -> float:
        """The number of seconds since the activity started."""
        return time.monotonic() - self._started

    def line(self, width: int) -> str:
        """Returns the progress line, of at most `width` characters."""
        part = f" {100 * self.done // self.total} %," if self.total else ""
        end = f":{part} {self.age:.0f} s"
        return printable(self.text)[: max(0, width - len(end) - 1)] + end


class _Screen:
    """The progress line on the terminal, drawn by a timer: a thread would be unsafe when programs are started."""

    def __init__(self) -> None:
        self.activities: list[Activity] = []
        self._is_drawn = False

    def draw(self, _number: int, _frame: FrameType | None) -> None:
        """Draws the progress line of the latest activity that has lasted at least two seconds."""
        slow = [each for each in self.activities if each.age >= DELAY]
        if slow and sys.stderr is not None:
            self._is_drawn = True
            self._write(_CLEAR + slow[-1].line(_width()))

    def clear(self) -> None:
        """Removes the progress line from the terminal."""
        if self._is_drawn:
            self._is_drawn = False
            self._write(_CLEAR)

    @staticmethod
    def _write(text: str) -> None:
        # Not by Python's buffer: a signal handler may interrupt a write to it.
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), text.encode(errors="replace"))


_screen = _Screen()


def is_shown() -> bool:
    """Returns whether this thread can show progress: the main thread can, if stderr is a terminal.

    The terminal must be able to clear a line.
    """
    return (
        hasattr(signal, "setitimer")  # WebAssembly and Windows have no timers
        and sys.stderr is not None
        and not sys.stderr.closed
        and sys.stderr.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and _thread.get_ident() == _MAIN_THREAD
    )


@contextlib.contextmanager
def activity(text: str, total: int = 0, *, prints: bool = False) -> Iterator[Activity]:
    """Shows an activity while the block runs, starting after two seconds. Activities may be nested.

    `total` is the number of the activity's parts, or 0. `prints` is True if the block prints results to stdout; if
    stdout is a terminal, no progress is shown then.
    """
    current = Activity(text, total)
    if not is_shown() or (prints and sys.stdout is not None and sys.stdout.isatty()):
        yield current
        return
    _screen.activities.append(current)
    try:
        with _timer() if len(_screen.activities) == 1 else contextlib.nullcontext():
            yield current
    finally:
        _screen.activities.remove(current)
        _screen.clear()


@contextlib.contextmanager
def _timer() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _screen.draw)
    messages.before_note = _screen.clear
    signal.setitimer(signal.ITIMER_REAL, DELAY, INTERVAL)
    try:
        yield
    finally:
        # A lost signal (`messages.guarded`) may have its own handler and timer meanwhile.
        if signal.getsignal(signal.SIGALRM) == _screen.draw:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        messages.before_note = None


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
