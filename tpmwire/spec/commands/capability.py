"""TPM 2.0 Part 3, §30: capabilities."""

from typing import Annotated

from ...record import Record
from ..capabilities import TPM2B_SET_CAPABILITY_DATA, TPM_CAP_ID, TPMS_CAPABILITY_DATA
from ..command import USER, Command
from ..constants import TPM_CC
from ..structures import TPMI_RH_HIERARCHY_AUTH, TPMI_YES_NO, TPMT_PUBLIC_PARMS, UINT32


class GetCapability(Command, code=TPM_CC.GetCapability, spec="Part 3 §30.2"):
    """Returns up to `property_count` values of a capability, from `property_` on."""

    capability: TPM_CAP_ID
    property_: UINT32
    property_count: UINT32

    class Response(Record):
        more_data: TPMI_YES_NO
        capability_data: TPMS_CAPABILITY_DATA


class TestParms(Command, code=TPM_CC.TestParms, spec="Part 3 §30.3"):
    """Checks whether the TPM supports a combination of algorithms and sizes."""

    parameters: TPMT_PUBLIC_PARMS


class SetCapability(Command, code=TPM_CC.SetCapability, spec="Part 3 §30.4"):
    """Sets a capability."""

    auth_handle: Annotated[TPMI_RH_HIERARCHY_AUTH, USER]
    set_capability_data: TPM2B_SET_CAPABILITY_DATA
