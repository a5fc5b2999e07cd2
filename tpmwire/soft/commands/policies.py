"""Soft TPM: policy commands (Part 3, §23).

Each command extends policyDigest and adds a requirement to the session.
"""

from ...crypto.formulas import digest, digest_size, equal
from ...spec.commands.policies import (
    PolicyAuthorize,
    PolicyAuthorizeNV,
    PolicyAuthValue,
    PolicyCommandCode,
    PolicyCounterTimer,
    PolicyCpHash,
    PolicyDuplicationSelect,
    PolicyGetDigest,
    PolicyLocality,
    PolicyNameHash,
    PolicyNV,
    PolicyNvWritten,
    PolicyOR,
    PolicyPassword,
    PolicyPCR,
    PolicyPhysicalPresence,
    PolicySecret,
    PolicySigned,
    PolicyTemplate,
    PolicyTicket,
)
from ...spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_ST
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_SIGNATURE, TPMT_TK_AUTH
from ..comparison import holds
from ..creation import at_field
from ..entities import KeyedObject
from ..interfaces import HASHES
from ..observer import joined, note
from ..refusal import Refusal, require
from ..registry import HANDLERS, handles
from ..session import SoftSession
from ..signing import verify_message, verify_signature
from ..tickets import ticket_digest
from ..tpm_state import TpmState
from .clock import time_info
from .nv import check_read

SIGN_BIT = 1 << 31
MILLISECONDS = 1000


def _extend(tpm: TpmState, session: SoftSession, code: TPM_CC, *parts: bytes) -> None:
    """Extends policyDigest: H(policyDigest || command code || parts)."""
    _hash_digest(session, code.to_bytes(4, "big"), *parts)


def _hash_digest(session: SoftSession, *parts: bytes) -> None:
    """Sets policyDigest to H(policyDigest || parts)."""
    before, alg = session.policy.digest, session.auth_hash
    session.policy.digest = digest(alg, before, *parts)
    formula = f"{TPM_ALG(alg).name}({joined([before, *parts])})"
    note("policyDigest", f"{before.hex()} -> {session.policy.digest.hex()} = {formula}")


def _session(tpm: TpmState, command: object) -> SoftSession:
    return tpm.sessions[command.policy_session]  # type: ignore[attr-defined]


@handles(PolicyGetDigest)
def policy_get_digest(tpm: TpmState, command: PolicyGetDigest) -> PolicyGetDigest.Response:
    """Returns policyDigest of a session (TPM2_PolicyGetDigest)."""
    return PolicyGetDigest.Response(_session(tpm, command).policy.digest)


@handles(PolicyPCR)
def policy_pcr(tpm: TpmState, command: PolicyPCR) -> None:
    """Requires the current PCR values, or in a trial session the PCR values in the command (TPM2_PolicyPCR)."""
    session = _session(tpm, command)
    now = tpm.pcrs.digest(session.auth_hash, command.pcrs)
    value = command.pcr_digest or now
    if not session.trial:
        if session.policy.checks_pcr and session.policy.pcr_counter != tpm.pcrs.counter:
            raise Refusal(TPM_RC.PCR_CHANGED)
        require(equal(value, now), TPM_RC.VALUE, "pcr_digest")
        session.policy.checks_pcr = True
        session.policy.pcr_counter = tpm.pcrs.counter
    selection = tpm.pcrs.filtered(command.pcrs)
    selected = len(selection).to_bytes(4, "big") + b"".join(one.build() for one in selection)
    _extend(tpm, session, TPM_CC.PolicyPCR, selected, value)


@handles(PolicyOR)
def policy_or(tpm: TpmState, command: PolicyOR) -> None:
    """Requires that policyDigest is in a list of digests, then sets it to the list's digest (TPM2_PolicyOR)."""
    session = _session(tpm, command)
    require(len(command.p_hash_list) >= 2, TPM_RC.SIZE, "p_hash_list")
    if not session.trial:
        require(session.policy.digest in command.p_hash_list, TPM_RC.VALUE, "p_hash_list")
    session.policy.digest = bytes(digest_size(session.auth_hash))
    _extend(tpm, session, TPM_CC.PolicyOR, *command.p_hash_list)


