"""A TPM that did not answer in time may still open what it was asked for. Somebody has to give that back."""

import os
from collections.abc import Callable

__all__ = ["finish_in_background"]

PATIENCE = 60.0
"""Seconds; the slowest command that opens something, an RSA primary, takes 10."""


def finish_in_background(clean_up: Callable[[float], None]) -> bool:
    """Runs `clean_up(seconds)` in a process of its own, so that this one can end within the user's timeout.

    It holds the connection to the TPM until the answer comes, flushes what it brought, and ends. Returns whether
    there is such a process.
    """
    try:
        child = os.fork()
    except OSError:
        return False
    if child:
        return True
    try:
        os.setsid()
        # Whoever reads our output waits for its end, which must not be this process's.
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        clean_up(PATIENCE)
    finally:
        os._exit(0)
