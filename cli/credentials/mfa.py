"""The code of an MFA device: from the options, the terminal, a program, or a key in the TPM."""

import os
import select
import signal
import time

from ..terminal.messages import UsageError
from ..terminal.streams import printable
from .settings import RunSettings

__all__ = ["code"]

_PATIENCE = 60.0  # seconds, for a person or a program
_MOST = 64  # bytes
_TRIES = 3


def code(settings: RunSettings) -> str:
    """Returns the six digits for --mfa-serial. Raises UsageError if there is no valid code within a minute.

    With --mfa-totp, also raises the errors of `aws_code`.
    """
    if settings.mfa_code:
        return settings.mfa_code
    if settings.mfa_totp:
        from .totp_key import aws_code  # noqa: PLC0415 - for --mfa-totp only

        return aws_code(settings)
    if settings.mfa_process:
        return _read_from_program(settings.mfa_process)
    return _read_from_terminal(settings.mfa_serial or "")


def _read_from_program(command: str) -> str:
    import shlex  # noqa: PLC0415 - with subprocess
    import subprocess  # noqa: PLC0415 - for --mfa-process only

    from ..terminal.programs import running  # noqa: PLC0415 - with subprocess

    deadline = time.monotonic() + _PATIENCE
    try:
        # The program stays in this process group, so that it may ask on the terminal itself.
        with running(
            shlex.split(command), end=signal.SIGKILL, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as program:
            assert program.stdout is not None
            said = _read_all(program.stdout.fileno(), deadline)
            if len(said) <= _MOST:
                program.wait(max(0.0, deadline - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        raise UsageError(
            f"--mfa-process did not finish within {_PATIENCE:g} seconds; run it by hand to see why"
        ) from None
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        raise UsageError(f"cannot run --mfa-process: {getattr(error, 'strerror', None) or error}") from None
    if program.returncode and len(said) <= _MOST:
        raise UsageError(f"--mfa-process failed with exit code {program.returncode}; run it by hand to see why")
    found = _digits(said)
    if found is None:
        raise UsageError("--mfa-process must print six digits and nothing else; run it by hand to see its output")
    return found


def _read_all(descriptor: int, deadline: float) -> bytes:
    """Reads a program's output until it ends or is longer than any code. Raises TimeoutError at the deadline."""
    said = b""
    while len(said) <= _MOST and (more := _read(descriptor, deadline)):
        said += more
    return said


def _read(descriptor: int, deadline: float) -> bytes:
    # select(2) does not support descriptors above 1023, and `tpmwire serve` may have many.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
    return os.read(descriptor, _MOST)


def _digits(said: bytes) -> str | None:
    text = said.strip()
    return text.decode() if len(text) == 6 and text.isdigit() else None


def _read_from_terminal(serial: str) -> str:
    # SDKs capture stdout and stderr of a credential_process; the terminal remains.
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise UsageError(
            "no terminal to ask for the MFA code; give it with --mfa-code, or use --mfa-process PROGRAM, which "
            "prints the code"
        ) from None
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            # For a background process, a read from the terminal would stop it, and the programs that wait for it.
            raise UsageError("cannot ask for the MFA code in the background; bring this program to the foreground")
        return _prompt(terminal, printable(serial))
    except TimeoutError:
        os.write(terminal, b"\n")
        raise UsageError(
            f"no MFA code was entered within {_PATIENCE:g} seconds; try again, or use --mfa-process"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot read the MFA code from the terminal ({error.strerror}); use --mfa-process"
        ) from None
    finally:
        os.close(terminal)


def _prompt(terminal: int, shown: str) -> str:
    deadline = time.monotonic() + _PATIENCE
    for _ in range(_TRIES):
        os.write(terminal, f"MFA code for {shown}: ".encode())
        said = _read(terminal, deadline)
        if (found := _digits(said)) is not None:
            return found
        if not said:
            raise UsageError("the MFA code is empty; type the code that the device shows")
        os.write(terminal, b"That is not six digits.\n")
    raise UsageError("the MFA code is not six digits; type the code that the device shows now")
