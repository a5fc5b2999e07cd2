"""Checks of the lesson on HMAC keys: create a parent and an HMAC key, load the key, and use it."""

from tpmwire.spec.constants import TPM_ALG

from ..attempt import Attempt


def _parent(attempt: Attempt) -> str:
    return "" if attempt.done("CreatePrimary") else "No primary key was created yet."


def _loaded(attempt: Attempt) -> str:
    made = [each for each in attempt.done("Create") if each.response.out_public.type == TPM_ALG.KEYEDHASH]
    if not made:
        return "No HMAC key was created yet."
    publics = {each.response.out_public.build() for each in made}
    if any(each.command.in_public.build() in publics for each in attempt.done("Load")):
        return ""
    return "The HMAC key is created, but not loaded."


def _hmac(attempt: Attempt) -> str:
    used = [each for each in attempt.done("HMAC") if each.command.buffer == b"hello"]
    return "" if used else "No HMAC of hello yet."


CHECKS = (_parent, _loaded, _hmac)
