"""Checks of the lesson on PCRs: read, extend and reset a PCR."""

import hashlib

from tpmwire.calls import pcr_read
from tpmwire.spec.constants import TPM_ALG

from ..attempt import Attempt

VALUE = hashlib.sha256(bytes(32) + hashlib.sha256(b"kernel").digest()).digest()


def _value(attempt: Attempt) -> bytes:
    return pcr_read(attempt.tpm, "sha256:16")[TPM_ALG.SHA256, 16]


def _read(attempt: Attempt) -> str:
    return "" if attempt.done("PCR_Read") else "No PCR was read yet."


def _measured(attempt: Attempt) -> str:
    if _value(attempt) == VALUE:
        return ""
    return "PCR 16 does not have the text kernel as its only measurement; reset it first if it has others."


def _computed(attempt: Attempt) -> str:
    return "" if attempt.answered(VALUE) else "Answer the value that PCR 16 has after the measurement."


def _reset(attempt: Attempt) -> str:
    if not attempt.answered(VALUE):
        return "Solve task 3 first."
    return "PCR 16 is not zero." if any(_value(attempt)) else ""


CHECKS = (_read, _measured, _computed, _reset)
