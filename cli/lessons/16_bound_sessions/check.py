"""Checks of the lesson on bound sessions: use a bound session for the bound object and for another one."""

from tpmwire.spec.constants import TPM_RH

from ..attempt import Attempt, Sent


def _bound(attempt: Attempt) -> list[Sent]:
    return [each for each in attempt.done("StartAuthSession") if each.command.bind != TPM_RH.NULL]


def _unsealed(attempt: Attempt, data: bytes) -> bool:
    """Returns whether `data` was unsealed in a bound session."""
    handles = [each.response.session_handle for each in _bound(attempt)]
    return any(
        each.response.out_data == data and int.from_bytes(each.sent[18:22], "big") in handles
        for each in attempt.done("Unseal")
    )


def _opened(attempt: Attempt) -> str:
    return "" if _bound(attempt) else "No bound session was opened yet."


def _first(attempt: Attempt) -> str:
    return "" if _unsealed(attempt, b"first") else "The text first was not unsealed in the bound session yet."


def _second(attempt: Attempt) -> str:
    return "" if _unsealed(attempt, b"second") else "The text second was not unsealed in the bound session yet."


CHECKS = (_opened, _first, _second)
