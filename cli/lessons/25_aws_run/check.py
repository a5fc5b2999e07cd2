"""Checks of the lesson on the AWS run: import an AWS secret, and derive the key that signs requests of a day."""

import hmac

from ..attempt import Attempt

KEY = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20261124"


def _derive() -> tuple[bytes, bytes]:
    """Returns kDate and kSigning."""
    day = key = hmac.digest(KEY, DATE, "sha256")
    for part in (b"us-east-1", b"sts", b"aws4_request"):
        key = hmac.digest(key, part, "sha256")
    return day, key


def _created(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.command.in_sensitive.data == KEY]
    if not made:
        return "No key was created from the secret yet."
    if all(KEY in each.sent for each in made):
        return "The secret was readable on the bus."
    return "" if attempt.done("Load") else "The key is created, but not loaded."


def _day(attempt: Attempt) -> str:
    day, _ = _derive()
    made = [each for each in attempt.done("HMAC") if each.response.out_hmac == day]
    if not made:
        return "kDate was not computed yet."
    return "" if any(day not in each.received for each in made) else "kDate was readable on the bus."


def _signing(attempt: Attempt) -> str:
    return "" if attempt.answered(_derive()[1]) else "Answer kSigning in hex."


CHECKS = (_created, _day, _signing)
