"""Flushes, in a background process, the objects and sessions that a timed-out command still opens."""

import os
from collections.abc import Callable

__all__ = ["finish_in_background"]

PATIENCE = 60.0
"""Seconds; the slowest command that opens an object, an RSA primary, takes 10."""


def finish_in_background(clean_up: Callable[[float], None]) -> bool:
    """Runs `clean_up(seconds)` in a background process, so that the program can end within the user's timeout.

    `clean_up` waits up to `seconds` for the TPM's response, and flushes the handle in the response. Returns
    whether the background process, which keeps the connection to the TPM, was started.
    """
    try:
        child = os.fork()
    except OSError:
        return False
    if child:
        return True
    try:
        os.setsid()
        # Readers wait until stdout and stderr are closed; the background process must not keep them open.
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        clean_up(PATIENCE)
    finally:
        os._exit(0)
