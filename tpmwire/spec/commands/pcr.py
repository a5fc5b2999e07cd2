"""TPM 2.0 Part 3, §22: platform configuration registers."""

from typing import Annotated

from ...record import Record
from ..command import USER, Command
from ..constants import TPM_CC
from ..structures import TPMI_DH_PCR, TPML_DIGEST, TPML_DIGEST_VALUES, TPML_PCR_SELECTION, UINT32


class PCR_Extend(Command, code=TPM_CC.PCR_Extend, spec="Part 3 §22.2"):
    """PCR := H(PCR || digest), for each bank that a digest is given for."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
    digests: TPML_DIGEST_VALUES


class PCR_Read(Command, code=TPM_CC.PCR_Read, spec="Part 3 §22.4"):
    """Values of PCRs; up to eight at once, `pcr_selection_out` says which."""

    pcr_selection_in: TPML_PCR_SELECTION

    class Response(Record):
        pcr_update_counter: UINT32
        pcr_selection_out: TPML_PCR_SELECTION
        pcr_values: TPML_DIGEST


class PCR_Reset(Command, code=TPM_CC.PCR_Reset, spec="Part 3 §22.8"):
    """Sets a PCR to zero, where its attributes and the locality allow it (16 and 23 on a PC)."""

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
