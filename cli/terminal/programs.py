"""Runs programs that end when this process ends."""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["running"]


@contextlib.contextmanager
def running(
    words: Sequence[str], *, end: int = signal.SIGTERM, **options: Any
) -> "Iterator[subprocess.Popen[bytes]]":
    """Starts a program. At the end of the block, sends `end` to a running program, and closes its pipes.

    `options` are those of subprocess.Popen. Raises the errors of Popen.
    """
    program = None
    try:
        with _undelivered() as unblock:
            program = subprocess.Popen(words, preexec_fn=unblock, **options)  # noqa: S603, PLW1509 - only without other threads
        yield program
    finally:
        if program is not None:
            with program:
                program.send_signal(end)


@contextlib.contextmanager
def _undelivered() -> "Iterator[_Unblock | None]":
    """Delivers signals that end this process after the block: inside Popen they would leave the program running.

    Yields a function that unblocks them, for the program, which inherits the blocked signals. Yields None if
    there are other threads: with them, Python must not run between fork and exec.
    """
    if threading.active_count() > 1:
        yield None
        return
    unblock = _Unblock(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}))
    try:
        yield unblock
    finally:
        unblock()


class _Unblock:
    def __init__(self, mask: set[int | signal.Signals]) -> None:
        self._mask = mask

    def __call__(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
