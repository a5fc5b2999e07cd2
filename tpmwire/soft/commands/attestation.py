"""Soft TPM: attestation commands (Part 3, §18)."""

from typing import Any

from ...crypto.formulas import digest, equal
from ...spec.attestation import (
    TPMS_ATTEST,
    TPMS_CERTIFY_INFO,
    TPMS_CLOCK_INFO,
    TPMS_COMMAND_AUDIT_INFO,
    TPMS_CREATION_INFO,
    TPMS_NV_CERTIFY_INFO,
    TPMS_NV_DIGEST_CERTIFY_INFO,
    TPMS_QUOTE_INFO,
    TPMS_SESSION_AUDIT_INFO,
    TPMS_TIME_ATTEST_INFO,
)
from ...spec.commands.attestation import (
    Certify,
    CertifyCreation,
    CertifyX509,
    GetCommandAuditDigest,
    GetSessionAuditDigest,
    GetTime,
    Quote,
)
from ...spec.commands.nv import NV_Certify
from ...spec.constants import TPM_ALG, TPM_GENERATED_VALUE, TPM_RH, TPM_ST, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_SIG_SCHEME, TPMT_SIGNATURE
from .. import x509
from ..creation import at_field
from ..entities import KeyedObject
from ..refusal import Refusal, require
from ..registry import handles
from ..signing import choose_scheme, sign_digest, sign_message
from ..tickets import creation_ticket
from ..tpm_state import TpmState
from .clock import clock_info, time_info
from .nv import check_read

FIRMWARE = 1
"""TPM_PT_FIRMWARE_VERSION_1 and 2 as one number."""


def _signer(tpm: TpmState, handle: int, scheme: TPMT_SIG_SCHEME) -> tuple[KeyedObject | None, int, int]:
    """Returns (key, scheme, hash algorithm) of the signer; the key is None for TPM_RH_NULL (no signature)."""
    if handle == TPM_RH.NULL:
        return None, TPM_ALG.NULL, TPM_ALG.NULL
    key = tpm.key(handle)
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT) and key.public.type != TPM_ALG.SYMCIPHER, TPM_RC.KEY, "sign_handle")
    require(not key.has(TPMA_OBJECT.X509_SIGN), TPM_RC.ATTRIBUTES, "sign_handle")
    return (key, *choose_scheme(key, scheme))


def _obscured(tpm: TpmState, key: KeyedObject) -> tuple[TPMS_CLOCK_INFO, int]:
    """Returns (clock info, firmware version) for an attestation by `key`.

    For a key outside the endorsement and platform hierarchies, the reset and restart counts and the firmware
    version are obfuscated, so that two keys cannot be linked to one TPM (Part 1, §36.7).
    """
    info, version = clock_info(tpm), FIRMWARE
    if key.hierarchy in (TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM):
        return info, version
    mask = digest(TPM_ALG.SHA512, tpm.proof(TPM_RH.OWNER), b"OBFUSCATE", key.qualified_name)
    return (
        info.replace(
            reset_count=(info.reset_count + int.from_bytes(mask[8:12], "big")) & 0xFFFFFFFF,
            restart_count=(info.restart_count + int.from_bytes(mask[12:16], "big")) & 0xFFFFFFFF,
        ),
        (version + int.from_bytes(mask[:8], "big")) & 0xFFFFFFFFFFFFFFFF,
    )


