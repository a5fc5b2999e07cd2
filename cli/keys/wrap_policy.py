"""Builds the policy of a wrapped key from PCR values or JSON, and the password, if any."""

from functools import lru_cache
from typing import NamedTuple

from tpmwire.crypto.formulas import digest_size
from tpmwire.errors import PolicyError
from tpmwire.policy.pcr_selection import parse_pcr_values, pcrs_in
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.spec.constants import TPM_ALG

from ..terminal.messages import UsageError
from .policy_options import policy_from_json
from .weak_pcrs import warn_of_policies

__all__ = ["KeyUse", "policy_of_use"]


class KeyUse(NamedTuple):
    """Conditions for using a key: `pcrs` as text, such as `sha256:7`, or a `policy` in JSON. Both may be empty.

    `where` names the policy's source in messages.
    """

    pcrs: str = ""
    policy: str = ""
    where: str = ""


@lru_cache(maxsize=256)
def policy_of_use(use: KeyUse, *, with_auth: bool) -> "tuple[Policy, bytes] | None":
    """Returns (policy, digest), or None if the key needs no policy. Warns of weak PCRs.

    With `with_auth`, the key has a password, and the policy must require it. Raises UsageError for an invalid
    policy.
    """
    if use.policy:
        policy = _build_from_json(use, with_auth=with_auth)
    elif use.pcrs:
        policy = _build_from_pcrs(use.pcrs, with_auth=with_auth)
    else:
        return None
    warn_of_policies([policy], TPM_ALG.SHA256)
    return policy, policy.digest(TPM_ALG.SHA256)


def _build_from_json(use: KeyUse, *, with_auth: bool) -> "Policy":
    ways = policy_from_json(use.policy, TPM_ALG.SHA256, use.where).alternatives
    if len(ways) > 1:
        raise UsageError(
            f"{use.where} has branches, which the file of a wrapped key cannot contain; use a PolicyAuthorize "
            "statement instead, and approve each branch with `tpmwire policy sign`"
        )
    if with_auth and not (ways[0].wants_auth_value or ways[0].wants_password):
        raise UsageError(f"{use.where} does not check the password; add PolicyAuthValue, or remove the password")
    return ways[0]


def _build_from_pcrs(pcrs: str, *, with_auth: bool) -> "Policy":
    try:
        selection, given = parse_pcr_values(pcrs)
        values = {place: bytes(digest_size(place[0])) for place in pcrs_in(selection)} | given
        statement = PolicyPCR.of_values(TPM_ALG.SHA256, selection, values)
    except PolicyError as error:
        raise UsageError(str(error)) from error
    return Policy(statement, PolicyAuthValue()) if with_auth else Policy(statement)
