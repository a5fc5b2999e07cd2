"""Checks of the lesson on Names: compute the Names of keys."""

from tpmwire.crypto.formulas import name_of

from ..attempt import Attempt


def _read(attempt: Attempt) -> str:
    return "" if attempt.done("ReadPublic") else "No public area was read yet."


def _names(attempt: Attempt) -> list[bytes]:
    return [name_of(each.response.out_public) for each in attempt.done("CreatePrimary")]


def _second(attempt: Attempt) -> str:
    names = _names(attempt)
    if len(set(names)) < 2:
        return "All primary keys so far have the same Name."
    return "" if any(map(attempt.answered, names[1:])) else "Answer the Name of the second key."


def _first(attempt: Attempt) -> str:
    read = [name_of(each.response.out_public) for each in attempt.done("ReadPublic")]
    return "" if any(map(attempt.answered, read)) else "Answer the Name of the key that you read."


CHECKS = (_read, _second, _first)
