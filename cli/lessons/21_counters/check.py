"""Checks of the lesson on counters: use NV counters and bit fields."""

from tpmwire.commands import GetCapability
from tpmwire.spec.constants import TPM_CAP

from ..attempt import Attempt

COUNTER, BITS = 0x01800002, 0x01800003


def _values(attempt: Attempt) -> list[int]:
    """Returns the values of the counter that the learner read, in order."""
    read = [each for each in attempt.done("NV_Read") if each.command.nv_index == COUNTER]
    return [int.from_bytes(each.response.data, "big") for each in read if len(each.response.data) == 8]


def _counted(attempt: Attempt) -> str:
    if len([each for each in attempt.done("NV_Increment") if each.command.nv_index == COUNTER]) < 2:
        return "The counter was not incremented twice yet."
    if not _values(attempt):
        return "The counter was not read yet."
    return "" if any(map(attempt.answered, _values(attempt))) else "Answer the value, in decimal."


def _again(attempt: Attempt) -> str:
    if not [each for each in attempt.done("NV_UndefineSpace") if each.command.nv_index == COUNTER]:
        return "The counter was not undefined yet."
    values = _values(attempt)
    return "" if len(values) > 1 and values[-1] > values[0] else "The new counter was not read yet."


def _bits(attempt: Attempt) -> str:
    capability = attempt.tpm.execute(GetCapability(TPM_CAP.HANDLES, BITS, 1)).capability_data
    if BITS not in capability.data:
        return "The bit field is not defined yet."
    read = [each.response.data for each in attempt.done("NV_Read") if each.command.nv_index == BITS]
    return "" if (33).to_bytes(8, "big") in read else "The bits 0 and 5 were not read from the bit field yet."


CHECKS = (_counted, _again, _bits)
