"""Checks of the lesson on NV indices: define, write, read and remove an NV index."""

from tpmwire.commands import GetCapability
from tpmwire.spec.constants import TPM_CAP
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt

INDEX = 0x01800001


def _defined(attempt: Attempt) -> str:
    for each in attempt.done("NV_DefineSpace"):
        if each.command.public_info.nv_index == INDEX:
            size = each.command.public_info.data_size
            return "" if size == 8 else f"The index is {size} bytes long; the task needs 8."
    return "The index is not defined yet."


def _uninitialized(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("NV_Read", TPM_RC.NV_UNINITIALIZED)]
    if not codes:
        return "The index was not read before it was written."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of NV_Read."


def _read(attempt: Attempt) -> str:
    data = [each.response.data for each in attempt.done("NV_Read")]
    return "" if b"tpm-wire" in data else "The text tpm-wire was not read from the index yet."


def _removed(attempt: Attempt) -> str:
    if not attempt.done("NV_UndefineSpace"):
        return "The index is not removed yet."
    capability = attempt.tpm.execute(GetCapability(TPM_CAP.HANDLES, INDEX, 1)).capability_data
    return "The index still exists." if INDEX in capability.data else ""


CHECKS = (_defined, _uninitialized, _read, _removed)
