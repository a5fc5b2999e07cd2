"""Checks of the lesson on sessions: find a password on the bus, and use an HMAC session instead."""

from ..attempt import Attempt, Sent

PASSWORD = b"swordfish"


def _sessions(attempt: Attempt) -> list[bytes]:
    """Returns the session handle of each successful Unseal, if it is an HMAC session."""
    return [each.sent[18:22] for each in attempt.done("Unseal") if each.sent[18] == 0x02]


def _clear(attempt: Attempt) -> list[Sent]:
    return [each for each in attempt.done("Unseal") if PASSWORD in each.sent]


def _found(attempt: Attempt) -> str:
    if not _clear(attempt):
        return "No Unseal with the password swordfish yet."
    offsets = [each.sent.index(PASSWORD) for each in _clear(attempt)]
    return "" if any(map(attempt.answered, offsets)) else "Answer the offset of the first byte of the password."


def _hidden(attempt: Attempt) -> str:
    return "" if _sessions(attempt) else "No Unseal in an HMAC session yet."


def _again(attempt: Attempt) -> str:
    sessions = _sessions(attempt)
    return "" if len(sessions) > len(set(sessions)) else "No session was used twice yet."


CHECKS = (_found, _hidden, _again)