@handles(PolicyCommandCode)
def policy_command_code(tpm: TpmState, command: PolicyCommandCode) -> None:
    """Restricts the session to one command code (TPM2_PolicyCommandCode)."""
    session = _session(tpm, command)
    if session.policy.command_code and session.policy.command_code != command.code_:
        raise Refusal(TPM_RC.VALUE, "code_")
    require(command.code_ in HANDLERS, TPM_RC.POLICY_CC, "code_")
    _extend(tpm, session, TPM_CC.PolicyCommandCode, command.code_.to_bytes(4, "big"))
    session.policy.command_code = command.code_


@handles(PolicyAuthValue)
def policy_auth_value(tpm: TpmState, command: PolicyAuthValue) -> None:
    """Requires the entity's authValue, as part of the HMAC key (TPM2_PolicyAuthValue)."""
    session = _session(tpm, command)
    _extend(tpm, session, TPM_CC.PolicyAuthValue)
    session.policy.auth_value, session.policy.password = True, False


@handles(PolicyPassword)
def policy_password(tpm: TpmState, command: PolicyPassword) -> None:
    """Requires the entity's authValue in clear (TPM2_PolicyPassword).

    policyDigest is extended as by TPM2_PolicyAuthValue.
    """
    session = _session(tpm, command)
    _extend(tpm, session, TPM_CC.PolicyAuthValue)
    session.policy.password, session.policy.auth_value = True, False


@handles(PolicyLocality)
def policy_locality(tpm: TpmState, command: PolicyLocality) -> None:
    """Restricts the localities of the command (TPM2_PolicyLocality). Repeated use can only restrict further."""
    session = _session(tpm, command)
    wanted, before = int(command.locality), int(session.policy.locality)
    require(wanted, TPM_RC.RANGE, "locality")
    if before:
        require((before < 32) == (wanted < 32), TPM_RC.RANGE, "locality")
    narrowed = wanted if not before or wanted >= 32 else wanted & before
    require(narrowed and (wanted < 32 or before in (0, wanted)), TPM_RC.RANGE, "locality")
    session.policy.locality = narrowed
    _extend(tpm, session, TPM_CC.PolicyLocality, bytes([wanted]))


@handles(PolicyPhysicalPresence)
def policy_physical_presence(tpm: TpmState, command: PolicyPhysicalPresence) -> None:
    """Requires physical presence, which the soft TPM does not have (TPM2_PolicyPhysicalPresence)."""
    session = _session(tpm, command)
    session.policy.presence = True
    _extend(tpm, session, TPM_CC.PolicyPhysicalPresence)


def _bind(session: SoftSession, kind: str, value: bytes, field: str) -> None:
    """Stores the hash that the authorized command must match (Part 3, §23.13 to §23.15).

    `kind` is the kind of hash: cpHash, nameHash or template hash. Raises Refusal for a hash
    of the wrong size, and if the session already has a different hash or a hash of another kind.
    """
    policy = session.policy
    if kind != "template_hash":
        require(len(value) == digest_size(session.auth_hash), TPM_RC.SIZE, field)
    others = {"cp_hash": policy.cp_hash, "name_hash": policy.name_hash, "template_hash": policy.template_hash}
    mine = others.pop(kind)
    again = mine and (mine != value or kind == "name_hash")
    if any(others.values()) or again:
        raise Refusal(TPM_RC.CPHASH)
    require(len(value) == digest_size(session.auth_hash), TPM_RC.SIZE, field)
    setattr(policy, kind, value)


@handles(PolicyCpHash)
def policy_cp_hash(tpm: TpmState, command: PolicyCpHash) -> None:
    """Restricts the session to one command with fixed parameters (TPM2_PolicyCpHash)."""
    session = _session(tpm, command)
    _bind(session, "cp_hash", command.cp_hash_a, "cp_hash_a")
    _extend(tpm, session, TPM_CC.PolicyCpHash, command.cp_hash_a)


@handles(PolicyNameHash)
def policy_name_hash(tpm: TpmState, command: PolicyNameHash) -> None:
    """Restricts the session to commands with certain entities as handles (TPM2_PolicyNameHash)."""
    session = _session(tpm, command)
    _bind(session, "name_hash", command.name_hash, "name_hash")
    _extend(tpm, session, TPM_CC.PolicyNameHash, command.name_hash)


@handles(PolicyTemplate)
def policy_template(tpm: TpmState, command: PolicyTemplate) -> None:
    """Restricts the session to the creation of objects from one template (TPM2_PolicyTemplate)."""
    session = _session(tpm, command)
    if session.policy.template_hash:
        require(session.policy.template_hash == command.template_hash, TPM_RC.VALUE, "template_hash")
    _bind(session, "template_hash", command.template_hash, "template_hash")
    _extend(tpm, session, TPM_CC.PolicyTemplate, command.template_hash)


