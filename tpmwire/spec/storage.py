"""TPM 2.0 Part 2, §13: NV storage."""

from typing import Annotated

from ..record import Buffer, Record, UnionOf, declare
from ..wires import Number, Sized, SizedRecord, select
from .constants import TPM_HT
from .properties import TPMA_NV, TPMA_NV_EXP
from .structures import TPM2B_DIGEST, TPMI_ALG_HASH, TPMI_RH_NV_INDEX, UINT16, UINT32

TPMA_NV_BITS = Annotated[TPMA_NV, Number(4, TPMA_NV)]
TPMA_NV_EXP_BITS = Annotated[TPMA_NV_EXP, Number(8, TPMA_NV_EXP)]
TPM2B_MAX_NV_BUFFER = Annotated[Buffer, Sized()]


class TPMS_NV_PUBLIC(Record):
    """The public area of an NV index (§13.5).

    The Name contains its hash, which the first write or a lock changes.
    """

    nv_index: TPMI_RH_NV_INDEX
    name_alg: TPMI_ALG_HASH
    attributes: TPMA_NV_BITS
    auth_policy: TPM2B_DIGEST
    data_size: UINT16


TPM2B_NV_PUBLIC = Annotated[TPMS_NV_PUBLIC, SizedRecord(TPMS_NV_PUBLIC)]


class TPMS_NV_PUBLIC_EXP_ATTR(Record):
    """The public area of an NV index with expanded attributes (§13.7)."""

    nv_index: TPMI_RH_NV_INDEX
    name_alg: TPMI_ALG_HASH
    attributes: TPMA_NV_EXP_BITS
    auth_policy: TPM2B_DIGEST
    data_size: UINT16


TPMU_NV_PUBLIC_2_TYPE = TPMS_NV_PUBLIC | TPMS_NV_PUBLIC_EXP_ATTR
TPMU_NV_PUBLIC_2 = {
    TPM_HT.NV_INDEX: TPMS_NV_PUBLIC,
    TPM_HT.EXTERNAL_NV: TPMS_NV_PUBLIC_EXP_ATTR,
    TPM_HT.PERMANENT_NV: TPMS_NV_PUBLIC,
}


class TPMT_NV_PUBLIC_2(Record):
    """The public area of an NV index of any handle type (§13.8)."""

    handle_type: Annotated[TPM_HT, Number(1, TPM_HT)]
    public: Annotated[
        UnionOf[TPMU_NV_PUBLIC_2_TYPE, "TPMU_NV_PUBLIC_2_MEMBERS"], select("handle_type", TPMU_NV_PUBLIC_2)
    ]


TPM2B_NV_PUBLIC_2 = Annotated[TPMT_NV_PUBLIC_2, SizedRecord(TPMT_NV_PUBLIC_2)]


class TPMS_NV_PIN_COUNTER_PARAMETERS(Record):
    """Contents of a PIN index (§13.3)."""

    pin_count: UINT32
    pin_limit: UINT32


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    class TPMU_NV_PUBLIC_2_MEMBERS(TPMS_NV_PUBLIC, TPMS_NV_PUBLIC_EXP_ATTR):  # type: ignore[misc]
        """A member of TPMU_NV_PUBLIC_2."""

        attributes: Any = None


declare(globals())
