"""Checks of the lesson on templates: derive primary keys from a seed and a template."""

from tpmwire.crypto.formulas import name_of
from tpmwire.spec.constants import TPM_RH

from ..attempt import Attempt


def _names(attempt: Attempt, hierarchy: int) -> list[bytes]:
    made = [each for each in attempt.done("CreatePrimary") if each.command.primary_handle == hierarchy]
    return [name_of(each.response.out_public) for each in made]


def _twice(attempt: Attempt) -> str:
    names = _names(attempt, TPM_RH.OWNER)
    return "" if len(names) > len(set(names)) else "No two keys of the owner hierarchy have the same Name yet."


def _own(attempt: Attempt) -> str:
    return "" if len(set(_names(attempt, TPM_RH.OWNER))) > 1 else "All keys of the owner hierarchy are the same."


def _null(attempt: Attempt) -> str:
    templates = {
        each.command.in_public.build()
        for each in attempt.done("CreatePrimary")
        if each.command.primary_handle == TPM_RH.OWNER
    }
    for each in attempt.done("CreatePrimary"):
        if each.command.primary_handle == TPM_RH.NULL and each.command.in_public.build() in templates:
            return ""
    return "No template was used in both hierarchies yet."


CHECKS = (_twice, _own, _null)
