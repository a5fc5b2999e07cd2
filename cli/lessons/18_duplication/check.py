"""Checks of the lesson on duplication: duplicate a key to another parent, and use it there."""

from tpmwire.crypto.formulas import name_of
from tpmwire.spec.constants import TPMA_OBJECT

from ..attempt import Attempt


def _parents(attempt: Attempt) -> str:
    names = {name_of(each.response.out_public) for each in attempt.done("CreatePrimary")}
    return "" if len(names) > 1 else f"{len(names)} of 2 different parents so far."


def _created(attempt: Attempt) -> str:
    for each in attempt.done("Create"):
        public = each.response.out_public
        if public.object_attributes & (TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT):
            continue
        if public.auth_policy and attempt.done("Load"):
            return ""
    return "No key that can be duplicated was created and loaded yet."


def _imported(attempt: Attempt) -> str:
    if not attempt.done("Duplicate"):
        return "The key was not duplicated yet."
    return "" if attempt.done("Import") else "The key is duplicated, but not imported."


def _used(attempt: Attempt) -> str:
    privates = [each.response.out_private for each in attempt.done("Import")]
    loaded = [each for each in attempt.done("Load") if each.command.in_private in privates]
    if not loaded:
        return "The imported key is not loaded yet."
    after = attempt.sent[attempt.sent.index(loaded[0]) :]
    used = [each for each in attempt.done("HMAC") if each in after and each.command.buffer == b"hello"]
    return "" if used else "No HMAC of hello with the imported key yet."


CHECKS = (_parents, _created, _imported, _used)
