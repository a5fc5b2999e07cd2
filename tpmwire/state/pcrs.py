"""PCR values as they are in the TPM at one moment."""

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
"""How often the PCRs may change under our hands before we give up."""


Values = Mapping[tuple[TPM_ALG, int], bytes]


def banks(tpm: Tpm) -> tuple[TPMS_PCR_SELECTION, ...]:
    """The PCRs that the TPM keeps, bank by bank; banks without any are left out (Part 2, §6.12)."""
    data = tpm.execute(GetCapability(TPM_CAP.PCRS, 0, 1)).capability_data.data
    return tuple(bank for bank in data if isinstance(bank, TPMS_PCR_SELECTION) and any(bank.pcr_select))


def read_pcrs(tpm: Tpm, wanted: tuple[TPMS_PCR_SELECTION, ...]) -> Values:
    """Values by bank and PCR, all of the same moment: read again where one was extended in between.

    A TPM gives eight at once (Part 3, §22.4). Raises PolicyError for a PCR that the TPM does not keep, and where
    the PCRs never stand still.
    """
    for _ in range(ATTEMPTS):
        values = _read_once(tpm, wanted)
        if values is not None:
            return values
    raise PolicyError(f"the PCRs changed {ATTEMPTS} times while they were read: try again when the system is up")


def _read_once(tpm: Tpm, wanted: tuple[TPMS_PCR_SELECTION, ...]) -> Values | None:
    """The values; None where the update counter moved between two commands."""
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    counters = set()
    left = wanted
    while pcrs_in(left):
        try:
            answer = tpm.execute(PCR_Read(left))
        except TpmError as error:
            if error.code == TPM_RC_HASH:
                raise PolicyError(_not_kept(left)) from error
            raise
        counters.add(answer.pcr_update_counter)
        got = pcrs_in(answer.pcr_selection_out)
        if len(got) != len(answer.pcr_values) or not set(got) <= set(pcrs_in(left)):
            raise PolicyError("the TPM answered with other PCRs than it was asked for")
        if not got:
            raise PolicyError(_not_kept(left))
        values |= dict(zip(got, answer.pcr_values, strict=True))
        left = _without(left, values)
    return values if len(counters) <= 1 else None


def _not_kept(selection: tuple[TPMS_PCR_SELECTION, ...]) -> str:
    return f"this TPM does not keep {format_pcrs(selection)}; `tpmwire info` lists its PCR banks"


def _without(selection: tuple[TPMS_PCR_SELECTION, ...], values: Values) -> tuple[TPMS_PCR_SELECTION, ...]:
    rest = []
    for bank in selection:
        bits = sum(1 << number for _, number in pcrs_in((bank,)) if (bank.hash, number) not in values)
        if bits:
            rest.append(bank.replace(pcr_select=bits.to_bytes(len(bank.pcr_select), "little")))
    return tuple(rest)
