"""Policies for people: a tree of lines, and JSON to write them in.

    [{"type": "PolicyPCR", "pcrs": "sha256:7=HEX,23=HEX"},
     {"type": "PolicyOR", "branches": [[{"type": "PolicyAuthValue"}], [{"type": "PolicyPassword"}]]}]

A policy is a list of statements. Octets are hex, commands and comparisons have the standard's names (HMAC,
UNSIGNED_LT). The fields of each type are in `FIELDS`.
"""

from typing import Any

from ..crypto.formulas import name_of
from ..errors import EncodeError, PolicyError
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPMA_LOCALITY
from ..spec.properties import TPM_EO
from . import strict_json
from .approvals import PolicyAuthorize, PolicySigned
from .choice import Either
from .conditions import (
    PolicyCounterTimer,
    PolicyCpHash,
    PolicyLocality,
    PolicyNameHash,
    PolicyNV,
    PolicyNvWritten,
    PolicyTemplate,
)
from .policy import (
    Policy,
    PolicyAuthValue,
    PolicyCommandCode,
    PolicyDuplicationSelect,
    PolicyOR,
    PolicyPassword,
    PolicyPCR,
    PolicySecret,
    Statement,
    format_pcrs,
    parse_pcr_values,
    pcrs_in,
)

__all__ = ["FIELDS", "described", "from_json", "tree"]

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "PolicyPCR": (("pcrs",), ("digest",)),
    "PolicyAuthValue": ((), ()),
    "PolicyPassword": ((), ()),
    "PolicyCommandCode": (("command",), ()),
    "PolicySecret": ((), ("hierarchy", "handle", "name", "policy_ref")),
    "PolicySigned": (("key",), ("policy_ref",)),
    "PolicyAuthorize": (("key",), ("policy_ref",)),
    "PolicyOR": ((), ("branches", "digests")),
    "PolicyDuplicationSelect": (("new_parent_name",), ("object_name", "include_object")),
    "PolicyNV": (("index", "name", "operand", "operation"), ("offset",)),
    "PolicyCounterTimer": (("operand", "operation"), ("offset",)),
    "PolicyLocality": (("locality",), ()),
    "PolicyCpHash": (("hash",), ()),
    "PolicyNameHash": (("hash",), ()),
    "PolicyTemplate": (("hash",), ()),
    "PolicyNvWritten": (("written",), ()),
}
"""The fields that each type of statement must have, and may have."""

DEPTH = 8
"""Branches inside branches. A TPM has no limit; a reader has."""


def from_json(text: str, alg: TPM_ALG = TPM_ALG.SHA256) -> Policy | Either:
    """The policy of a JSON text, for an object whose nameAlg is `alg`. Raises PolicyError."""
    try:
        value = strict_json.loads(text)
    except ValueError as error:
        raise PolicyError(f"the policy is no JSON ({error})") from error
    return _policy(value, alg, 0)


def _policy(value: Any, alg: TPM_ALG, depth: int) -> Policy | Either:
    if not isinstance(value, list) or not value:
        raise PolicyError("a policy in JSON is a list of one statement or more, each with its type")
    if depth > DEPTH:
        raise PolicyError(f"the policy has more than {DEPTH} branches inside branches")
    parts: list[Statement | tuple[Policy | Either, ...]] = []
    for item in value:
        fields = _fields(item)
        if "branches" in fields:
            if not isinstance(fields["branches"], list):
                raise PolicyError("the branches of PolicyOR are a list of policies")
            parts.append(tuple(_policy(branch, alg, depth + 1) for branch in fields["branches"]))
        else:
            parts.append(_statement(item["type"], fields, alg))
    forks = [place for place, part in enumerate(parts) if isinstance(part, tuple)]
    if not forks:
        return Policy(*(part for part in parts if isinstance(part, Statement)))
    if len(forks) > 1:
        raise PolicyError(
            "a policy has branches in one place: put the second PolicyOR inside the first's branches"
        )
    branches = parts[forks[0]]
    assert isinstance(branches, tuple)
    before, after = (
        Policy(*(part for part in some if isinstance(part, Statement)))
        for some in (parts[: forks[0]], parts[forks[0] + 1 :])
    )
    either = Either(branches, before, after)
    either.digest(alg)  # Says what is wrong with it now.
    return either


