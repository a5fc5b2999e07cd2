"""Checks of the lesson on passwords and lockout: guess a password until lockout, and end the lockout."""

from tpmwire.spec.constants import TPM_CAP, TPM_RH
from tpmwire.spec.properties import TPM_PT
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

RISK = "locks the TPM out"


def _loaded(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.command.in_sensitive.user_auth == b"pw"]
    if not made:
        return "Nothing is sealed with the password pw yet."
    return "" if attempt.done("Load") else "The object is created, but not loaded."


def _locked(attempt: Attempt) -> str:
    if not attempt.refused("Unseal", TPM_RC.LOCKOUT):
        count = len(attempt.refused("Unseal", TPM_RC.AUTH_FAIL))
        return f"wrong passwords so far: {count}; the TPM is not locked out."
    return "" if attempt.answered(TPM_RC.LOCKOUT) else "Answer the response code."


def _counter(attempt: Attempt) -> str:
    counts = [
        each.value
        for sent in attempt.done("GetCapability")
        if sent.command.capability == TPM_CAP.TPM_PROPERTIES
        for each in sent.response.capability_data.data
        if each.property == TPM_PT.LOCKOUT_COUNTER
    ]
    if not counts:
        return "The counter was not read yet."
    return "" if any(attempt.answered(count) for count in counts if count) else "Answer the counter."


def _reset(attempt: Attempt) -> str:
    resets = [
        each for each in attempt.done("DictionaryAttackLockReset") if each.command.lock_handle == TPM_RH.LOCKOUT
    ]
    if not resets:
        return "The lockout was not ended yet."
    after = attempt.sent[attempt.sent.index(resets[0]) :]
    return "" if any(each in after for each in attempt.done("Unseal")) else "Now unseal with the right password."


CHECKS = (_loaded, _locked, _counter, _reset)
