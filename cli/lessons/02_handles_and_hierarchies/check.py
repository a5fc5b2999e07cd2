"""Checks of the lesson on handles: create a primary key, fill the memory, swap an object, and flush them."""

from tpmwire.commands import GetCapability
from tpmwire.spec.constants import TPM_CAP, TPM_RH
from tpmwire.spec.response_codes import TPM_RC

from ..attempt import Attempt


def _primary(attempt: Attempt) -> str:
    owned = [each for each in attempt.done("CreatePrimary") if each.command.primary_handle == TPM_RH.OWNER]
    return "" if owned else "No key was created in the owner hierarchy yet."


def _full(attempt: Attempt) -> str:
    full = [each for each in attempt.refused("CreatePrimary") if each.rc == TPM_RC.OBJECT_MEMORY]
    return "" if full else "The memory is not full yet."


def _swapped(attempt: Attempt) -> str:
    handles = {each.response.object_handle for each in attempt.done("CreatePrimary")}
    return "" if 0x80FFFFFF in handles else "No key was created while the memory is full."


def _empty(attempt: Attempt) -> str:
    if not attempt.done("FlushContext"):
        return "No object was flushed yet."
    capability = attempt.tpm.execute(GetCapability(TPM_CAP.HANDLES, 0x80000000, 16)).capability_data
    left = ", ".join(f"0x{handle:08x}" for handle in capability.data)
    return f"The TPM still has {left}." if left else ""


CHECKS = (_primary, _full, _swapped, _empty)
