"""Computes policyDigest after each policy command of a recording (Part 3, §23)."""

from collections.abc import Callable
from typing import Any

from ..crypto.formulas import digest_size
from ..errors import PolicyError
from ..policy.digest_rule import DigestRule, hashed_bytes
from ..policy.statement import statement_class
from ..spec.command import Command
from ..spec.constants import TPM_ALG, TPM_CC, TPM_ST
from ..spec.names import constant_name, field_name

__all__ = ["OTHER_RULES", "policy_digest"]

NameOf = Callable[[int], bytes | None]

_COMPARED = ("operand_b", "offset", "operation")
OTHER_RULES = {
    TPM_CC.PolicyPhysicalPresence: DigestRule(TPM_CC.PolicyPhysicalPresence),
    TPM_CC.PolicyParameters: DigestRule(TPM_CC.PolicyParameters, ("p_hash",)),
    TPM_CC.PolicyCapability: DigestRule(TPM_CC.PolicyCapability, ((*_COMPARED, "capability", "property_"),)),
    TPM_CC.PolicyAuthorizeNV: DigestRule(
        TPM_CC.PolicyAuthorizeNV, ("nv_name",), restarts=True, names={"nv_name": "nv_index"}
    ),
    # For TPM2_PolicyTicket, the ticket determines the hashed code: PolicySigned or PolicySecret.
    TPM_CC.PolicyTicket: DigestRule(TPM_CC.PolicySecret, ("auth_name",), then="policy_ref"),
}
"""The rules of policy commands that are not statements of `tpmwire.policy`."""


def policy_digest(
    alg: TPM_ALG, before: bytes | None, command: Command, name_of: NameOf
) -> tuple[bytes | None, str]:
    """Returns policyDigest after a policy command, and the formula in the standard's notation.

    `before` is policyDigest before the command, `name_of` returns the Name at a handle. The digest is None if the
    recording does not determine it. Raises EncodeError for an unknown hash algorithm.
    """
    if command.code == TPM_CC.PolicyRestart:
        return bytes(digest_size(alg)), "zeros: the policy starts again"
    rule = _rule(command)
    if rule is None or (before is None and not rule.restarts):
        return None, ""
    try:
        after = rule.extended(alg, before or b"", lambda part: _read_hashed_field(command, rule, part, name_of))
    except PolicyError:
        return None, ""
    return after, rule.formula(constant_name(TPM_CC(rule.code)), field_name)


def _rule(command: Command) -> DigestRule | None:
    kind = statement_class(command.code)
    if kind is not None:
        return kind.digest_rule(command)
    rule = OTHER_RULES.get(command.code)
    if command.code == TPM_CC.PolicyTicket and rule is not None:
        repeated: Any = command
        return rule._replace(code=TPM_CC.PolicySigned) if repeated.ticket.tag == TPM_ST.AUTH_SIGNED else rule
    return rule


def _read_hashed_field(command: Command, rule: DigestRule, part: str, name_of: NameOf) -> bytes:
    """Returns the bytes of a command's field that are hashed into policyDigest.

    `part` is the field in the rule. Raises PolicyError if the recording does not have the bytes.
    """
    if part not in rule.names:
        return hashed_bytes(command, part)
    name = name_of(getattr(command, rule.names[part]))
    if name is None:
        raise PolicyError(f"the Name of {rule.names[part]} is not in the recording")
    return name
