"""Policies with alternatives: their digests, and the search for the alternative that the TPM accepts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..crypto.formulas import digest_size
from ..errors import PolicyError, TpmError
from ..spec.constants import TPM_ALG, TPM_CC
from .policy import Policy
from .statement import Statement
from .statements import PolicyCommandCode, PolicyDuplicationSelect, PolicyOR

if TYPE_CHECKING:
    from ..sessions import Session
    from ..tpm import Tpm

__all__ = ["Either", "satisfy"]

HMACS = (TPM_CC.HMAC, TPM_CC.HMAC_Start)


class Either(NamedTuple):
    """A policy with branches: the statements `before`, one of 2 to 8 branches, the statements `after`.

    The TPM checks the choice by TPM2_PolicyOR (Part 3, §23.6).
    """

    branches: "tuple[Policy | Either, ...]"
    before: Policy = Policy()
    after: Policy = Policy()

    def alternatives(self, alg: TPM_ALG = TPM_ALG.SHA256) -> tuple[Policy, ...]:
        """Returns a policy for each combination of branches; all have the same digest.

        Raises PolicyError unless there are 2 to 8 branches, and if only the TPM knows a branch's digest.
        """
        groups = [_ways(branch, self.before, alg) for branch in self.branches]
        either = PolicyOR.of(alg, *(ways[0] for ways in groups))
        return tuple(Policy(*way.statements, either, *self.after.statements) for ways in groups for way in ways)

    def digest(self, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
        """Returns policyDigest, computed with the hash algorithm `alg`. Raises the errors of `alternatives`."""
        return self.alternatives(alg)[0].digest(alg)


def _ways(branch: "Policy | Either", before: Policy, alg: TPM_ALG) -> tuple[Policy, ...]:
    if isinstance(branch, Either):
        inner = branch._replace(before=Policy(*before.statements, *branch.before.statements))
        return inner.alternatives(alg)
    return (Policy(*before.statements, *branch.statements),)


def satisfy(
    tpm: "Tpm",
    session: "Session",
    alternatives: Sequence[tuple[str, Policy | PolicyError]],
    expected: bytes,
    state: Callable[[Statement], None],
) -> Policy:
    """Executes the alternatives in the policy session until one succeeds, and returns that policy.

    Each alternative is a pair of a name for messages and a policy, or the error in place of a policy that cannot
    be read. `expected` is the key's policy digest. `state` executes one statement. The TPM checks some statements,
    such as a locality or a password, only when the object is used. They do not affect the choice. If no
    alternative succeeds, raises PolicyError with the reason for each.
    """
    from ..spec.commands.sessions import PolicyRestart

    reasons = []
    for label, policy in alternatives:
        try:
            if isinstance(policy, PolicyError):
                raise policy
            _check(policy, session.auth_hash, expected)
            for statement in policy.statements:
                state(statement)
        except (TpmError, PolicyError) as error:
            reasons.append(f"{label}: {error}")
            tpm.execute(PolicyRestart(session.handle))
        else:
            return policy
    raise PolicyError(f"none of the key's policies can be satisfied: {'; '.join(reasons)}")


def _check(policy: Policy, alg: TPM_ALG, expected: bytes) -> None:
    """Raises PolicyError if the policy must fail, for a reason that is known without the TPM.

    `expected` is the policy digest of the key, in the algorithm `alg`.
    """
    for statement in policy.statements:
        if isinstance(statement, PolicyDuplicationSelect):
            raise PolicyError("authorizes duplication only")
        if isinstance(statement, PolicyCommandCode) and statement.code_ not in HMACS:
            raise PolicyError(f"authorizes {statement.code_!r} only")
    try:
        reached = policy.digest(alg)
    except PolicyError:
        return  # unknown: only the TPM knows the digest
    if len(expected) == digest_size(alg) and reached != expected:
        raise PolicyError("does not result in the key's authPolicy")
