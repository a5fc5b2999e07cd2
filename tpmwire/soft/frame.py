"""Executes commands on a soft TPM: header, handles, authorizations, parameters, handler, response (Part 3, §5)."""

import io

from ..crypto.formulas import cp_hash, digest, digest_size, rp_hash
from ..errors import DecodeError, EncodeError
from ..record import Record
from ..spec.command import Command, command_class
from ..spec.constants import TPM_CC, TPM_HT, TPM_RH, TPM_ST, TPMA_SESSION
from ..spec.response_codes import TPM_RC
from ..spec.response_texts import explain
from ..spec.structures import TPMS_AUTH_COMMAND
from ..wire import HEADER_SIZE, first_parameter, split
from .authorization import Authorizations
from .changes import report_changes, take_snapshot
from .observer import joined, note, observed_by, show_handle
from .refusal import Refusal
from .registry import HANDLERS
from .tpm_state import ALGORITHM_CHANGED, TpmState
from .unmarshal import read_handles, read_parameters

__all__ = ["execute"]

SMALLEST_AUTHORIZATION = 9
ORDERLY = frozenset(
    (
        TPM_CC.Startup,
        TPM_CC.Shutdown,
        TPM_CC.GetCapability,
        TPM_CC.GetRandom,
        TPM_CC.GetTestResult,
        TPM_CC.Hash,
        TPM_CC.NV_Read,
        TPM_CC.NV_ReadPublic,
        TPM_CC.PCR_Read,
        TPM_CC.ReadClock,
        TPM_CC.ReadPublic,
        TPM_CC.SelfTest,
        TPM_CC.TestParms,
    )
)
"""Commands after which the state that TPM2_Shutdown saved is still valid (Part 3, §9.4)."""


def execute(tpm: TpmState, data: bytes) -> bytes:
    """Returns the response to the marshaled command `data`. An invalid command gets an error response."""
    if tpm.observe is None:
        return _execute(tpm, data)
    with observed_by(tpm.observe, tpm.show_secrets):
        before = take_snapshot(tpm)
        response = _execute(tpm, data)
        report_changes(before, take_snapshot(tpm))
        rc = int.from_bytes(response[6:10], "big")
        note("response", f"{len(response)} bytes, {explain(rc).name}")
        return response


def _execute(tpm: TpmState, data: bytes) -> bytes:
    kind: type[Command] | None = None
    tag = TPM_ST.NO_SESSIONS
    try:
        _simulate_retry(tpm)
        tag, kind, stream = _read_header(tpm, data)
        return _run(tpm, tag, kind, stream)
    except Refusal as refusal:
        rc = refusal.rc(kind)
        note("refused", _describe(rc, refusal))
        return _header(TPM_ST.NO_SESSIONS, b"", rc)


def _simulate_retry(tpm: TpmState) -> None:
    """Raises Refusal with TPM_RC_RETRY for the first `faults.retry` attempts of each command."""
    if tpm.started and tpm.retries < tpm.faults.retry:
        tpm.retries += 1
        raise Refusal(TPM_RC.RETRY)
    tpm.retries = 0


def _describe(rc: int, refusal: Refusal) -> str:
    """Returns a response code with its meaning, and the handle, parameter or session that it blames."""
    meaning = explain(rc)
    blamed = [("handle", meaning.handle), ("parameter", meaning.parameter), ("session", meaning.session)]
    where = "".join(f", {name} {number}" for name, number in blamed if number)
    named = f" ({refusal.field})" if refusal.field else ""
    return f"0x{rc:03x} {meaning.name}{where}{named}: {refusal.reason or meaning.description}"


def _header(tag: int, body: bytes, code: int) -> bytes:
    return tag.to_bytes(2, "big") + (HEADER_SIZE + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body


def _read_header(tpm: TpmState, data: bytes) -> tuple[TPM_ST, type[Command], io.BytesIO]:
    """Returns (tag, command class, stream of the bytes after the header) (Part 3, §5.2 and §5.3)."""
    if len(data) < HEADER_SIZE:
        raise Refusal(TPM_RC.COMMAND_SIZE)
    tag = TPM_ST(int.from_bytes(data[:2], "big"))
    if tag not in (TPM_ST.NO_SESSIONS, TPM_ST.SESSIONS):
        raise Refusal(TPM_RC.BAD_TAG if tag.known else TPM_RC.VALUE)
    if int.from_bytes(data[2:6], "big") != len(data):
        raise Refusal(TPM_RC.COMMAND_SIZE)
    code = int.from_bytes(data[6:10], "big")
    kind = command_class(code)
    if kind is None or code not in HANDLERS or code in tpm.faults.missing_commands:
        raise Refusal(TPM_RC.COMMAND_CODE)
    if not tpm.started and code != TPM_CC.Startup:
        raise Refusal(TPM_RC.INITIALIZE)
    note("command", f"TPM2_{kind.__name__}")
    return tag, kind, io.BytesIO(data[HEADER_SIZE:])


def _run(tpm: TpmState, tag: TPM_ST, kind: type[Command], stream: io.BytesIO) -> bytes:
    handles = read_handles(kind, stream)
    for number, handle in enumerate(handles, 1):
        _check_loaded(tpm, number, handle)
    sent = _read_authorizations(tag, kind, stream)
    auths = Authorizations(tpm, kind, handles, sent)
    for handle, name in zip(handles, auths.names, strict=True):
        note("handle", f"{show_handle(handle)}: Name {name.hex() or 'empty'}")
    parameters = stream.read()
    _check_encrypting(auths, kind)
    auths.check(parameters)
    audit = auths.find(TPMA_SESSION.AUDIT)
    if audit is not None and audit.session is not None:
        auths.audited = auths.cp_hash(audit.session, parameters)
    command = read_parameters(kind, handles, auths.decrypted(parameters))
    tpm.faults.check(command)
    if kind.code not in ORDERLY:
        tpm.orderly = None
    response = HANDLERS[kind.code](tpm, command)
    if kind.sessions:
        _end_exclusive(tpm, auths)
    return _respond(tpm, tag, kind, response, auths, parameters)


def _check_loaded(tpm: TpmState, number: int, handle: int) -> None:
    """Raises Refusal unless the entity with this handle exists and its hierarchy is enabled (Part 3, §5.4).

    `number` is the handle's number in the command, from 1.
    """
    kind = handle >> 24
    if handle == TPM_RH.NULL:
        return
    if kind in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION):
        if handle not in tpm.sessions:
            raise Refusal(TPM_RC(TPM_RC.REFERENCE_H0 + number - 1))
        return
    try:
        entity = tpm.entity(handle)
    except KeyError:
        if kind == TPM_HT.TRANSIENT:
            raise Refusal(TPM_RC(TPM_RC.REFERENCE_H0 + number - 1)) from None
        raise Refusal(TPM_RC.HANDLE, handle=number) from None
    hierarchy = getattr(entity, "hierarchy", handle)
    owner = tpm.hierarchies.get(hierarchy)
    if owner is not None and not owner.enabled:
        raise Refusal(TPM_RC.HIERARCHY if handle == hierarchy else TPM_RC.HANDLE, handle=number)


