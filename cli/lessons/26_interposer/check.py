"""Checks of the lesson on interposers: change bits of commands and responses, without and with a session."""

from ..attempt import Attempt, Sent


def _flipped(attempt: Attempt, where: str, *, session: bool) -> list[Sent]:
    """Returns the commands GetRandom that were changed, or whose response was (`where`)."""
    tag = b"\x80\x02" if session else b"\x80\x01"
    return [each for each in attempt.all("GetRandom") if each.flipped == where and each.sent[:2] == tag]


def _command(attempt: Attempt) -> str:
    for each in _flipped(attempt, "command", session=False):
        if each.response is not None and len(each.response.random_bytes) != each.command.bytes_requested:
            return ""
    return "No changed command got another number of bytes than you asked for yet."


def _response(attempt: Attempt) -> str:
    changed = [each for each in _flipped(attempt, "response", session=False) if each.response is not None]
    return "" if changed else "No changed response was accepted yet."


def _noticed(attempt: Attempt) -> str:
    changed = [
        each for each in _flipped(attempt, "response", session=True) if each.response is None and not each.rc
    ]
    return "" if changed else "No changed response in a session was rejected yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in _flipped(attempt, "command", session=True) if each.rc]
    if not codes:
        return "The TPM has not refused a changed command in a session yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code."


CHECKS = (_command, _response, _noticed, _refused)