def _attest(tpm: TpmState, command: Any, tag: TPM_ST, attested: Any) -> tuple[bytes, TPMT_SIGNATURE]:
    """Returns (marshaled TPMS_ATTEST that contains `attested`, its signature)."""
    key, scheme, alg = _signer(tpm, command.sign_handle, command.in_scheme)
    info, version = (clock_info(tpm), FIRMWARE) if key is None else _obscured(tpm, key)
    name = TPM_RH.NULL.to_bytes(4, "big") if key is None else key.qualified_name
    extra = command.qualifying_data
    if scheme == TPM_ALG.ECDAA:  # An anonymous signature identifies nobody, and signs H(extraData || H(data)).
        name = extra = b""
    data = TPMS_ATTEST(TPM_GENERATED_VALUE, tag, name, extra, info, version, attested).build()
    if key is None:
        return data, TPMT_SIGNATURE(TPM_ALG.NULL)
    if scheme == TPM_ALG.ECDAA:
        hashed, count = digest(alg, data), command.in_scheme.details.count
        if command.qualifying_data:
            hashed = digest(alg, command.qualifying_data, hashed)
        return data, sign_digest(tpm, key, scheme, alg, hashed, count=count)
    return data, sign_message(tpm, key, scheme, alg, data)


@handles(Certify)
def certify(tpm: TpmState, command: Certify) -> Certify.Response:
    """Attests that an object is loaded (TPM2_Certify)."""
    found = tpm.key(command.object_handle)
    anonymous = command.in_scheme.scheme == TPM_ALG.ECDAA and command.sign_handle != TPM_RH.NULL
    info = TPMS_CERTIFY_INFO(found.name, b"" if anonymous else found.qualified_name)
    return Certify.Response(*_attest(tpm, command, TPM_ST.ATTEST_CERTIFY, info))


@handles(CertifyCreation)
def certify_creation(tpm: TpmState, command: CertifyCreation) -> CertifyCreation.Response:
    """Attests the creation data of an object, if the creation ticket is valid (TPM2_CertifyCreation)."""
    found, ticket = tpm.key(command.object_handle), command.creation_ticket
    _signer(tpm, command.sign_handle, command.in_scheme)
    if ticket.hierarchy not in tpm.hierarchies:
        raise Refusal(TPM_RC.TICKET, "creation_ticket")
    ours = creation_ticket(tpm, ticket.hierarchy, found.name, command.creation_hash)
    require(equal(ours.digest, ticket.digest), TPM_RC.TICKET, "creation_ticket")
    info = TPMS_CREATION_INFO(found.name, command.creation_hash)
    return CertifyCreation.Response(*_attest(tpm, command, TPM_ST.ATTEST_CREATION, info))


@handles(Quote)
def quote(tpm: TpmState, command: Quote) -> Quote.Response:
    """Attests the digest of the selected PCR values (TPM2_Quote)."""
    _, _, alg = _signer(tpm, command.sign_handle, command.in_scheme)
    require(alg != TPM_ALG.NULL, TPM_RC.SCHEME, "in_scheme")
    selection = tpm.pcrs.filtered(command.pcr_select)
    hashed = tpm.pcrs.digest(alg, command.pcr_select)
    return Quote.Response(*_attest(tpm, command, TPM_ST.ATTEST_QUOTE, TPMS_QUOTE_INFO(selection, hashed)))


@handles(GetTime)
def get_time(tpm: TpmState, command: GetTime) -> GetTime.Response:
    """Attests the TPM's time, clock and firmware version, which are in plain text for every key (TPM2_GetTime)."""
    attested = TPMS_TIME_ATTEST_INFO(time_info(tpm), FIRMWARE)
    return GetTime.Response(*_attest(tpm, command, TPM_ST.ATTEST_TIME, attested))


@handles(GetSessionAuditDigest)
def get_session_audit_digest(tpm: TpmState, command: GetSessionAuditDigest) -> GetSessionAuditDigest.Response:
    """Attests the audit digest of a session (TPM2_GetSessionAuditDigest)."""
    session = tpm.sessions[command.session_handle]
    require(session.audit_digest, TPM_RC.TYPE, "session_handle")
    exclusive = tpm.exclusive_session == session.handle
    info = TPMS_SESSION_AUDIT_INFO(exclusive, session.audit_digest)
    return GetSessionAuditDigest.Response(*_attest(tpm, command, TPM_ST.ATTEST_SESSION_AUDIT, info))