@handles(PolicyDuplicationSelect)
def policy_duplication_select(tpm: TpmState, command: PolicyDuplicationSelect) -> None:
    """Restricts the session to duplication to one new parent (TPM2_PolicyDuplicationSelect)."""
    session = _session(tpm, command)
    names = digest(session.auth_hash, command.object_name, command.new_parent_name)
    if session.policy.cp_hash or session.policy.name_hash or session.policy.template_hash:
        raise Refusal(TPM_RC.CPHASH)
    if session.policy.command_code:
        raise Refusal(TPM_RC.COMMAND_CODE)
    session.policy.name_hash = names
    parts = [command.new_parent_name, bytes([bool(command.include_object)])]
    if command.include_object:
        parts.insert(0, command.object_name)
    _extend(tpm, session, TPM_CC.PolicyDuplicationSelect, *parts)
    session.policy.command_code = TPM_CC.Duplicate


@handles(PolicyNvWritten)
def policy_nv_written(tpm: TpmState, command: PolicyNvWritten) -> None:
    """Requires that the NV index is written, or that it is not yet written (TPM2_PolicyNvWritten)."""
    session = _session(tpm, command)
    wanted = bool(command.written_set)
    require(session.policy.written in (None, wanted), TPM_RC.VALUE, "written_set")
    session.policy.written = wanted
    _extend(tpm, session, TPM_CC.PolicyNvWritten, bytes([wanted]))


def _check_no_other_hash(session: SoftSession, cp_hash: bytes) -> None:
    """Raises Refusal if the session already has a different cpHash, a nameHash or a template hash."""
    policy = session.policy
    if (policy.cp_hash or policy.name_hash or policy.template_hash or cp_hash) != cp_hash:
        raise Refusal(TPM_RC.CPHASH)


def _signed_common(tpm: TpmState, session: SoftSession, command: PolicySigned | PolicySecret) -> tuple[int, bytes]:
    """Checks nonceTPM, cpHashA and expiration of TPM2_PolicySigned and TPM2_PolicySecret.

    Returns (end of the authorization in milliseconds or 0 for no end, the same time as TPM2B_TIMEOUT bytes).
    Without an expiration, the results are 0 and empty.
    """
    if session.trial:
        return 0, b""
    if command.nonce_tpm:
        require(command.nonce_tpm == session.nonce_tpm, TPM_RC.NONCE, "nonce_tpm")
    if command.cp_hash_a:
        require(len(command.cp_hash_a) == digest_size(session.auth_hash), TPM_RC.SIZE, "cp_hash_a")
        _check_no_other_hash(session, command.cp_hash_a)
    seconds = command.expiration
    if not seconds:
        return 0, b""
    length = (1 << 32) - seconds if seconds & SIGN_BIT else seconds
    begin = session.started if command.nonce_tpm else 0
    timeout = begin + length * MILLISECONDS
    require(timeout > tpm.time, TPM_RC.EXPIRED, "expiration")
    return timeout, (timeout | (0 if command.nonce_tpm else 1 << 63)).to_bytes(8, "big")


def _update(
    tpm: TpmState, session: SoftSession, code: TPM_CC, name: bytes, policy_ref: bytes, cp_hash: bytes, timeout: int
) -> None:
    """Extends policyDigest with the entity's Name and then with policyRef, and stores cpHash and timeout."""
    _extend(tpm, session, code, name)
    _hash_digest(session, policy_ref)
    if cp_hash:
        # Only in a trial session can another hash be set; the reference implementation stores all in one place.
        session.policy.cp_hash, session.policy.name_hash, session.policy.template_hash = cp_hash, b"", b""
    if timeout:
        session.policy.timeout = min(session.policy.timeout or timeout, timeout)


@handles(PolicySecret)
def policy_secret(tpm: TpmState, command: PolicySecret) -> PolicySecret.Response:
    """Requires the authValue of an entity that authorizes this policy command (TPM2_PolicySecret)."""
    session = _session(tpm, command)
    timeout, sent = _signed_common(tpm, session, command)
    name = tpm.entity(command.auth_handle).name
    _update(tpm, session, TPM_CC.PolicySecret, name, command.policy_ref, command.cp_hash_a, timeout)
    hierarchy = getattr(tpm.entity(command.auth_handle), "hierarchy", command.auth_handle)
    return PolicySecret.Response(*_ticket(tpm, session, TPM_ST.AUTH_SECRET, hierarchy, command, name, sent))


