"""TPM 2.0 Part 2, §10.11 and §10.12: time, and attestation structures that a TPM signs."""

from typing import Annotated

from ..record import Record, UnionOf, declare
from ..wires import Number, Sized, select
from .constants import TPM_ST
from .structures import (
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM_ALG_ID,
    TPMI_YES_NO,
    TPML_PCR_SELECTION,
    UINT16,
    UINT32,
    UINT64,
)


# §10.11: time
class TPMS_CLOCK_INFO(Record):
    """The TPM's clock in milliseconds, counts of resets and restarts, and whether the clock is safe (§10.11.1)."""

    clock: UINT64
    reset_count: UINT32
    restart_count: UINT32
    safe: TPMI_YES_NO


class TPMS_TIME_INFO(Record):
    """Time since the last start, in milliseconds, and the clock (§10.11.6)."""

    time: UINT64
    clock_info: TPMS_CLOCK_INFO


# §10.12: attestation
class TPMS_TIME_ATTEST_INFO(Record):
    """Attested data of TPM2_GetTime (§10.12.2)."""

    time: TPMS_TIME_INFO
    firmware_version: UINT64


class TPMS_CERTIFY_INFO(Record):
    """Attested data of TPM2_Certify (§10.12.3)."""

    name: TPM2B_NAME
    qualified_name: TPM2B_NAME


class TPMS_QUOTE_INFO(Record):
    """Attested data of TPM2_Quote (§10.12.4)."""

    pcr_select: TPML_PCR_SELECTION
    pcr_digest: TPM2B_DIGEST


class TPMS_COMMAND_AUDIT_INFO(Record):
    """Attested data of TPM2_GetCommandAuditDigest (§10.12.5)."""

    audit_counter: UINT64
    digest_alg: TPM_ALG_ID
    audit_digest: TPM2B_DIGEST
    command_digest: TPM2B_DIGEST


class TPMS_SESSION_AUDIT_INFO(Record):
    """Attested data of TPM2_GetSessionAuditDigest (§10.12.6)."""

    exclusive_session: TPMI_YES_NO
    session_digest: TPM2B_DIGEST


class TPMS_CREATION_INFO(Record):
    """Attested data of TPM2_CertifyCreation (§10.12.7)."""

    object_name: TPM2B_NAME
    creation_hash: TPM2B_DIGEST


class TPMS_NV_CERTIFY_INFO(Record):
    """Attested data of TPM2_NV_Certify (§10.12.8)."""

    index_name: TPM2B_NAME
    offset: UINT16
    nv_contents: Annotated[bytes, Sized()]


class TPMS_NV_DIGEST_CERTIFY_INFO(Record):
    """Attested data of TPM2_NV_Certify with size and offset 0 (§10.12.9)."""

    index_name: TPM2B_NAME
    nv_digest: TPM2B_DIGEST


TPMI_ST_ATTEST = Annotated[TPM_ST, Number(2, TPM_ST)]
TPMU_ATTEST_TYPE = (
    TPMS_TIME_ATTEST_INFO
    | TPMS_CERTIFY_INFO
    | TPMS_QUOTE_INFO
    | TPMS_COMMAND_AUDIT_INFO
    | TPMS_SESSION_AUDIT_INFO
    | TPMS_CREATION_INFO
    | TPMS_NV_CERTIFY_INFO
    | TPMS_NV_DIGEST_CERTIFY_INFO
)
TPMU_ATTEST = {
    TPM_ST.ATTEST_CERTIFY: TPMS_CERTIFY_INFO,
    TPM_ST.ATTEST_CREATION: TPMS_CREATION_INFO,
    TPM_ST.ATTEST_QUOTE: TPMS_QUOTE_INFO,
    TPM_ST.ATTEST_COMMAND_AUDIT: TPMS_COMMAND_AUDIT_INFO,
    TPM_ST.ATTEST_SESSION_AUDIT: TPMS_SESSION_AUDIT_INFO,
    TPM_ST.ATTEST_TIME: TPMS_TIME_ATTEST_INFO,
    TPM_ST.ATTEST_NV: TPMS_NV_CERTIFY_INFO,
    TPM_ST.ATTEST_NV_DIGEST: TPMS_NV_DIGEST_CERTIFY_INFO,
}


class TPMS_ATTEST(Record):
    """The structure that a TPM signs (§10.12.12). A TPM never signs external data that start with its `magic`."""

    magic: Annotated[int, Number(4)]
    type: TPMI_ST_ATTEST
    qualified_signer: TPM2B_NAME
    extra_data: TPM2B_DATA
    clock_info: TPMS_CLOCK_INFO
    firmware_version: UINT64
    attested: Annotated[UnionOf[TPMU_ATTEST_TYPE, "TPMU_ATTEST_MEMBERS"], select("type", TPMU_ATTEST)]


TYPE_CHECKING = False
if TYPE_CHECKING:

    class TPMU_ATTEST_MEMBERS(
        TPMS_TIME_ATTEST_INFO,
        TPMS_CERTIFY_INFO,
        TPMS_QUOTE_INFO,
        TPMS_COMMAND_AUDIT_INFO,
        TPMS_SESSION_AUDIT_INFO,
        TPMS_CREATION_INFO,
        TPMS_NV_CERTIFY_INFO,
        TPMS_NV_DIGEST_CERTIFY_INFO,
    ):
        """A member of TPMU_ATTEST."""


declare(globals())
