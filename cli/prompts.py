"""Secrets that are typed: asked for on the terminal, and not shown there."""

from .messages import UsageError
from .streams import printable

__all__ = ["ask_secret"]


def ask_secret(what: str, otherwise: str) -> bytes:
    """What is typed in answer to `what`, in UTF-8.

    Raises UsageError where nobody can answer, or where it is no text; `otherwise` says how else to give it.
    """
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would read standard input, and show what is typed there.
            warnings.simplefilter("error", GetPassWarning)
            return getpass(f"{printable(what)} (not shown): ").encode()
    except (EOFError, GetPassWarning):
        raise UsageError(f"nobody was there to type the {what}: {otherwise}") from None
    except UnicodeError:
        # Not with its cause, which holds what was typed.
        raise UsageError(f"the {what} has characters that are none in this terminal's encoding") from None
