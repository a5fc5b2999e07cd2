"""TPM 2.0 Part 3, §32 to §34: attached components, countdown timers, and the TCG's test command."""

from typing import Annotated

from ...record import ListOf, Record, declare
from ...wires import Counted, Number
from ..command import DUP, HANDLE, USER, Command
from ..constants import TPM_CC
from ..properties import TPM_AT
from ..structures import (
    TPM2B_DATA,
    TPM2B_MAX_BUFFER,
    TPM2B_NAME,
    TPMI_DH_OBJECT,
    TPMI_RH_AC,
    TPMI_RH_ACT,
    TPMI_RH_NV_AUTH,
    TPMI_SH_POLICY,
    TPMI_YES_NO,
    UINT32,
)

TPM_AT_ID = Annotated[TPM_AT, Number(4, TPM_AT)]


class TPMS_AC_OUTPUT(Record):
    """Information about an attached component (Part 2, §16.2)."""

    tag: TPM_AT_ID
    data: UINT32


TPML_AC_CAPABILITIES = Annotated[ListOf[TPMS_AC_OUTPUT], Counted(TPMS_AC_OUTPUT)]


class AC_GetCapability(Command, code=TPM_CC.AC_GetCapability, spec="Part 3 §32.2"):
    """Returns the capabilities of an attached component."""

    ac: Annotated[TPMI_RH_AC, HANDLE]
    capability: TPM_AT_ID
    count: UINT32

    class Response(Record):
        more_data: TPMI_YES_NO
        capabilities_data: TPML_AC_CAPABILITIES


class AC_Send(Command, code=TPM_CC.AC_Send, spec="Part 3 §32.3"):
    """Sends an object to an attached component."""

    send_object: Annotated[TPMI_DH_OBJECT, DUP]
    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    ac: Annotated[TPMI_RH_AC, HANDLE]
    ac_data_in: TPM2B_MAX_BUFFER

    class Response(Record):
        ac_data_out: TPMS_AC_OUTPUT


class Policy_AC_SendSelect(Command, code=TPM_CC.Policy_AC_SendSelect, spec="Part 3 §32.4"):
    """Restricts the policy to TPM2_AC_Send to one attached component."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    object_name: TPM2B_NAME
    auth_handle_name: TPM2B_NAME
    ac_name: TPM2B_NAME
    include_object: TPMI_YES_NO


class ACT_SetTimeout(Command, code=TPM_CC.ACT_SetTimeout, spec="Part 3 §33.2"):
    """Sets the seconds until a countdown timer acts."""

    act_handle: Annotated[TPMI_RH_ACT, USER]
    start_timeout: UINT32


class Vendor_TCG_Test(Command, code=TPM_CC.Vendor_TCG_Test, spec="Part 3 §34"):
    """Returns its input unchanged."""

    input_data: TPM2B_DATA

    class Response(Record):
        output_data: TPM2B_DATA


declare(globals())
