"""Reads the alternative policies of a key file.

A key file contains the first alternative in `policy` and the others in `authPolicy`. An alternative in
`authPolicy` may be complete. It may also end with PolicyAuthorize, as the TSS2 key file draft defines. In that
case, the statements after PolicyAuthorize in `policy` apply to the alternative too.
"""

from ..errors import PolicyError
from ..policy.policy import Policy
from ..policy.statement import Statement
from ..spec.constants import TPM_CC
from .keyfile import KeyFile, Step

__all__ = ["alternatives_of"]


def alternatives_of(file: KeyFile) -> tuple[tuple[str, Policy | PolicyError], ...]:
    """Returns (name, policy) for each alternative of a key file: first `policy`, then `authPolicy` in order.

    The name is for messages. If a policy cannot be read, the pair has the PolicyError instead.
    """
    found = [("the file's policy", file.policy)] if file.policy is not None else []
    for number, (name, steps) in enumerate(file.auth_policy or (), 1):
        label = f"authPolicy {number}"
        if name:
            label += " " + ascii(name if len(name) <= 40 else name[:37] + "...")
        found.append((label, steps))
    alternatives: list[tuple[str, Policy | PolicyError]] = []
    for label, steps in found:
        ways = _read(steps, file)
        many = len(ways) > 1
        alternatives += [(f"{label}, branch {n}" if many else label, way) for n, way in enumerate(ways, 1)]
    return tuple(alternatives)


def _read(steps: tuple[Step, ...], file: KeyFile) -> tuple[Policy | PolicyError, ...]:
    try:
        ways = Policy.ways(steps, file.public)
        if len(ways) > 1:
            return ways
        candidates = [ways[0]]
        first, *rest = ways[0].statements or (None,)
        # Some programs write TPM2_PolicyAuthorize first, although it approves the statements that precede it.
        if first is not None and first.code == TPM_CC.PolicyAuthorize and rest:
            candidates.insert(0, Policy(*rest, first))
        if steps is not file.policy:
            candidates.append(Policy(*ways[0].statements, *_statements_after_authorize(file)))
    except PolicyError as error:
        return (error,)
    return (next((one for one in candidates if _fits(one, file)), ways[0]),)


def _statements_after_authorize(file: KeyFile) -> tuple[Statement, ...]:
    """Returns the statements of the file's `policy` after PolicyAuthorize, if PolicyAuthorize comes first.

    Otherwise returns no statements (TSS2 key file draft, "Signed Policy Specification").
    """
    steps = file.policy or ()
    if not steps or steps[0][0] != TPM_CC.PolicyAuthorize:
        return ()
    return Policy.ways(steps, file.public)[0].statements[1:]


def _fits(policy: Policy, file: KeyFile) -> bool:
    try:
        return policy.digest(file.public.name_alg) == file.public.auth_policy
    except PolicyError:
        return False  # unknown: only the TPM knows the digest
