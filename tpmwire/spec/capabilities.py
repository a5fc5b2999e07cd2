"""TPM 2.0 Part 2, §10.8 to §10.10: capabilities, the contents of TPM2_GetCapability's response."""

from typing import Annotated

from ..record import ListOf, OneOf, Record, declare
from ..wires import Counted, Number, Rest, Sized, SizedRecord, select
from .constants import TPM_ECC
from .properties import TPM_CAP, TPM_PT, TPM_PT_PCR, TPMA_ACT, TPMA_ALGORITHM, TPMA_CC
from .structures import (
    TPM2B_NAME,
    TPM2B_PUBLIC,
    TPM_ALG_ID,
    TPM_ECC_CURVE,
    TPM_HANDLE,
    TPML_CC,
    TPML_HANDLE,
    TPML_PCR_SELECTION,
    TPMT_HA,
    TPMT_PUBLIC,
    UINT32,
)

TPM_CAP_ID = Annotated[TPM_CAP, Number(4, TPM_CAP)]
TPM_PT_ID = Annotated[TPM_PT, Number(4, TPM_PT)]
TPM_PT_PCR_ID = Annotated[TPM_PT_PCR, Number(4, TPM_PT_PCR)]
TPMA_ALGORITHM_BITS = Annotated[TPMA_ALGORITHM, Number(4, TPMA_ALGORITHM)]
TPMA_CC_BITS = Annotated[TPMA_CC, Number(4, TPMA_CC)]
TPMA_ACT_BITS = Annotated[TPMA_ACT, Number(4, TPMA_ACT)]


class TPMS_ALGORITHM_DESCRIPTION(Record):
    """An algorithm and its attributes (§10.2)."""

    alg: TPM_ALG_ID
    attributes: TPMA_ALGORITHM_BITS


# §10.8: properties
class TPMS_ALG_PROPERTY(Record):
    """An algorithm that the TPM implements, and its attributes (§10.8.1)."""

    alg: TPM_ALG_ID
    alg_properties: TPMA_ALGORITHM_BITS


class TPMS_TAGGED_PROPERTY(Record):
    """A property of the TPM (§10.8.2)."""

    property: TPM_PT_ID
    value: UINT32


class TPMS_TAGGED_PCR_SELECT(Record):
    """The PCRs that have a property (§10.8.3)."""

    tag: TPM_PT_PCR_ID
    pcr_select: Annotated[bytes, Sized(size=1)]


class TPMS_TAGGED_POLICY(Record):
    """The policy of a permanent handle (§10.8.4)."""

    handle: TPM_HANDLE
    policy_hash: TPMT_HA


class TPMS_ACT_DATA(Record):
    """State of an authenticated countdown timer (§10.8.5)."""

    handle: TPM_HANDLE
    timeout: UINT32
    attributes: TPMA_ACT_BITS


class TPMS_SPDM_SESSION_INFO(Record):
    """The keys of an SPDM session (§10.8.6)."""

    req_key_name: TPM2B_NAME
    tpm_key_name: TPM2B_NAME


# §10.9: lists
TPML_CCA = Annotated[ListOf[TPMA_CC], Counted(TPMA_CC_BITS)]
TPML_ALG_PROPERTY = Annotated[ListOf[TPMS_ALG_PROPERTY], Counted(TPMS_ALG_PROPERTY)]
TPML_TAGGED_TPM_PROPERTY = Annotated[ListOf[TPMS_TAGGED_PROPERTY], Counted(TPMS_TAGGED_PROPERTY)]
TPML_TAGGED_PCR_PROPERTY = Annotated[ListOf[TPMS_TAGGED_PCR_SELECT], Counted(TPMS_TAGGED_PCR_SELECT)]
TPML_ECC_CURVE = Annotated[ListOf[TPM_ECC], Counted(TPM_ECC_CURVE)]
TPML_TAGGED_POLICY = Annotated[ListOf[TPMS_TAGGED_POLICY], Counted(TPMS_TAGGED_POLICY)]
TPML_ACT_DATA = Annotated[ListOf[TPMS_ACT_DATA], Counted(TPMS_ACT_DATA)]
TPML_SPDM_SESSION_INFO = Annotated[ListOf[TPMS_SPDM_SESSION_INFO], Counted(TPMS_SPDM_SESSION_INFO)]
TPML_VENDOR_PROPERTY = Annotated[bytes, Rest()]
TPML_PUB_KEY = Annotated[ListOf[TPMT_PUBLIC], Counted(TPM2B_PUBLIC)]

# §10.10: the only union that accepts unknown selectors, because it is always at the end of a response
TPMU_CAPABILITIES = {
    TPM_CAP.ALGS: TPML_ALG_PROPERTY,
    TPM_CAP.HANDLES: TPML_HANDLE,
    TPM_CAP.COMMANDS: TPML_CCA,
    TPM_CAP.PP_COMMANDS: TPML_CC,
    TPM_CAP.AUDIT_COMMANDS: TPML_CC,
    TPM_CAP.PCRS: TPML_PCR_SELECTION,
    TPM_CAP.TPM_PROPERTIES: TPML_TAGGED_TPM_PROPERTY,
    TPM_CAP.PCR_PROPERTIES: TPML_TAGGED_PCR_PROPERTY,
    TPM_CAP.ECC_CURVES: TPML_ECC_CURVE,
    TPM_CAP.AUTH_POLICIES: TPML_TAGGED_POLICY,
    TPM_CAP.ACT: TPML_ACT_DATA,
    TPM_CAP.PUB_KEYS: TPML_PUB_KEY,
    TPM_CAP.SPDM_SESSION_INFO: TPML_SPDM_SESSION_INFO,
}


class TPMS_CAPABILITY_DATA(Record):
    """A capability and its values (§10.10.2). `data` is bytes if this table does not have the capability."""

    capability: TPM_CAP_ID
    data: Annotated[OneOf[tuple | bytes], select("capability", TPMU_CAPABILITIES, other=TPML_VENDOR_PROPERTY)]  # type: ignore[type-arg]


class TPMS_SET_CAPABILITY_DATA(Record):
    """A capability to set (§10.10.3). The TPM checks the data."""

    set_capability: TPM_CAP_ID
    data: Annotated[bytes, Rest()]


TPM2B_SET_CAPABILITY_DATA = Annotated[TPMS_SET_CAPABILITY_DATA, SizedRecord(TPMS_SET_CAPABILITY_DATA)]

declare(globals())
