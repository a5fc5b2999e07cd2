"""Checks of the lesson on a policy in use: seal to a PCR value, unseal, and change the PCR."""

from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

DATA = b"disk key"


def _digest(attempt: Attempt) -> str:
    if not attempt.done("PolicyPCR"):
        return "No statement PolicyPCR yet."
    return "" if attempt.done("PolicyGetDigest") else "The digest was not read yet."


def _unsealed(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.command.in_sensitive.data == DATA]
    if not made:
        return "The text disk key is not sealed yet."
    if not any(each.response.out_public.auth_policy for each in made):
        return "The object has no policy."
    opened = [each for each in attempt.done("Unseal") if each.response.out_data == DATA]
    return "" if opened else "The text was not unsealed yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("Unseal", TPM_RC.POLICY_FAIL)]
    if not codes:
        return "The TPM has not refused an Unseal for its policy yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of Unseal."


CHECKS = (_digest, _unsealed, _refused)
