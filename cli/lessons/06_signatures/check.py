"""Checks of the lesson on signatures: create a signing key, sign, and verify."""

import hashlib

from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

DIGEST = hashlib.sha256(b"hello").digest()


def _loaded(attempt: Attempt) -> str:
    if not [each for each in attempt.done("Create") if each.response.out_public.type == TPM_ALG.ECC]:
        return "No ECC key was created below the parent yet."
    return "" if attempt.done("Load") else "The key is created, but not loaded."


def _signed(attempt: Attempt) -> str:
    if not attempt.done("Sign"):
        return "Nothing is signed yet."
    signed = [each for each in attempt.done("Sign") if each.command.digest == DIGEST]
    return "" if signed else "The signed digest is not that of hello."


def _verified(attempt: Attempt) -> str:
    verified = [each for each in attempt.done("VerifySignature") if each.command.digest == DIGEST]
    return "" if verified else "The signature of hello was not verified yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("VerifySignature", TPM_RC.SIGNATURE)]
    if not codes:
        return "The TPM has not refused a signature yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of VerifySignature."


CHECKS = (_loaded, _signed, _verified, _refused)