def _check_signature(key: KeyedObject, message: bytes, signature: TPMT_SIGNATURE) -> None:
    """Raises Refusal unless the key's signature of a message is valid."""
    value = signature.signature
    alg = getattr(value, "hash", None) or getattr(value, "hash_alg", None)
    pure = signature.sig_alg == TPM_ALG.MLDSA  # ML-DSA signs the message, not a digest
    require((alg is not None or pure) and signature.sig_alg != TPM_ALG.ECDAA, TPM_RC.SCHEME, "auth")
    with at_field("auth"):
        if pure:
            require(key.public.type == TPM_ALG.MLDSA, TPM_RC.SCHEME)
            require(verify_message(key, TPM_ALG.NULL, message, signature, b""), TPM_RC.SIGNATURE)
        else:
            require(verify_signature(key, digest(int(alg or 0), message), signature), TPM_RC.SIGNATURE)


@handles(PolicySigned)
def policy_signed(tpm: TpmState, command: PolicySigned) -> PolicySigned.Response:
    """Requires a key's signature of nonceTPM || expiration || cpHashA || policyRef (TPM2_PolicySigned)."""
    session = _session(tpm, command)
    timeout, sent = _signed_common(tpm, session, command)
    key = tpm.key(command.auth_object)
    if not session.trial:
        expiration = command.expiration.to_bytes(4, "big")
        signed = command.nonce_tpm + expiration + command.cp_hash_a + command.policy_ref
        _check_signature(key, signed, command.auth)
    _update(tpm, session, TPM_CC.PolicySigned, key.name, command.policy_ref, command.cp_hash_a, timeout)
    return PolicySigned.Response(
        *_ticket(tpm, session, TPM_ST.AUTH_SIGNED, key.hierarchy, command, key.name, sent)
    )


def _ticket(
    tpm: TpmState,
    session: SoftSession,
    tag: TPM_ST,
    hierarchy: int,
    command: PolicySigned | PolicySecret,
    name: bytes,
    timeout: bytes,
) -> tuple[bytes, TPMT_TK_AUTH]:
    """Returns (timeout, ticket); both are empty unless the expiration is negative (Part 3, §23.2.5)."""
    if session.trial or not command.expiration & SIGN_BIT:
        return b"", TPMT_TK_AUTH(tag, TPM_RH.NULL, b"")
    proof = _ticket_digest(tpm, hierarchy, tag, timeout, command.cp_hash_a, command.policy_ref, name)
    return timeout, TPMT_TK_AUTH(tag, hierarchy, proof)


def _ticket_digest(
    tpm: TpmState, hierarchy: int, tag: TPM_ST, timeout: bytes, cp_hash: bytes, policy_ref: bytes, name: bytes
) -> bytes:
    epoch = tpm.total_resets.to_bytes(8, "big")
    return ticket_digest(tpm, hierarchy, tag, timeout, epoch, cp_hash, policy_ref, name)


@handles(PolicyTicket)
def policy_ticket(tpm: TpmState, command: PolicyTicket) -> None:
    """Accepts a ticket instead of a signature or an authValue (TPM2_PolicyTicket)."""
    session = _session(tpm, command)
    require(not session.trial, TPM_RC.ATTRIBUTES, "policy_session")
    require(len(command.timeout) == 8, TPM_RC.SIZE, "timeout")
    if command.cp_hash_a:
        require(len(command.cp_hash_a) == digest_size(session.auth_hash), TPM_RC.SIZE, "cp_hash_a")
        _check_no_other_hash(session, command.cp_hash_a)
    ticket = command.ticket
    proof = _ticket_digest(
        tpm,
        ticket.hierarchy,
        ticket.tag,
        command.timeout,
        command.cp_hash_a,
        command.policy_ref,
        command.auth_name,
    )
    require(equal(proof, ticket.digest), TPM_RC.TICKET, "ticket")
    timeout = int.from_bytes(command.timeout, "big") & ~(1 << 63)
    require(timeout > tpm.time, TPM_RC.EXPIRED, "timeout")
    code = TPM_CC.PolicySigned if ticket.tag == TPM_ST.AUTH_SIGNED else TPM_CC.PolicySecret
    _update(tpm, session, code, command.auth_name, command.policy_ref, command.cp_hash_a, timeout)


