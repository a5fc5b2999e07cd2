"""Checks of the lesson on quotes: create an attestation key, quote, and try to forge a quote."""

from typing import Any

from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

NONCE = b"from the verifier"
RESTRICTED = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.SIGN_ENCRYPT


def _key(attempt: Attempt) -> str:
    made = [*attempt.done("CreatePrimary"), *attempt.done("Create")]
    keys = [each for each in made if each.response.out_public.object_attributes & RESTRICTED == RESTRICTED]
    return "" if keys else "No restricted signing key was created yet."


def _quotes(attempt: Attempt) -> list[Any]:
    """Returns the statements of the quotes with the nonce of the task."""
    statements = [TPMS_ATTEST.parse(each.response.quoted) for each in attempt.done("Quote")]
    return [each for each in statements if each.extra_data == NONCE]


def _quoted(attempt: Attempt) -> str:
    if not attempt.done("Quote"):
        return "Nothing is quoted yet."
    return "" if _quotes(attempt) else "The nonce of the quote is another one."


def _changed(attempt: Attempt) -> str:
    digests = {each.attested.pcr_digest for each in _quotes(attempt)}
    return "" if len(digests) > 1 else f"{len(digests)} different digest so far."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("Sign", TPM_RC.TICKET)]
    if not codes:
        return "The TPM has not refused to sign for the ticket yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of Sign."


CHECKS = (_key, _quoted, _changed, _refused)
