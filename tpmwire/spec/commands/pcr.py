"""TPM 2.0 Part 3, §22: platform configuration registers."""

from typing import Annotated

from ...record import Record
from ..command import USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DIGEST,
    TPM2B_EVENT,
    TPMI_ALG_HASH,
    TPMI_DH_PCR,
    TPMI_RH_PLATFORM,
    TPMI_YES_NO,
    TPML_DIGEST,
    TPML_DIGEST_VALUES,
    TPML_PCR_SELECTION,
    UINT32,
)


class PCR_Extend(Command, code=TPM_CC.PCR_Extend, spec="Part 3 §22.2"):
    """Extends a PCR in each bank for which there is a digest: PCR := H(PCR || digest)."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
    digests: TPML_DIGEST_VALUES


class PCR_Read(Command, code=TPM_CC.PCR_Read, spec="Part 3 §22.4"):
    """Returns up to eight PCR values. `pcr_selection_out` selects the PCRs that were read."""

    pcr_selection_in: TPML_PCR_SELECTION

    class Response(Record):
        pcr_update_counter: UINT32
        pcr_selection_out: TPML_PCR_SELECTION
        pcr_values: TPML_DIGEST


class PCR_Reset(Command, code=TPM_CC.PCR_Reset, spec="Part 3 §22.8"):
    """Sets a PCR to zero if its attributes and the locality allow it (16 and 23 on a PC)."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]


class PCR_Event(Command, code=TPM_CC.PCR_Event, spec="Part 3 §22.3"):
    """Hashes data with the hash algorithm of each bank, and extends a PCR with the digests."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
    event_data: TPM2B_EVENT

    class Response(Record):
        digests: TPML_DIGEST_VALUES


class PCR_Allocate(Command, code=TPM_CC.PCR_Allocate, spec="Part 3 §22.5"):
    """Sets which PCR banks the TPM has after its next start."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]
    pcr_allocation: TPML_PCR_SELECTION

    class Response(Record):
        allocation_success: TPMI_YES_NO
        max_pcr: UINT32
        size_needed: UINT32
        size_available: UINT32


class PCR_SetAuthPolicy(Command, code=TPM_CC.PCR_SetAuthPolicy, spec="Part 3 §22.6"):
    """Sets the policy of a group of PCRs."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]
    auth_policy: TPM2B_DIGEST
    hash_alg: TPMI_ALG_HASH
    pcr_num: TPMI_DH_PCR


class PCR_SetAuthValue(Command, code=TPM_CC.PCR_SetAuthValue, spec="Part 3 §22.7"):
    """Sets the authValue of a group of PCRs."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
    auth: TPM2B_DIGEST
