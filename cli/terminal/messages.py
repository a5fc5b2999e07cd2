"""Error messages: one line on stderr, and an exit code for each kind of error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from .memory import protect_memory
from .streams import printable, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # without the enumerations of signal, which take 0.4 ms of each run

__all__ = ["EXIT_CODES", "Interrupted", "UsageError", "advice", "explain_error", "guarded", "note", "warn"]

EXIT_CODES = {
    "UsageError": (2, "usage: an option, a value or a file is not valid; nothing was sent"),
    "RequestError": (2, ""),
    "EncodeError": (2, ""),
    "InputError": (2, ""),
    "TransportError": (3, "the TPM is not available: no device, no permission, busy, or no response in time"),
    "MissingDeviceError": (3, ""),
    "WireError": (3, ""),
    "TpmError": (4, "the TPM refused: wrong password, wrong PCR values, no key at the handle, or lockout"),
    "PolicyError": (4, ""),
    "NvError": (4, ""),
    "NoCertificateError": (4, ""),
    "UnusableCertificateError": (4, ""),
    "KeyFileError": (5, "the key file is damaged, or is not a usable TSS2 PRIVATE KEY"),
    "StsError": (6, "AWS refused: wrong key, no permission, or wrong clock"),
    "NetworkError": (
        7,
        "the network failed: no route, untrusted TLS certificate, no response in time, or not a response of AWS, "
        "such as a proxy's error page",
    ),
    "NoErrorDocumentError": (7, ""),
    "ResponseError": (7, ""),
    "SessionError": (8, "a TPM response is not authentic: modified in transit, or not from this TPM"),
    "CertificateError": (8, ""),
    "SignatureError": (8, ""),
    "AttestationError": (8, ""),
    "OSError": (1, "any other error, such as a full disk"),
}
"""Exit codes by the name of an error's class or of a base class; by name, so that neither library is imported."""

options: frozenset[str] = frozenset()
"""Long options of the running program, set when it parses its arguments. A hint may name only these."""

_ADVICE = {
    "key": (
        "--salt",
        "--salt and --salt-file give the salts of sessions, --auth and --auth-file their authValues",
    ),
    "path": ("--tpm-path", "--tpm-path selects another TPM"),
    "policy": ("--pcrs", "is --pcrs missing?"),
    "timeout": ("--timeout", "--timeout allows more time"),
}
"""Option and hint for each setting that an error of the library names (`setting`)."""

_program = "tpmwire"

before_note: Callable[[], None] | None = None
"""Removes a line of progress from the terminal, if one may be there."""


class UsageError(Exception):
    """An error in the user's input, such as a wrong option or a missing or invalid value."""


class Interrupted(BaseException):
    """A signal that ends the program. As a BaseException, it is not caught by handlers of errors."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def note(text: str) -> None:
    """Prints one line for the user on stderr."""
    if before_note is not None:
        before_note()
    if sys.stderr is None:  # None if the parent process closed it; print would use stdout instead
        return
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except OSError:
        # The result must not be lost because stderr fails.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def warn(text: str) -> None:
    """Prints a warning on stderr, prefixed with the program's name."""
    note(f"{_program}: warning: {text}")


def guarded(program: str, work: Callable[[], int]) -> int:
    """Runs `work`, and returns its exit code; reports an error in one line on stderr.

    After an error, returns the exit code for its kind. After a signal, returns 128 + the signal's number.
    """
    with printed(), _prefix_warnings(program):
        try:
            protect_memory()
            with _signals_interrupt():
                try:
                    code = work()
                except SystemExit:  # of --help; argparse ignores an error in writing it
                    _flush_stdout()
                    raise
                _flush_stdout()
                return code
        except BrokenPipeError:
            _give_up_stdout()
            return 128 + 13
        except Interrupted as signal:
            note(f"{program}: interrupted")
            return 128 + signal.number
        except Exception as error:  # noqa: BLE001 - what is in no table is told in one line, too
            if isinstance(error, OSError):
                _give_up_stdout()
            code, text = explain_error(error)
            note(f"{program}: {text}")
            return code


@contextlib.contextmanager
def _prefix_warnings(program: str) -> Iterator[None]:
    """Prefixes warnings with the name of the program."""
    global _program, options  # noqa: PLW0603 - one process runs one program
    before, _program, options = _program, program, frozenset()
    try:
        yield
    finally:
        _program = before


def _flush_stdout() -> None:
    if sys.stdout is not None:  # None if the parent process closed it
        sys.stdout.flush()


def _give_up_stdout() -> None:
    """Discards unwritten output after a failed write to stdout, because Python would write it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def explain_error(error: Exception) -> tuple[int, str]:
    """Returns (exit code, message) for an exception; raises an unexpected one again under `python -X dev`."""
    found = next((EXIT_CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in EXIT_CODES), None)
    if found is not None:
        return found[0], "; ".join([_one_line(error), *_advice(error), *getattr(error, "__notes__", ())])
    from .packages import explained  # noqa: PLC0415 - for a faulty installation only

    if (text := explained(error)) is not None:
        return 1, text
    if isinstance(error, RecursionError):
        return 1, "the input is nested too deeply"
    if isinstance(error, MemoryError):
        return 1, "out of memory"
    if sys.flags.dev_mode:
        raise error
    return 1, _describe_internal_error(error)


def _describe_internal_error(error: Exception) -> str:
    """Returns the message for an internal error.

    The message omits the exception's text, which may quote a secret.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    at = f" in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}" if trace is not None else ""
    return f"internal error: {type(error).__name__}{at}; please report it, with the output of `python3 -X dev`"


def advice(setting: str) -> list[str]:
    """Returns lines with a hint about the option for a setting, or no lines if the program has no such option."""
    option, text = _ADVICE.get(setting, ("", ""))
    return [text] if option in options else []


def _advice(error: Exception) -> list[str]:
    return advice("path" if type(error).__name__ == "DecodeError" else getattr(error, "setting", ""))


def _one_line(error: Exception) -> str:
    if type(error).__name__ == "DecodeError":
        return f"not a valid TPM response: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Raises Interrupted in the block at the first SIGINT, SIGTERM or SIGHUP; later signals are ignored."""
    # Windows has no SIGHUP.
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

    def interrupt(number: int, _frame: object) -> NoReturn:
        for other in numbers:
            # An empty handler, not SIG_IGN: Python would print a traceback for a second signal that is already
            # pending.
            signal.signal(other, lambda *_: None)
        raise Interrupted(number)

    def lost(found: sys.UnraisableHookArgs) -> None:
        if not isinstance(found.exc_value, Interrupted) or not hasattr(signal, "setitimer"):
            hook(found)
            return
        # Raised again soon, since Python may swallow the exception, for example in a callback of its import
        # system.
        ended = found.exc_value.number
        signal.signal(signal.SIGALRM, lambda *_: interrupt(ended, None))
        signal.setitimer(signal.ITIMER_REAL, 0.001)

    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # a signal that nohup ignores stays ignored
            signal.signal(number, interrupt)
    hook, sys.unraisablehook = sys.unraisablehook, lost
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
