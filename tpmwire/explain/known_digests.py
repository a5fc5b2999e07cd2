"""Digests of policies with one statement, for recognizing the policy digests in files."""

from functools import cache

from ..crypto.formulas import digest_size
from ..policy.policy import Policy
from ..policy.statements import PolicyAuthValue, PolicyCommandCode, PolicySecret
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH
from ..spec.names import constant_name

__all__ = ["describe_policy_digest"]

_HASHES = (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)


def describe_policy_digest(digest: bytes) -> str:
    """Returns the policy with this digest, such as "PolicyCommandCode(TPM_CC_Duplicate)".

    Knows TPM2_PolicyAuthValue, TPM2_PolicyCommandCode, and TPM2_PolicySecret with a hierarchy. Returns "" for any
    other digest.
    """
    alg = next((alg for alg in _HASHES if digest_size(alg) == len(digest)), None)
    return _known(alg).get(digest, "") if alg is not None else ""


@cache
def _known(alg: TPM_ALG) -> dict[bytes, str]:
    known = {Policy(PolicyAuthValue()).digest(alg): "PolicyAuthValue, or PolicyPassword"}
    for entity in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.LOCKOUT, TPM_RH.NULL):
        policy = Policy(PolicySecret(0, int(entity).to_bytes(4, "big")))
        of_keys = ", the policy of endorsement keys" if entity == TPM_RH.ENDORSEMENT else ""
        known[policy.digest(alg)] = f"PolicySecret({constant_name(entity)}){of_keys}"
    for code in TPM_CC:
        known[Policy(PolicyCommandCode(code)).digest(alg)] = f"PolicyCommandCode({constant_name(code)})"
    return known
