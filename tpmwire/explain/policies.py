"""policyDigest, step by step, from the commands of a recording (Part 3, §23)."""

from collections.abc import Callable
from typing import Any

from ..crypto.formulas import digest, digest_size
from ..spec.command import Command
from ..spec.constants import TPM_ALG, TPM_CC, TPM_ST
from ..spec.structures import TPML_PCR_SELECTION

__all__ = ["RESTARTS", "policy_digest"]

NameOf = Callable[[int], bytes | None]

RESTARTS = (TPM_CC.PolicyOR, TPM_CC.PolicyAuthorize, TPM_CC.PolicyAuthorizeNV)
"""Steps after which policyDigest no longer depends on what it was before."""


def policy_digest(
    alg: TPM_ALG, before: bytes | None, command: Command, name_of: NameOf
) -> tuple[bytes | None, str]:
    """policyDigest after a command, and the formula in the standard's words.

    The digest is None where it is not to be known from the recording. Raises EncodeError for a hash that is not
    known here.
    """
    given: Any = command
    zero = bytes(digest_size(alg))
    if command.code == TPM_CC.PolicyRestart:
        return zero, "zeros: the policy begins anew"
    if command.code in RESTARTS:
        before = zero
    if before is None:
        return None, ""
    twice = _update(given, name_of)
    if twice is not None:
        code, name, text = twice
        if name is None:
            return None, ""
        inner = digest(alg, before, _number(code, 4), name)
        return digest(
            alg, inner, given.policy_ref
        ), f"H(H({_old(command)} || {_name(code)} || {text}) || policyRef)"
    code, parts, text = _extended(alg, given, name_of)
    if parts is None:
        return None, ""
    return digest(alg, before, _number(code, 4), *parts), f"H({_old(command)} || {_name(code)}{text})"


def _old(command: Command) -> str:
    return "zeros" if command.code in RESTARTS else "policyDigest"


def _name(code: int) -> str:
    return f"TPM_CC_{TPM_CC(code).name}"


def _number(value: int, size: int) -> bytes:
    return int(value).to_bytes(size, "big")


def _update(given: Any, name_of: NameOf) -> tuple[int, bytes | None, str] | None:
    """Code, Name and its words for the steps by PolicyUpdate (§23.2.3); None for the others."""
    match given.code:
        case TPM_CC.PolicySigned:
            return given.code, name_of(given.auth_object), "Name of authObject"
        case TPM_CC.PolicySecret:
            return given.code, name_of(given.auth_handle), "Name of authHandle"
        case TPM_CC.PolicyTicket:
            signed = given.ticket.tag == TPM_ST.AUTH_SIGNED
            return TPM_CC.PolicySigned if signed else TPM_CC.PolicySecret, given.auth_name, "authName"
        case TPM_CC.PolicyAuthorize:
            return given.code, given.key_sign, "keySign"
    return None


def _extended(alg: TPM_ALG, given: Any, name_of: NameOf) -> tuple[int, list[bytes] | None, str]:
    """Code, what is hashed after it, and that in words; None for what the recording does not tell."""
    code = given.code
    match code:
        case TPM_CC.PolicyAuthValue | TPM_CC.PolicyPassword:
            return TPM_CC.PolicyAuthValue, [], ""
        case TPM_CC.PolicyPhysicalPresence:
            return code, [], ""
        case TPM_CC.PolicyOR:
            return code, list(given.p_hash_list), " || pHashList"
        case TPM_CC.PolicyPCR:
            # An empty digest takes the PCRs as they are, which no octet here tells.
            pcrs = _counted(given.pcrs)
            return code, [pcrs, given.pcr_digest] if given.pcr_digest else None, " || pcrs || pcrDigest"
        case TPM_CC.PolicyLocality:
            return code, [_number(given.locality, 1)], " || locality"
        case TPM_CC.PolicyCommandCode:
            return code, [_number(given.code_, 4)], " || code"
        case TPM_CC.PolicyCpHash:
            return code, [given.cp_hash_a], " || cpHashA"
        case TPM_CC.PolicyNameHash:
            return code, [given.name_hash], " || nameHash"
        case TPM_CC.PolicyTemplate:
            return code, [given.template_hash], " || templateHash"
        case TPM_CC.PolicyParameters:
            return code, [given.p_hash], " || pHash"
        case TPM_CC.PolicyNvWritten:
            return code, [_number(given.written_set, 1)], " || writtenSet"
        case TPM_CC.PolicyDuplicationSelect:
            own = given.object_name if given.include_object else b""
            text = " || objectName" if own else ""
            return (
                code,
                [own, given.new_parent_name, _number(given.include_object, 1)],
                f"{text} || newParentName || includeObject",
            )
        case TPM_CC.PolicyAuthorizeNV:
            return code, _named(name_of(given.nv_index)), " || Name of nvIndex"
        case TPM_CC.PolicyNV:
            name = name_of(given.nv_index)
            hashed = [] if name is None else [digest(alg, *_compared(given)), name]
            return code, hashed or None, " || H(operandB || offset || operation) || Name of nvIndex"
        case TPM_CC.PolicyCounterTimer:
            return code, [digest(alg, *_compared(given))], " || H(operandB || offset || operation)"
        case TPM_CC.PolicyCapability:
            more = [_number(given.capability, 4), _number(given.property_, 4)]
            return (
                code,
                [digest(alg, *_compared(given), *more)],
                " || H(operandB || offset || operation || capability || property)",
            )
    return code, None, ""


def _compared(given: Any) -> list[bytes]:
    return [given.operand_b, _number(given.offset, 2), _number(given.operation, 2)]


def _named(name: bytes | None) -> list[bytes] | None:
    return None if name is None else [name]


def _counted(pcrs: Any) -> bytes:
    import io

    from ..wires import wire_of

    stream = io.BytesIO()
    wire_of(TPML_PCR_SELECTION)._build(pcrs, stream, {}, "")
    return stream.getvalue()
