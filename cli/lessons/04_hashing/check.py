"""Checks of the lesson on hashing: compute digests, request tickets, and use sequences."""

import hashlib

from tpmwire.spec.constants import TPM_RH

from ..attempt import Attempt


def _hello(attempt: Attempt) -> str:
    digest = hashlib.sha256(b"hello").digest()
    return "" if digest in [each.response.out_hash for each in attempt.done("Hash")] else "No hash of hello yet."


def _ticket(attempt: Attempt) -> str:
    for each in attempt.done("Hash"):
        if each.command.data == b"hello" and each.response.validation.digest:
            owned = each.response.validation.hierarchy == TPM_RH.OWNER
            return "" if owned else "The ticket is of another hierarchy than owner."
    return "No ticket for hello yet."


def _no_ticket(attempt: Attempt) -> str:
    for each in attempt.done("Hash"):
        if each.command.data.startswith(b"\xffTCG") and each.command.hierarchy == TPM_RH.OWNER:
            size = len(each.response.validation.digest)
            return "" if attempt.answered(size) else "Answer the size of the ticket's digest."
    return "No data that begins with ff544347 was hashed in the owner hierarchy yet."


def _sequence(attempt: Attempt) -> str:
    digests = [each.response.result for each in attempt.done("SequenceComplete")]
    if not digests:
        return "No sequence was completed yet."
    return "" if hashlib.sha256(b"hello world").digest() in digests else "The digest is not that of hello world."


CHECKS = (_hello, _ticket, _no_ticket, _sequence)
