"""Checks of the lesson on encrypted parameters: encrypt parameters with XOR and with AES."""

from tpmwire.spec.constants import TPM_ALG

from ..attempt import Attempt, Sent

DATA = b"top secret"


def _hidden(attempt: Attempt) -> list[Sent]:
    """Returns the commands GetRandom whose bytes do not appear in the response on the bus."""
    return [
        each
        for each in attempt.done("GetRandom")
        if len(each.response.random_bytes) >= 16 and each.response.random_bytes not in each.received
    ]


def _random(attempt: Attempt) -> str:
    if _hidden(attempt):
        return ""
    return "The bytes of GetRandom were readable on the bus." if attempt.done("GetRandom") else "No GetRandom yet."


def _sealed(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.command.in_sensitive.data == DATA]
    if not made:
        return "The text top secret is not sealed yet."
    return "" if any(DATA not in each.sent for each in made) else "The text was readable on the bus."


def _aes(attempt: Attempt) -> str:
    opened = [
        each.response.session_handle
        for each in attempt.done("StartAuthSession")
        if each.command.symmetric.algorithm == TPM_ALG.AES
    ]
    used = any(handle.to_bytes(4, "big") in each.sent for each in _hidden(attempt) for handle in opened)
    return "" if used else "No random bytes were encrypted with AES yet."


CHECKS = (_random, _sealed, _aes)
