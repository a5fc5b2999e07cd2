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
    """Runs a program during a block; at its end, sends the signal `end` and waits for the program.

    `options` are the arguments of subprocess.Popen. Raises the errors of Popen.
    """
    program = None
    try:
        with _defer_signals() as unblock:
            program = subprocess.Popen(words, preexec_fn=unblock, **options)  # noqa: S603, PLW1509 - only without other threads
        yield program
    finally:
        if program is not None:
            with program:
                program.send_signal(end)


@contextlib.contextmanager
def _defer_signals() -> "Iterator[_Unblock | None]":
    """Defers the signals that end this process until the block ends, so that Popen cannot leave a program running.

    Yields a function for the new program, which inherits the blocked signals; the function unblocks them. If other
    threads run, yields None and defers nothing: Python code must not run between fork and exec then.
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
