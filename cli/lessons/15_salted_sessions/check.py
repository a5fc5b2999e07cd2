"""Checks of the lesson on salted sessions: open a salted session, use it, and derive its key."""

import hmac

from tpmwire.crypto.formulas import cp_hash, kdfa
from tpmwire.spec.constants import TPM_RH
from tpmwire.wire import parse_command, split

from ..attempt import Attempt, Sent


def _opened(attempt: Attempt) -> list[Sent]:
    return [each for each in attempt.done("StartAuthSession") if each.command.tpm_key != TPM_RH.NULL]


def _uses(attempt: Attempt, opened: Sent) -> list[Sent]:
    """Returns the successful commands without handles in the session that `opened` started."""
    handle = opened.response.session_handle
    later = attempt.sent[attempt.sent.index(opened) + 1 :]
    return [
        each
        for each in later
        if each.rc == 0 and any(auth.session_handle == handle for auth in parse_command(each.sent).authorizations)
    ]


def _salted(attempt: Attempt) -> str:
    return "" if _opened(attempt) else "No salted session was opened yet."


def _used(attempt: Attempt) -> str:
    used = any(_uses(attempt, opened) for opened in _opened(attempt))
    return "" if used else "No command was sent in a salted session yet."


def _derived(attempt: Attempt) -> str:
    for opened in _opened(attempt):
        for used in _uses(attempt, opened)[:1]:
            if any(_proves(attempt, opened, used, answer) for answer in attempt.answers):
                return ""
    return "No answer is the session key; with the right key, the HMAC of your first command is valid."


def _proves(attempt: Attempt, opened: Sent, used: Sent, answer: str) -> bool:
    """Returns whether the HMAC of the first command in a session is valid for a session key, or for a salt."""
    try:
        given = bytes.fromhex(answer.removeprefix("0x"))
    except ValueError:
        return False
    start, nonce_tpm = opened.command, opened.response.nonce_tpm
    key = kdfa(start.auth_hash, given, b"ATH", nonce_tpm, start.nonce_caller, 256)
    (auth,) = (
        auth
        for auth in parse_command(used.sent).authorizations
        if auth.session_handle == opened.response.session_handle
    )
    area = split(used.command)
    names = [attempt.tpm.name(handle) for handle in area.handles]
    data = cp_hash(start.auth_hash, used.command.code, names, area.parameters)
    data += auth.nonce + nonce_tpm + bytes([auth.session_attributes])
    return any(hmac.digest(each, data, "sha256") == auth.hmac for each in (given, key))


CHECKS = (_salted, _used, _derived)
