"""Checks of the lesson on post-quantum keys: sign with ML-DSA, and share a secret with ML-KEM."""

from tpmwire.commands import GetCapability
from tpmwire.spec.constants import TPM_ALG, TPM_CAP

from ...terminal.messages import UsageError
from ..attempt import Attempt


def prepare(attempt: Attempt) -> None:
    """Raises UsageError if the TPM lacks ML-KEM or ML-DSA."""
    found = attempt.tpm.execute(GetCapability(TPM_CAP.ALGS, TPM_ALG.MLKEM, 2)).capability_data.data
    if {TPM_ALG.MLKEM, TPM_ALG.MLDSA} - {each.alg for each in found}:
        raise UsageError(
            "this lesson needs a TPM with ML-DSA and ML-KEM; for the soft TPM, run pip install 'tpmwire[soft]'"
        )


def _created(attempt: Attempt) -> str:
    sizes = [
        len(each.response.out_public.unique)
        for each in attempt.done("CreatePrimary")
        if each.response.out_public.type == TPM_ALG.MLDSA
    ]
    if not sizes:
        return "No ML-DSA key was created yet."
    return "" if any(map(attempt.answered, sizes)) else "Answer the number of bytes of its public key."


def _signed(attempt: Attempt) -> str:
    signed = [each for each in attempt.done("SignSequenceComplete") if each.command.buffer == b"hello"]
    return "" if signed else "The text hello is not signed yet."


def _verified(attempt: Attempt) -> str:
    return "" if attempt.done("VerifySequenceComplete") else "The signature was not verified yet."


def _shared(attempt: Attempt) -> str:
    secrets = {each.response.ciphertext: each.response.shared_secret for each in attempt.done("Encapsulate")}
    if not secrets:
        return "No secret is encapsulated yet."
    for each in attempt.done("Decapsulate"):
        if secrets.get(each.command.ciphertext) == each.response.shared_secret:
            return ""
    return "The secret is not decapsulated yet."


CHECKS = (_created, _signed, _verified, _shared)
