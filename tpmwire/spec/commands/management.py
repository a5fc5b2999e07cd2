"""TPM 2.0 Part 3, §26 and §27: miscellaneous management, and field upgrade."""

from typing import Annotated

from ...record import Record
from ..command import ADMIN, HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DIGEST,
    TPM2B_MAX_BUFFER,
    TPMI_DH_OBJECT,
    TPMI_RH_PLATFORM,
    TPML_CC,
    TPMT_HA,
    TPMT_SIGNATURE,
    UINT32,
)


class PP_Commands(Command, code=TPM_CC.PP_Commands, spec="Part 3 §26.2"):
    """Sets which commands need physical presence."""

    auth: Annotated[TPMI_RH_PLATFORM, USER]
    set_list: TPML_CC
    clear_list: TPML_CC


class SetAlgorithmSet(Command, code=TPM_CC.SetAlgorithmSet, spec="Part 3 §26.3"):
    """Selects a set of algorithms by a vendor-specific number."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]
    algorithm_set: UINT32


class FieldUpgradeStart(Command, code=TPM_CC.FieldUpgradeStart, spec="Part 3 §27.2"):
    """Starts a firmware upgrade with a manifest that the vendor's key has signed."""

    authorization: Annotated[TPMI_RH_PLATFORM, ADMIN]
    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    fu_digest: TPM2B_DIGEST
    manifest_signature: TPMT_SIGNATURE


class FieldUpgradeData(Command, code=TPM_CC.FieldUpgradeData, spec="Part 3 §27.3"):
    """Sends one block of a firmware upgrade."""

    fu_data: TPM2B_MAX_BUFFER

    class Response(Record):
        next_digest: TPMT_HA
        first_digest: TPMT_HA


class FirmwareRead(Command, code=TPM_CC.FirmwareRead, spec="Part 3 §27.4"):
    """Returns one block of the firmware, for a backup."""

    sequence_number: UINT32

    class Response(Record):
        fu_data: TPM2B_MAX_BUFFER
