"""Flushes in the background what a TPM creates after it missed its deadline."""

import os
from collections.abc import Callable

__all__ = ["finish_in_background"]

PATIENCE = 60.0
"""Seconds; the slowest command that opens an object, an RSA primary, takes 10."""


def finish_in_background(clean_up: Callable[[float], None]) -> bool:
    """Runs `clean_up(seconds)` in a background process, so that this one can end within the user's timeout.

    That process holds the connection to the TPM until the response arrives, flushes what it created, and ends.
    Returns whether the process was started.
    """
    try:
        child = os.fork()
    except OSError:
        return False
    if child:
        return True
    try:
        os.setsid()
        # Readers of our output wait until it is closed, which must not depend on this process.
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        clean_up(PATIENCE)
    finally:
        os._exit(0)
