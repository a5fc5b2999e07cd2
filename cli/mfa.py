"""The code of a second factor: asked for on the terminal, or from a program."""

import os
from typing import TYPE_CHECKING

from .messages import UsageError

if TYPE_CHECKING:
    import argparse

__all__ = ["code"]

_PATIENCE = 60.0  # seconds, for a person or a program
_MOST = 64  # octets


def code(args: "argparse.Namespace") -> str:
    """The six digits for --mfa-serial. Raises UsageError where nobody answers within a minute."""
    found = _from_program(args.mfa_process) if args.mfa_process else _from_terminal(args.mfa_serial)
    if not (len(found) == 6 and found.isascii() and found.isdecimal()):
        raise UsageError("the MFA code is not six digits: take the one that the device shows now")
    return found


def _from_program(command: str) -> str:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"--mfa-process gave no code within {_PATIENCE:.0f} seconds") from None
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(f"--mfa-process cannot be run: {getattr(error, 'strerror', None) or error}") from None
    if done.returncode:
        raise UsageError(f"--mfa-process ended with {done.returncode}: run it by itself to see why")
    return done.stdout.decode("ascii", "replace").strip()


def _from_terminal(serial: str) -> str:
    import select

    # SDKs keep stdout and stderr of a credential_process for themselves; the terminal is still the person's.
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise UsageError("--mfa-serial needs a code, and there is no terminal to ask on: --mfa-process") from None
    try:
        shown = serial if serial.isprintable() else ascii(serial)
        os.write(terminal, f"MFA code for {shown}: ".encode())
        if not select.select([terminal], [], [], _PATIENCE)[0]:
            os.write(terminal, b"\n")
            raise UsageError(f"no MFA code within {_PATIENCE:.0f} seconds: try again, or --mfa-process")
        return os.read(terminal, _MOST).decode("ascii", "replace").strip()
    finally:
        os.close(terminal)
