"""Reads, extends and resets PCRs, and builds policies that require PCR values."""

from collections.abc import Mapping

from ..policy.statements import PolicyPCR
from ..spec.commands.pcr import PCR_Event, PCR_Extend, PCR_Reset
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMT_HA
from ..state.pcrs import read_pcrs
from ..tpm import Tpm
from .arguments import Pcrs, pcrs_of

__all__ = ["pcr_event", "pcr_extend", "pcr_policy", "pcr_read", "pcr_reset"]


def pcr_read(tpm: Tpm, pcrs: Pcrs) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns PCR values, keyed by (bank, PCR number), all read at the same moment (Part 3, §22.4).

    `pcrs` is a list such as `sha256:0,7+sha1:23`. Raises PolicyError for an invalid list of PCRs, and for PCRs
    that the TPM does not implement.
    """
    return dict(read_pcrs(tpm, pcrs_of(pcrs)))


def pcr_policy(
    tpm: Tpm,
    pcrs: Pcrs,
    values: Mapping[tuple[TPM_ALG, int], bytes] | None = None,
    alg: TPM_ALG = TPM_ALG.SHA256,
) -> PolicyPCR:
    """Returns the policy statement that requires these PCR values, by default the current values.

    `alg` is the policy's hash algorithm. Raises PolicyError if `pcrs` is not valid or a value is missing.
    """
    selection = pcrs_of(pcrs)
    return PolicyPCR.of_values(alg, selection, pcr_read(tpm, selection) if values is None else values)


def pcr_extend(tpm: Tpm, pcr: int, digest: bytes, bank: TPM_ALG = TPM_ALG.SHA256) -> None:
    """Extends a PCR of one bank with a digest of the bank's hash (Part 3, §22.2)."""
    tpm.execute(PCR_Extend(pcr, (TPMT_HA(bank, digest),)))


def pcr_event(tpm: Tpm, pcr: int, data: bytes) -> dict[TPM_ALG, bytes]:
    """Extends a PCR in each bank with the digest of up to 1,024 bytes; returns {bank: digest} (Part 3, §22.3)."""
    return {one.hash_alg: one.digest or b"" for one in tpm.execute(PCR_Event(pcr, data)).digests}


def pcr_reset(tpm: Tpm, pcr: int) -> None:
    """Resets a PCR that is resettable, such as 16 or 23, in all banks (Part 3, §22.8)."""
    tpm.execute(PCR_Reset(pcr))
