"""Policies as text: display text with a line for each statement, and JSON, which can be parsed too.

    [{"type": "PolicyPCR", "pcrs": "sha256:7=HEX,23=HEX"},
     {"type": "PolicyOR", "branches": [[{"type": "PolicyAuthValue"}], [{"type": "PolicyPassword"}]]}]

A policy is a list of statements as `json_form` defines them. A PolicyOR can have policies as its branches.
"""

import json
from typing import Any

from ..errors import PolicyError
from ..spec.constants import TPM_ALG
from . import strict_json
from .choice import Either
from .json_form import from_fields, split_item, to_fields
from .policy import Policy
from .statement import Statement

__all__ = ["from_json", "to_json", "tree"]

DEPTH = 8
"""The maximum number of PolicyORs inside each other. A TPM has no limit, but such a policy is hard to read."""


def from_json(text: str, alg: TPM_ALG = TPM_ALG.SHA256) -> Policy | Either:
    """Returns the policy of a JSON text, for an object whose nameAlg is `alg`.

    Raises PolicyError for an invalid policy.
    """
    try:
        value = strict_json.loads(text)
    except ValueError as error:
        raise PolicyError(f"the policy is not valid JSON: {error}") from error
    return _policy(value, alg, 0)


def to_json(policy: Policy | Either) -> str:
    """Returns the policy as a JSON text, which `from_json` reads.

    Raises PolicyError if a value cannot be represented in JSON.
    """
    return json.dumps(_items(policy))


def _policy(value: Any, alg: TPM_ALG, depth: int) -> Policy | Either:
    if not isinstance(value, list) or not value:
        raise PolicyError("a policy must be a JSON list of one or more statements, each with a type")
    if depth > DEPTH:
        raise PolicyError(f"the policy has branches nested more than {DEPTH} deep")
    parts = [_part(item, alg, depth) for item in value]
    forks = [place for place, part in enumerate(parts) if isinstance(part, tuple)]
    if not forks:
        return Policy(*(part for part in parts if isinstance(part, Statement)))
    if len(forks) > 1:
        raise PolicyError("a policy can have only one PolicyOR with branches; put the second one inside a branch")
    branches = parts[forks[0]]
    assert isinstance(branches, tuple)
    before, after = (
        Policy(*(part for part in some if isinstance(part, Statement)))
        for some in (parts[: forks[0]], parts[forks[0] + 1 :])
    )
    either = Either(branches, before, after)
    either.digest(alg)  # computed here to detect errors early
    return either


def _part(item: Any, alg: TPM_ALG, depth: int) -> Statement | tuple[Policy | Either, ...]:
    """Parses an item of a policy in JSON. Returns a statement, or the branches of a PolicyOR.

    `depth` is the number of enclosing PolicyORs. Raises PolicyError for an invalid item.
    """
    _, fields = split_item(item)
    if "branches" not in fields:
        return from_fields(item, alg)
    if not isinstance(fields["branches"], list):
        raise PolicyError("the branches of PolicyOR must be a list of policies")
    return tuple(_policy(branch, alg, depth + 1) for branch in fields["branches"])


def _items(policy: Policy | Either) -> list[dict[str, Any]]:
    if isinstance(policy, Policy):
        return [to_fields(statement) for statement in policy.statements]
    either = {"type": "PolicyOR", "branches": [_items(branch) for branch in policy.branches]}
    return [*_items(policy.before), either, *_items(policy.after)]


def tree(policy: Policy | Either, indent: str = "") -> list[str]:
    """Returns the policy as display lines: one for each statement, with the branches one below the other."""
    if isinstance(policy, Policy):
        return [indent + line for line in str(policy).splitlines()]
    lines = [f"{indent}{statement}" for statement in policy.before.statements]
    lines.append(f"{indent}one of:")
    for number, branch in enumerate(policy.branches, 1):
        first, *rest = tree(branch)
        lines.append(f"{indent}  {number}. {first}")
        lines += [f"{indent}     {line}" for line in rest]
    return lines + [f"{indent}{statement}" for statement in policy.after.statements]
