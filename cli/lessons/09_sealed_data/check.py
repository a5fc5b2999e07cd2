"""Checks of the lesson on sealed data: seal data, unseal it, and use a wrong password."""

from ..attempt import Attempt

DATA = b"open sesame"


def _sealed(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.command.in_sensitive.data == DATA]
    if not made:
        return "The text open sesame is not sealed yet."
    return "" if any(each.command.in_sensitive.user_auth == b"pw" for each in made) else "The password is not pw."


def _unsealed(attempt: Attempt) -> str:
    data = [each.response.out_data for each in attempt.done("Unseal")]
    return "" if DATA in data else "The text was not unsealed yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("Unseal")]
    if not codes:
        return "The TPM has not refused an Unseal yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code."


CHECKS = (_sealed, _unsealed, _refused)
