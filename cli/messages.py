"""What the user sees when something goes wrong: one line on stderr, and an exit code by kind."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

__all__ = ["EXIT_CODES", "Interrupted", "UsageError", "guarded", "note"]

EXIT_CODES = {
    "UsageError": (2, "usage: an option or a value is wrong; nothing was sent"),
    "RequestError": (2, ""),
    "TransportError": (3, "the TPM is out of reach: no device, no permission, busy, or no answer in time"),
    "WireError": (3, ""),
    "TpmError": (4, "the TPM refused: wrong password, wrong PCR values, nothing at the handle, lockout"),
    "PolicyError": (4, ""),
    "NvError": (4, ""),
    "NoCertificateError": (4, ""),
    "CertificateFormatError": (4, ""),
    "KeyFileError": (5, "the key file cannot be read or is no TSS2 PRIVATE KEY"),
    "StsError": (6, "AWS refused: wrong key, no permission, a wrong clock"),
    "NetworkError": (7, "the network: no route, TLS not trusted, no answer in time, or no STS answer"),
    "ResponseError": (7, ""),
    "SessionError": (8, "an answer of the TPM is not authentic: somebody sits between us and the TPM"),
    "CertificateError": (8, ""),
    "OSError": (1, "anything else, such as a full disk"),
    "ModuleNotFoundError": (1, ""),
}
"""Exit codes by the name of an error's class or of a base of it; names keep both libraries unimported."""


class UsageError(Exception):
    """The user's words do not fit: a wrong option, a missing or impossible value."""


class Interrupted(BaseException):
    """A signal ends the program; a BaseException, so that nothing on the way takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_codes_help() -> str:
    """The table of exit codes for --help."""
    rows = [f"  {code}  {text}" for code, text in sorted(EXIT_CODES.values()) if text]
    return "exit codes:\n  0  done\n" + "\n".join(rows) + "\n  128+N  ended by signal N"


def note(text: str) -> None:
    """One line for the user on stderr."""
    if sys.stderr is None:  # as it is where somebody closed it; print would take stdout then
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Nobody reads stderr; that must not cost the result.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def guarded(program: str, work: Callable[[], int]) -> int:
    """Runs `work`; an error of ours becomes one line and its exit code, a signal 128 + its number."""
    _keep_secrets_out_of_core_files()
    try:
        with _signals_interrupt():
            code = work()
            _flush_stdout()
            return code
    except BrokenPipeError:
        _give_up_stdout()
        return 128 + 13
    except Interrupted as signal:
        note(f"{program}: interrupted")
        return 128 + signal.number
    except Exception as error:
        found = next((EXIT_CODES[k.__name__] for k in type(error).__mro__ if k.__name__ in EXIT_CODES), None)
        if found is None or (isinstance(error, ModuleNotFoundError) and _package(error) in _OURS):
            raise
        if isinstance(error, OSError):
            _give_up_stdout()
        note(f"{program}: {_one_line(error)}")
        return found[0]


def _flush_stdout() -> None:
    if sys.stdout is None:  # as it is where somebody closed it
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        error.filename = "stdout"
        raise


def _give_up_stdout() -> None:
    """Whoever read it has gone, or its disk is full; Python would try again, and complain, at its own end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


_OURS = ("", "cli", "sigv4", "tpmwire", "construct")
"""Whose absence is a fault of the installation, and told with all that is known of it."""


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        lacks = {"OpenSSL": "pyOpenSSL"}.get(_package(error), _package(error))
        return f"this needs the Python package `{lacks}`, which is not installed for {sys.executable}: install it"
    if type(error).__name__ == "DecodeError":
        return f"an answer that no TPM 2.0 gives: {error}; what is at --tpm-path?"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _keep_secrets_out_of_core_files() -> None:
    import resource

    # A limit of 1, not 0: too small for a core file, and the one value that also stops the kernel from
    # piping a core to a handler, for which it ignores the limit otherwise (core(5)).
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP raises Interrupted in the main thread; the clean-up is left alone."""
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _frame: object) -> NoReturn:
        for other in numbers:
            # Not SIG_IGN: of a second that is here already Python would say so, with a traceback.
            signal.signal(other, lambda *_: None)
        raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # nohup stays in force
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
