"""Checks of the lesson on random numbers: get random bytes."""

from ..attempt import Attempt


def _twenty(attempt: Attempt) -> str:
    sizes = [len(each.response.random_bytes) for each in attempt.done("GetRandom")]
    if 20 in sizes:
        return ""
    return f"You got {sizes[-1]} bytes; the task needs 20." if sizes else "No GetRandom yet."


def _most(attempt: Attempt) -> str:
    sizes = [
        len(each.response.random_bytes)
        for each in attempt.done("GetRandom")
        if each.command.bytes_requested == 100
    ]
    if not sizes:
        return "Nobody has asked for 100 bytes yet."
    return "" if any(map(attempt.answered, sizes)) else "Answer the number of bytes that you got."


def _stir(attempt: Attempt) -> str:
    stirred = [each for each in attempt.done("StirRandom") if each.command.in_data == b"coffee"]
    return "" if stirred else "The text coffee is not in the generator yet."


CHECKS = (_twenty, _most, _stir)
