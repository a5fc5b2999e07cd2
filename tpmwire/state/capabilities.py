"""Capabilities of a TPM, as complete lists (TPM 2.0 Part 3, §30.2)."""

from typing import Any

from ..spec.commands.capability import GetCapability
from ..spec.constants import TPM_CAP, TPM_CC, TPM_PT, TPMA_CC
from ..tpm import Tpm

__all__ = ["capabilities", "commands", "properties"]

_KEYS = ("property", "alg", "tag", "handle")
"""The field by which a list of structures is ordered."""


def capabilities(tpm: Tpm, capability: TPM_CAP, start: int = 0) -> list[Any]:
    """Returns the whole list of a capability, from the element `start` on (Part 3, §30.2; Part 2, §6.12).

    The elements have the types of `TPMS_CAPABILITY_DATA.data`: handles, `TPMA_CC` words, `TPMS_TAGGED_PROPERTY`
    and so on.
    """
    found: list[Any] = []
    while True:
        answer = tpm.execute(GetCapability(capability, start, 0xFF))
        page = list(answer.capability_data.data)
        found += page
        after = _place(page[-1]) + 1 if page else start
        if not answer.more_data or after <= start:
            return found
        start = after


def _place(value: Any) -> int:
    """Returns the number by which an element of a capability list is sorted: its handle, property or code.

    The next TPM2_GetCapability continues after this number.
    """
    if isinstance(value, TPMA_CC):
        return int(value) & 0xFFFF | int(value & TPMA_CC.V)
    if isinstance(value, int):
        return int(value)
    return next((int(getattr(value, key)) for key in _KEYS if hasattr(value, key)), 0)


def properties(tpm: Tpm) -> dict[TPM_PT, int]:
    """Returns the fixed and the variable properties of the TPM (Part 2, §6.13)."""
    return {
        one.property: one.value
        for group in (0x100, 0x200)
        for one in capabilities(tpm, TPM_CAP.TPM_PROPERTIES, group)
    }


def commands(tpm: Tpm) -> list[TPM_CC]:
    """Returns the codes of the commands that the TPM implements; a vendor's codes have no name."""
    return [TPM_CC(_place(word)) for word in capabilities(tpm, TPM_CAP.COMMANDS)]
