"""TPM 2.0 Part 3, §18: attestation. The signed structure is `..attestation.TPMS_ATTEST`."""

from typing import Annotated

from ...record import Record
from ...wires import Sized
from ..command import ADMIN, HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_ATTEST,
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPMI_DH_OBJECT,
    TPMI_RH_ENDORSEMENT,
    TPMI_SH_HMAC,
    TPML_PCR_SELECTION,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_CREATION,
)


class Certify(Command, code=TPM_CC.Certify, spec="Part 3 §18.2"):
    """Returns a signed statement that an object is loaded in the TPM."""

    object_handle: Annotated[TPMI_DH_OBJECT, ADMIN]
    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME

    class Response(Record):
        certify_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class CertifyCreation(Command, code=TPM_CC.CertifyCreation, spec="Part 3 §18.3"):
    """Returns a signed statement about the creation of an object."""

    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    object_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    qualifying_data: TPM2B_DATA
    creation_hash: TPM2B_DIGEST
    in_scheme: TPMT_SIG_SCHEME
    creation_ticket: TPMT_TK_CREATION

    class Response(Record):
        certify_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class Quote(Command, code=TPM_CC.Quote, spec="Part 3 §18.4"):
    """Returns a signed statement of PCR values."""

    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME
    pcr_select: TPML_PCR_SELECTION

    class Response(Record):
        quoted: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class GetSessionAuditDigest(Command, code=TPM_CC.GetSessionAuditDigest, spec="Part 3 §18.5"):
    """Returns a signed statement of the digest of an audit session."""

    privacy_admin_handle: Annotated[TPMI_RH_ENDORSEMENT, USER]
    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    session_handle: Annotated[TPMI_SH_HMAC, HANDLE]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME

    class Response(Record):
        audit_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class GetCommandAuditDigest(Command, code=TPM_CC.GetCommandAuditDigest, spec="Part 3 §18.6"):
    """Returns a signed statement of the digest of audited commands."""

    privacy_handle: Annotated[TPMI_RH_ENDORSEMENT, USER]
    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME

    class Response(Record):
        audit_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class GetTime(Command, code=TPM_CC.GetTime, spec="Part 3 §18.7"):
    """Returns a signed statement of time and clock."""

    privacy_admin_handle: Annotated[TPMI_RH_ENDORSEMENT, USER]
    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME

    class Response(Record):
        time_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class CertifyX509(Command, code=TPM_CC.CertifyX509, spec="Part 3 §18.8"):
    """Completes and signs an X.509 certificate for an object."""

    object_handle: Annotated[TPMI_DH_OBJECT, ADMIN]
    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    reserved: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME
    partial_certificate: Annotated[bytes, Sized()]

    class Response(Record):
        added_to_certificate: Annotated[bytes, Sized()]
        tbs_digest: TPM2B_DIGEST
        signature: TPMT_SIGNATURE
