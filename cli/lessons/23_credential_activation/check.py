"""Checks of the lesson on credential activation: make and activate a credential."""

from tpmwire.spec.constants import TPM_RH, TPMA_OBJECT
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

SECRET = b"riddle"


def _keys(attempt: Attempt) -> str:
    made = [each for each in attempt.done("CreatePrimary") if each.command.primary_handle == TPM_RH.ENDORSEMENT]
    kinds = [each.response.out_public.object_attributes for each in made]
    if not any(kind & TPMA_OBJECT.DECRYPT for kind in kinds):
        return "The endorsement key is missing."
    return "" if any(kind & TPMA_OBJECT.SIGN_ENCRYPT for kind in kinds) else "The attestation key is missing."


def _made(attempt: Attempt) -> str:
    made = [each for each in attempt.done("MakeCredential") if each.command.credential == SECRET]
    return "" if made else "No credential with the secret riddle was made yet."


def _activated(attempt: Attempt) -> str:
    solved = [each for each in attempt.done("ActivateCredential") if each.response.cert_info == SECRET]
    return "" if solved else "The credential was not activated yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("ActivateCredential", TPM_RC.INTEGRITY)]
    if not codes:
        return "The TPM has not refused a credential for another key yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of ActivateCredential."


CHECKS = (_keys, _made, _activated, _refused)
