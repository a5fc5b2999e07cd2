"""TPM 2.0 Part 3, §30: capabilities."""

from ...record import Record
from ..command import Command
from ..constants import TPM_CC
from ..structures import TPM_CAP_ID, TPMI_YES_NO, TPMS_CAPABILITY_DATA, UINT32


class GetCapability(Command, code=TPM_CC.GetCapability, spec="Part 3 §30.2"):
    """Properties of the TPM and what it holds, from `property_` on, at most `property_count` of them."""

    capability: TPM_CAP_ID
    property_: UINT32
    property_count: UINT32

    class Response(Record):
        more_data: TPMI_YES_NO
        capability_data: TPMS_CAPABILITY_DATA