@handles(GetCommandAuditDigest)
def get_command_audit_digest(tpm: TpmState, command: GetCommandAuditDigest) -> GetCommandAuditDigest.Response:
    """Attests the command audit digest, and resets it if there is a signing key (TPM2_GetCommandAuditDigest)."""
    codes = b"".join(code.to_bytes(4, "big") for code in sorted(tpm.audit_commands))
    info = TPMS_COMMAND_AUDIT_INFO(
        tpm.audit_counter, TPM_ALG(tpm.audit_alg), tpm.audit_digest, digest(tpm.audit_alg, codes)
    )
    made = _attest(tpm, command, TPM_ST.ATTEST_COMMAND_AUDIT, info)
    if command.sign_handle != TPM_RH.NULL:
        tpm.audit_digest = b""
    return GetCommandAuditDigest.Response(*made)


@handles(NV_Certify)
def nv_certify(tpm: TpmState, command: NV_Certify) -> NV_Certify.Response:
    """Attests the contents of an NV index, or their digest if size and offset are 0 (TPM2_NV_Certify)."""
    _, _, alg = _signer(tpm, command.sign_handle, command.in_scheme)
    index = check_read(tpm, command.auth_handle, command.nv_index)
    attested: Any
    if not command.size and not command.offset:
        tag = TPM_ST.ATTEST_NV_DIGEST
        hashed = b"" if alg == TPM_ALG.NULL else digest(alg, index.data)
        attested = TPMS_NV_DIGEST_CERTIFY_INFO(index.name, hashed)
    else:
        if command.offset + command.size > index.public.data_size:
            raise Refusal(TPM_RC.NV_RANGE)
        require(command.size <= 1024, TPM_RC.VALUE, "size")
        tag = TPM_ST.ATTEST_NV
        part = index.data[command.offset : command.offset + command.size]
        attested = TPMS_NV_CERTIFY_INFO(index.name, command.offset, part)
    return NV_Certify.Response(*_attest(tpm, command, tag, attested))


SERIAL_SIZE = 20
"""Maximum size of a serial number in bytes."""


@handles(CertifyX509)
def certify_x509(tpm: TpmState, command: CertifyX509) -> CertifyX509.Response:
    """Completes an X.509 certificate for an object, and signs it (TPM2_CertifyX509)."""
    found, key = tpm.key(command.object_handle), tpm.key(command.sign_handle)
    require(not command.reserved, TPM_RC.SIZE, "reserved")
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT) and key.public.type != TPM_ALG.SYMCIPHER, TPM_RC.KEY, "sign_handle")
    scheme, alg = choose_scheme(key, command.in_scheme)
    subject_key = x509.encode_public_key(found.public)
    if subject_key is None:
        raise Refusal(TPM_RC.ASYMMETRIC, "object_handle")
    with at_field("partial_certificate"):
        given, extensions = x509.split_certificate(command.partial_certificate)
    algorithm: bytes | None = b""
    if len(given) == 3:
        algorithm = x509.encode_algorithm(key.public, scheme, TPM_ALG(alg))
    if algorithm is None:
        raise Refusal(TPM_RC.SCHEME, "sign_handle")
    try:
        x509.check_extensions(extensions, found.public.object_attributes)
    except Refusal as refusal:
        wrong = refusal.code == TPM_RC.ATTRIBUTES
        raise Refusal(refusal.code, "object_handle" if wrong else "partial_certificate") from None
    rest = algorithm + b"".join(given) + subject_key + extensions
    serial = digest(key.public.name_alg, rest, key.name, found.name)[:SERIAL_SIZE]
    number = x509.encode_number(int.from_bytes(serial, "big"))
    hashed = digest(alg, x509.encode(x509.SEQUENCE, x509.VERSION, number, rest))
    added = x509.encode(x509.SEQUENCE, x509.VERSION, number, algorithm, subject_key)
    count = getattr(command.in_scheme.details, "count", 0)
    return CertifyX509.Response(added, hashed, sign_digest(tpm, key, scheme, alg, hashed, count=count))
