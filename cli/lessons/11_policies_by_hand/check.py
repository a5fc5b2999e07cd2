"""Checks of the lesson on policies by hand: compute policy digests in trial sessions."""

import hashlib

from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyCommandCode
from tpmwire.spec.constants import TPM_CC, TPM_SE

from ..attempt import Attempt

AUTH_VALUE = hashlib.sha256(bytes(32) + bytes.fromhex("0000016b")).digest()


def _statement(attempt: Attempt) -> str:
    if not any(each.command.session_type == TPM_SE.TRIAL for each in attempt.done("StartAuthSession")):
        return "No trial session was opened yet."
    return "" if attempt.done("PolicyAuthValue") else "No statement PolicyAuthValue yet."


def _digest(attempt: Attempt) -> str:
    return "" if attempt.answered(AUTH_VALUE) else "Answer the digest of PolicyAuthValue alone."


def _order(attempt: Attempt) -> str:
    statements = PolicyCommandCode(TPM_CC.Unseal), PolicyAuthValue()
    wanted = {Policy(*statements).digest(), Policy(*reversed(statements)).digest()}
    read = {each.response.policy_digest for each in attempt.done("PolicyGetDigest")}
    return "" if wanted <= read else f"{len(wanted & read)} of the 2 digests were read so far."


CHECKS = (_statement, _digest, _order)
