"""Checks of the lesson on event logs: replay an event log, and find the event that is missing from it."""

import hashlib

from tpmwire.calls import pcr_event, pcr_read, pcr_reset
from tpmwire.spec.constants import TPM_ALG

from ..attempt import Attempt

LOG = ("firmware 1.2", "loader 7", "kernel 6.12")
MISSING = "unsigned module"
BOOT = (*LOG[:2], MISSING, LOG[2])


def prepare(attempt: Attempt) -> None:
    """Measures the events of the boot into PCR 16, and resets PCR 23."""
    for pcr in (16, 23):
        pcr_reset(attempt.tpm, pcr)
    for event in BOOT:
        pcr_event(attempt.tpm, 16, event.encode())


def _replay(events: tuple[str, ...]) -> bytes:
    value = bytes(32)
    for event in events:
        value = hashlib.sha256(value + hashlib.sha256(event.encode()).digest()).digest()
    return value


def _read(attempt: Attempt) -> str:
    values = [value for each in attempt.done("PCR_Read") for value in each.response.pcr_values]
    return "" if _replay(BOOT) in values else "PCR 16 was not read yet."


def _value(attempt: Attempt) -> bytes:
    return pcr_read(attempt.tpm, "sha256:23")[TPM_ALG.SHA256, 23]


def _replayed(attempt: Attempt) -> str:
    return "" if _value(attempt) == _replay(LOG) else "PCR 23 does not have the value of the log."


def _found(attempt: Attempt) -> str:
    return "" if _value(attempt) == _replay(BOOT) else "PCR 23 does not have the value of PCR 16."


def _answer(attempt: Attempt) -> str:
    return "" if attempt.answered(MISSING) else "Answer the missing event."


CHECKS = (_read, _replayed, _found, _answer)
