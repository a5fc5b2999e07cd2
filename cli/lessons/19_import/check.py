"""Checks of the lesson on import: bring an HMAC key into the TPM in two ways."""

import hmac

from ..attempt import Attempt

KEY = b"my key"
EXPECTED = hmac.digest(KEY, b"hello", "sha256")


def _hmacs(attempt: Attempt) -> list[bytes]:
    return [each.response.out_hmac for each in attempt.done("HMAC")]


def _created(attempt: Attempt) -> str:
    if not any(each.command.in_sensitive.data == KEY for each in attempt.done("Create")):
        return "No key was created from the text my key yet."
    return "" if EXPECTED in _hmacs(attempt) else "The HMAC of hello was not computed with this key yet."


def _imported(attempt: Attempt) -> str:
    return "" if attempt.done("Import") else "No key was imported yet."


def _same(attempt: Attempt) -> str:
    privates = [each.response.out_private for each in attempt.done("Import")]
    for number, each in enumerate(attempt.sent):
        if each in attempt.done("Load") and each.command.in_private in privates:
            later = [sent.response.out_hmac for sent in attempt.sent[number:] if sent in attempt.done("HMAC")]
            if EXPECTED in later:
                return ""
            return "The imported key is loaded; now compute the HMAC of hello."
    return "The imported key is not loaded yet."


CHECKS = (_created, _imported, _same)