def _fields(item: Any) -> dict[str, Any]:
    """The fields of a statement, all there and known."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise PolicyError('a statement in JSON is an object with a type, such as {"type": "PolicyAuthValue"}')
    kind = item["type"]
    if kind not in FIELDS:
        raise PolicyError(f"there is no statement {kind[:40]!r}; there are {', '.join(FIELDS)}")
    needed, others = FIELDS[kind]
    for name in needed:
        if name not in item:
            raise PolicyError(f"{kind} lacks its field {name!r}")
    fields = {name: value for name, value in item.items() if name != "type"}
    for name in fields:
        if name not in (*needed, *others):
            raise PolicyError(
                f"{kind} has no field {name[:40]!r}; it has {', '.join((*needed, *others)) or 'none'}"
            )
    return fields


def _statement(kind: str, fields: dict[str, Any], alg: TPM_ALG) -> Statement:
    try:
        made = _made(kind, fields, alg)
        made.build()
    except (EncodeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise PolicyError(f"{kind} has a field that is not as it should be: {error}") from error
    return made


def _made(kind: str, fields: dict[str, Any], alg: TPM_ALG) -> Statement:
    def octets(name: str) -> bytes:
        return bytes.fromhex(fields.get(name, ""))

    match kind:
        case "PolicyPCR":
            return _pcr(fields, octets("digest"), alg)
        case "PolicyAuthValue" | "PolicyPassword":
            return PolicyAuthValue() if kind == "PolicyAuthValue" else PolicyPassword()
        case "PolicyCommandCode":
            return PolicyCommandCode(TPM_CC[fields["command"].removeprefix("TPM2_")])
        case "PolicySecret":
            return _secret(fields, octets("name"), octets("policy_ref"))
        case "PolicySigned" | "PolicyAuthorize":
            from .sign import signer_area

            public = signer_area(fields["key"].encode())
            return (PolicySigned if kind == "PolicySigned" else PolicyAuthorize)(public, octets("policy_ref"))
        case "PolicyOR":
            return PolicyOR.of(alg, *(bytes.fromhex(one) for one in fields["digests"]))
        case "PolicyDuplicationSelect":
            include = fields.get("include_object", False)
            return PolicyDuplicationSelect(octets("object_name"), octets("new_parent_name"), include)
        case "PolicyNV":
            index, operation = int(str(fields["index"]), 0), TPM_EO[fields["operation"]]
            return PolicyNV(index, octets("name"), octets("operand"), fields.get("offset", 0), operation)
        case "PolicyCounterTimer":
            return PolicyCounterTimer(octets("operand"), fields.get("offset", 0), TPM_EO[fields["operation"]])
        case "PolicyLocality":
            return PolicyLocality(TPMA_LOCALITY(fields["locality"]))
        case "PolicyNvWritten":
            return PolicyNvWritten(fields["written"])
    hashes = {"PolicyCpHash": PolicyCpHash, "PolicyNameHash": PolicyNameHash, "PolicyTemplate": PolicyTemplate}
    return hashes[kind](octets("hash"))


def _pcr(fields: dict[str, Any], given: bytes, alg: TPM_ALG) -> PolicyPCR:
    """With a digest, or with every value; a PCR without a value is for the TPM to fill in."""
    selection, values = parse_pcr_values(fields["pcrs"])
    if given:
        return PolicyPCR(given, selection)
    if not values:
        return PolicyPCR(b"", selection)
    missing = [number for bank, number in pcrs_in(selection) if (bank, number) not in values]
    if missing:
        raise PolicyError(f"PCR {missing[0]} has no value while others have: give all, or none")
    return PolicyPCR.of_values(alg, selection, values)


def _secret(fields: dict[str, Any], name: bytes, policy_ref: bytes) -> PolicySecret:
    if "hierarchy" in fields:
        return PolicySecret.of(TPM_RH[fields["hierarchy"].upper()], policy_ref)
    if "handle" not in fields and not name:
        raise PolicyError("PolicySecret says whose password: give hierarchy, handle or name")
    handle = int(str(fields.get("handle", 0)), 0)
    return PolicySecret(handle, name, policy_ref) if name else PolicySecret.of(handle, policy_ref)


def tree(policy: Policy | Either, indent: str = "") -> list[str]:
    """The policy as lines, one for each statement, branches below each other."""
    if isinstance(policy, Policy):
        return [indent + described(statement) for statement in policy.statements] or [indent + "nothing"]
    lines = [indent + described(statement) for statement in policy.before.statements]
    lines.append(f"{indent}one of:")
    for number, branch in enumerate(policy.branches, 1):
        first, *rest = tree(branch)
        lines.append(f"{indent}  {number}. {first}")
        lines += [f"{indent}     {line}" for line in rest]
    return lines + [indent + described(statement) for statement in policy.after.statements]


def described(statement: Statement) -> str:
    """One statement in a line."""
    match statement:
        case PolicyPCR():
            values = f"hash to {statement.pcr_digest.hex()}" if statement.pcr_digest else "are as they are now"
            return f"PolicyPCR: {format_pcrs(statement.pcrs)} {values}"
        case PolicyAuthValue() | PolicyPassword():
            return f"{type(statement).__name__}: the key's password"
        case PolicyCommandCode():
            return f"PolicyCommandCode: TPM2_{getattr(statement.code_, 'name', statement.code_)} only"
        case PolicySecret():
            return f"PolicySecret: the password of {_entity(statement)}{_reference(statement.policy_ref)}"
        case PolicySigned() | PolicyAuthorize():
            signed = "signed" if statement.signature.sig_alg != TPM_ALG.NULL else "not signed yet"
            what = (
                "what stands before it is approved by" if isinstance(statement, PolicyAuthorize) else "signed by"
            )
            ref = _reference(statement.policy_ref)
            return f"{type(statement).__name__}: {what} the key {name_of(statement.key_sign).hex()}{ref}, {signed}"
        case PolicyOR():
            return "PolicyOR: one of " + ", ".join(one.hex() for one in statement.p_hash_list)
        case PolicyDuplicationSelect():
            of = f" of {statement.object_name.hex()}" if statement.include_object else ""
            return f"PolicyDuplicationSelect: duplication{of} to {statement.new_parent_name.hex()} only"
        case PolicyNV():
            where = f"NV index 0x{statement.nv_index:08x} ({statement.nv_name.hex()})"
            return f"PolicyNV: {where} {_comparison(statement)}"
        case PolicyCounterTimer():
            return f"PolicyCounterTimer: the TPM's clock {_comparison(statement)}"
        case PolicyLocality():
            return f"PolicyLocality: the command comes from {statement.locality.described() or 'nowhere'}"
        case PolicyNvWritten():
            return f"PolicyNvWritten: the NV index was {'written' if statement.written_set else 'never written'}"
        case PolicyCpHash():
            return f"PolicyCpHash: the command whose cpHash is {statement.cp_hash_a.hex()}"
        case PolicyNameHash():
            return f"PolicyNameHash: commands on objects whose Names hash to {statement.name_hash.hex()}"
        case PolicyTemplate():
            return f"PolicyTemplate: an object of the template that hashes to {statement.template_hash.hex()}"
    return f"{type(statement).__name__} {statement.build().hex()}"


def _comparison(statement: PolicyNV | PolicyCounterTimer) -> str:
    operation = getattr(statement.operation, "name", None) or f"operation {int(statement.operation)}"
    return f"at offset {statement.offset}: {operation} {statement.operand_b.hex()}"


def _reference(policy_ref: bytes) -> str:
    return f", reference {policy_ref.hex()}" if policy_ref else ""


def _entity(statement: PolicySecret) -> str:
    name = statement.object_name
    if len(name) != 4:
        return name.hex()
    handle = TPM_RH(int.from_bytes(name, "big"))
    return f"the {handle.name.lower()} hierarchy" if handle in tuple(TPM_RH) else f"0x{handle:08x}"
