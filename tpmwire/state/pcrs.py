"""Reads PCR values, all at the same moment."""

from collections.abc import Mapping

from ..errors import PolicyError, TpmError
from ..policy.pcr_selection import format_pcrs, pcrs_in
from ..spec.codes import TPM_RC_HASH
from ..spec.commands.capability import GetCapability
from ..spec.commands.pcr import PCR_Read
from ..spec.constants import TPM_ALG, TPM_CAP
from ..spec.structures import TPMS_PCR_SELECTION
from ..tpm import Tpm

__all__ = ["banks", "read_pcrs"]

ATTEMPTS = 8
"""Attempts to read the PCRs while they change."""


Values = Mapping[tuple[TPM_ALG, int], bytes]


def banks(tpm: Tpm) -> tuple[TPMS_PCR_SELECTION, ...]:
    """Returns the PCRs that the TPM implements, by bank; banks without PCRs are omitted (Part 2, §6.12)."""
    data = tpm.execute(GetCapability(TPM_CAP.PCRS, 0, 1)).capability_data.data
    return tuple(bank for bank in data if isinstance(bank, TPMS_PCR_SELECTION) and any(bank.pcr_select))


def read_pcrs(tpm: Tpm, wanted: tuple[TPMS_PCR_SELECTION, ...]) -> Values:
    """Returns PCR values keyed by (bank, PCR number), all read at the same moment.

    A TPM returns eight values at once (Part 3, §22.4). If a PCR is extended between two commands, all values are
    read again. Raises PolicyError for a PCR that the TPM does not implement, and if the PCRs change at each
    attempt.
    """
    for _ in range(ATTEMPTS):
        values = _read_once(tpm, wanted)
        if values is not None:
            return values
    raise PolicyError(f"the PCRs changed {ATTEMPTS} times while they were read; try again later")


def _read_once(tpm: Tpm, wanted: tuple[TPMS_PCR_SELECTION, ...]) -> Values | None:
    """Reads all values once. Returns None if the TPM's PCR update counter changed between two commands."""
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    counters = set()
    left = wanted
    while pcrs_in(left):
        try:
            answer = tpm.execute(PCR_Read(left))
        except TpmError as error:
            if error.code == TPM_RC_HASH:
                raise PolicyError(_report_unimplemented(left)) from error
            raise
        counters.add(answer.pcr_update_counter)
        got = pcrs_in(answer.pcr_selection_out)
        if len(got) != len(answer.pcr_values) or not set(got) <= set(pcrs_in(left)):
            raise PolicyError("the TPM did not return the requested PCRs: modified in transit, or a faulty TPM")
        if not got:
            raise PolicyError(_report_unimplemented(left))
        values |= dict(zip(got, answer.pcr_values, strict=True))
        left = _remove_known(left, values)
    return values if len(counters) <= 1 else None


def _report_unimplemented(selection: tuple[TPMS_PCR_SELECTION, ...]) -> str:
    return f"this TPM does not implement {format_pcrs(selection)}; `tpmwire info` lists its PCR banks"


def _remove_known(selection: tuple[TPMS_PCR_SELECTION, ...], values: Values) -> tuple[TPMS_PCR_SELECTION, ...]:
    rest = []
    for bank in selection:
        bits = sum(1 << number for _, number in pcrs_in((bank,)) if (bank.hash, number) not in values)
        if bits:
            rest.append(bank.replace(pcr_select=bits.to_bytes(len(bank.pcr_select), "little")))
    return tuple(rest)
