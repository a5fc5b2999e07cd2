"""Prompts on the terminal: for secrets, which are not echoed, and for confirmation of permanent changes."""

import sys
import warnings
from getpass import GetPassWarning, getpass

from .messages import UsageError
from .streams import printable

__all__ = ["InputEndedError", "agreed", "ask_line", "ask_secret", "ask_yes", "check_agreed"]

_YES, _NO = ("y", "yes"), ("", "n", "no")


class InputEndedError(UsageError):
    """Raised if standard input ends before the user's reply, as after Ctrl-D."""


def agreed(question: str) -> bool | None:
    """Asks a yes-or-no question, and returns the reply; returns None if standard input is not a terminal."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return _read_reply(f"{question} [y/N] ").strip().lower() in _YES


def ask_yes(question: str) -> bool:
    """Asks a yes-or-no question on the terminal until the reply is valid; an empty reply means no.

    Raises InputEndedError at the end of standard input.
    """
    while (reply := ask_line(f"{question} [y/N]", end=" ").lower()) not in (*_YES, *_NO):
        print("reply y or n", file=sys.stderr, flush=True)
    return reply in _YES


def ask_line(question: str, *, end: str = ": ") -> str:
    """Asks a question, followed by `end`, on the terminal; returns the reply without surrounding whitespace.

    Raises InputEndedError at the end of standard input.
    """
    reply = _read_reply(f"{question}{end}")
    if not reply:
        print(file=sys.stderr)
        raise InputEndedError("the input ended before a reply; run the command again, and reply to each question")
    return reply.strip()


def _read_reply(prompt: str) -> str:
    """Returns the line that the user types, with its line end, or "" at the end of standard input."""
    print(printable(prompt), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def check_agreed(question: str, *, yes: bool) -> None:
    """Asks the user to confirm a permanent deletion. Raises UsageError if the user declines.

    Does not ask if `yes` is set or standard input is not a terminal.
    """
    if not yes and agreed(question) is False:
        raise UsageError("not confirmed; nothing was changed (--yes skips the question)")


def ask_secret(what: str, otherwise: str) -> bytes:
    """Prompts for the secret that `what` describes, and returns the input in UTF-8.

    Raises UsageError if there is no terminal, with the advice `otherwise`, or if the input is not valid text.
    """
    try:
        with warnings.catch_warnings():
            # Without a terminal, getpass would read standard input and echo it.
            warnings.simplefilter("error", GetPassWarning)
            return getpass(f"{printable(what)} (not shown): ").encode()
    except (EOFError, GetPassWarning):
        raise UsageError(f"cannot read the {what}: no terminal, or end of input; {otherwise}") from None
    except UnicodeError:
        # `from None`, since the cause contains the input.
        raise UsageError(f"the {what} has characters that this terminal's encoding cannot represent") from None