def _read_authorizations(tag: TPM_ST, kind: type[Command], stream: io.BytesIO) -> list[TPMS_AUTH_COMMAND]:
    if tag == TPM_ST.NO_SESSIONS:
        if any(role.authorized for _, role in kind.handle_fields()):
            raise Refusal(TPM_RC.AUTH_MISSING)
        return []
    if not kind.sessions:
        raise Refusal(TPM_RC.AUTH_CONTEXT)
    size = int.from_bytes(stream.read(4), "big")
    area = stream.read(size)
    if size < SMALLEST_AUTHORIZATION or len(area) != size:
        raise Refusal(TPM_RC.SIZE)
    inner = io.BytesIO(area)
    sent: list[TPMS_AUTH_COMMAND] = []
    while inner.tell() < size:
        if len(sent) == 3:
            raise Refusal(TPM_RC.AUTHSIZE)
        try:
            sent.append(TPMS_AUTH_COMMAND.wire()._parse(inner, {}, ""))
        except DecodeError as error:
            raise Refusal(TPM_RC.INSUFFICIENT, session=len(sent) + 1) from error
    return sent


def _check_encrypting(auths: Authorizations, kind: type[Command]) -> None:
    """Raises Refusal if a session for encryption has no cipher, or if the first parameter is not a TPM2B.

    Source: Part 1, §21.
    """
    for attribute, record in ((TPMA_SESSION.DECRYPT, kind), (TPMA_SESSION.ENCRYPT, kind.Response)):
        one = auths.find(attribute)
        if one is None or one.session is None:
            continue
        if first_parameter(record) is None:
            raise one.refused(TPM_RC.ATTRIBUTES)
        if one.session.symmetric.mode is None and one.session.symmetric.key_bits is None:
            raise one.refused(TPM_RC.SYMMETRIC)


def _end_exclusive(tpm: TpmState, auths: Authorizations) -> None:
    """Ends the exclusive status of the current audit session unless this command uses that session.

    Commands without sessions, such as TPM2_ContextSave, do not end it. Source: Part 1, §32.
    """
    audit = auths.find(TPMA_SESSION.AUDIT)
    if audit is None or audit.session is None or audit.session.handle != tpm.exclusive_session:
        tpm.exclusive_session = 0


def _audit(tpm: TpmState, kind: type[Command], names: list[bytes], sent: bytes, returned: bytes) -> None:
    """Extends the command audit digest if the command is audited (Part 1, §34).

    `sent` contains the parameters of the command, `returned` those of the response.
    """
    if kind.code not in tpm.audit_commands:
        return
    if tpm.audit_digest == ALGORITHM_CHANGED:
        tpm.audit_digest = b""
        return
    if not tpm.audit_digest:
        tpm.audit_counter += 1
        tpm.audit_digest = bytes(digest_size(tpm.audit_alg))
    hashed = cp_hash(tpm.audit_alg, kind.code, names, sent), rp_hash(tpm.audit_alg, kind.code, returned)
    parts = [tpm.audit_digest, *hashed]
    tpm.audit_digest = digest(tpm.audit_alg, *parts)
    note("command audit", f"H(digest || cpHash || rpHash) = H({joined(parts)}) = {tpm.audit_digest.hex()}")


def _respond(
    tpm: TpmState,
    tag: TPM_ST,
    kind: type[Command],
    response: Record | None,
    auths: Authorizations,
    sent: bytes,
) -> bytes:
    """Returns the marshaled response to a command. `sent` contains the command's parameters."""
    try:
        area = split(response if response is not None else kind.Response())
    except EncodeError as error:
        raise AssertionError(f"the handler of {kind.__name__} returned an impossible response: {error}") from error
    body = b"".join(handle.to_bytes(4, "big") for handle in area.handles)
    parameters = area.parameters
    _audit(tpm, kind, auths.names, sent, parameters)
    if tag == TPM_ST.SESSIONS:
        parameters, answered = auths.answer(parameters)
        body += len(parameters).to_bytes(4, "big") + parameters + b"".join(auth.build() for auth in answered)
    else:
        body += parameters
    return _header(tag, body, 0)