@handles(PolicyAuthorize)
def policy_authorize(tpm: TpmState, command: PolicyAuthorize) -> None:
    """Replaces an approved policyDigest with a digest of the key's Name and policyRef (TPM2_PolicyAuthorize)."""
    session = _session(tpm, command)
    alg = int.from_bytes(command.key_sign[:2], "big")
    require(alg in HASHES, TPM_RC.HASH, "key_sign")
    require(len(command.key_sign) == 2 + digest_size(alg), TPM_RC.SIZE, "key_sign")
    if not session.trial:
        require(command.approved_policy == session.policy.digest, TPM_RC.VALUE, "approved_policy")
        ticket = command.check_ticket
        require(ticket.hierarchy in tpm.hierarchies, TPM_RC.VALUE, "check_ticket")
        verified, metadata = command.approved_policy + command.policy_ref, b""
        if ticket.tag == TPM_ST.DIGEST_VERIFIED and ticket.metadata in HASHES:
            verified, metadata = digest(ticket.metadata, verified), ticket.metadata.to_bytes(2, "big")
        elif ticket.tag != TPM_ST.MESSAGE_VERIFIED:
            verified = digest(alg, verified)
        ours = ticket_digest(tpm, ticket.hierarchy, ticket.tag, verified, command.key_sign, metadata)
        require(equal(ours, ticket.hmac), TPM_RC.VALUE, "check_ticket")
    session.policy.digest = bytes(digest_size(session.auth_hash))
    _extend(tpm, session, TPM_CC.PolicyAuthorize, command.key_sign)
    _hash_digest(session, command.policy_ref)


@handles(PolicyCounterTimer)
def policy_counter_timer(tpm: TpmState, command: PolicyCounterTimer) -> None:
    """Requires that a comparison of part of TPMS_TIME_INFO with an operand is true (TPM2_PolicyCounterTimer)."""
    session = _session(tpm, command)
    data = time_info(tpm).build()
    size = len(command.operand_b)
    require(command.offset <= len(data), TPM_RC.VALUE, "offset")
    require(command.offset + size <= len(data), TPM_RC.RANGE)
    if not session.trial:
        part = data[command.offset : command.offset + size]
        if not holds(part, command.operand_b, command.operation):
            raise Refusal(TPM_RC.POLICY)
    args = _arguments(session, command)
    _extend(tpm, session, TPM_CC.PolicyCounterTimer, args)


@handles(PolicyNV)
def policy_nv(tpm: TpmState, command: PolicyNV) -> None:
    """Requires that a comparison of part of an NV index with an operand is true (TPM2_PolicyNV)."""
    session = _session(tpm, command)
    index = tpm.indices[command.nv_index]
    size = len(command.operand_b)
    if not session.trial:
        check_read(tpm, command.auth_handle, command.nv_index)
        require(command.offset <= index.public.data_size, TPM_RC.VALUE, "offset")
        require(command.offset + size <= index.public.data_size, TPM_RC.SIZE, "operand_b")
        part = index.data[command.offset : command.offset + size]
        if not holds(part, command.operand_b, command.operation):
            raise Refusal(TPM_RC.POLICY)
    args = _arguments(session, command)
    _extend(tpm, session, TPM_CC.PolicyNV, args, index.name)


@handles(PolicyAuthorizeNV)
def policy_authorize_nv(tpm: TpmState, command: PolicyAuthorizeNV) -> None:
    """Replaces a policyDigest that an NV index contains with the digest of that index (TPM2_PolicyAuthorizeNV)."""
    session = _session(tpm, command)
    index = tpm.indices[command.nv_index]
    if not session.trial:
        check_read(tpm, command.auth_handle, command.nv_index)
        alg, value = int.from_bytes(index.data[:2], "big"), index.data[2:]
        require(alg == session.auth_hash, TPM_RC.HASH)
        if value[: digest_size(session.auth_hash)] != session.policy.digest:
            raise Refusal(TPM_RC.VALUE)
    session.policy.digest = bytes(digest_size(session.auth_hash))
    _extend(tpm, session, TPM_CC.PolicyAuthorizeNV, index.name)


def _arguments(session: SoftSession, command: PolicyNV | PolicyCounterTimer) -> bytes:
    """Returns H(operandB || offset || operation), a part of policyDigest."""
    return digest(
        session.auth_hash,
        command.operand_b,
        command.offset.to_bytes(2, "big"),
        command.operation.to_bytes(2, "big"),
    )
