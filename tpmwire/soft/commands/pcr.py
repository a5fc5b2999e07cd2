"""Soft TPM: PCR commands (Part 3, §22)."""

from ...crypto.formulas import digest, digest_size, trimmed
from ...spec.commands.pcr import (
    PCR_Allocate,
    PCR_Event,
    PCR_Extend,
    PCR_Read,
    PCR_Reset,
    PCR_SetAuthPolicy,
    PCR_SetAuthValue,
)
from ...spec.constants import TPM_ALG, TPM_RH
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_HA
from ..pcr_banks import AUTHORIZED, BANKS, COUNT, EXTEND_LOCALITIES, RESET_LOCALITIES, selected
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState

MAX_VALUES = 8
"""Maximum number of values in one response of TPM2_PCR_Read."""


@handles(PCR_Extend)
def pcr_extend(tpm: TpmState, command: PCR_Extend) -> None:
    """Extends a PCR in the bank of each given digest (TPM2_PCR_Extend). No effect for TPM_RH_NULL."""
    if command.pcr_handle == TPM_RH.NULL:
        return
    require(EXTEND_LOCALITIES[command.pcr_handle] >> tpm.locality & 1, TPM_RC.LOCALITY)
    for one in command.digests:
        tpm.pcrs.extend(command.pcr_handle, one.hash_alg, one.digest or b"")


@handles(PCR_Event)
def pcr_event(tpm: TpmState, command: PCR_Event) -> PCR_Event.Response:
    """Hashes the data with each bank's algorithm, and extends the PCR with the digests (TPM2_PCR_Event)."""
    found = tuple(TPMT_HA(TPM_ALG(alg), digest(alg, command.event_data)) for alg in tpm.pcrs.allocated)
    if command.pcr_handle != TPM_RH.NULL:
        require(EXTEND_LOCALITIES[command.pcr_handle] >> tpm.locality & 1, TPM_RC.LOCALITY)
        for one in found:
            tpm.pcrs.extend(command.pcr_handle, one.hash_alg, one.digest or b"")
    return PCR_Event.Response(found)


@handles(PCR_Read)
def pcr_read(tpm: TpmState, command: PCR_Read) -> PCR_Read.Response:
    """Returns up to eight PCR values, and the selection that they belong to (TPM2_PCR_Read)."""
    values: list[bytes] = []
    out = []
    for selection in tpm.pcrs.filtered(command.pcr_selection_in):
        mask = bytearray(len(selection.pcr_select))
        for number in selected(selection):
            if len(values) < MAX_VALUES:
                values.append(tpm.pcrs.values[selection.hash][number])
                mask[number // 8] |= 1 << number % 8
        out.append(selection.replace(pcr_select=bytes(mask)))
    return PCR_Read.Response(tpm.pcrs.counter, tuple(out), tuple(values))


@handles(PCR_Reset)
def pcr_reset(tpm: TpmState, command: PCR_Reset) -> None:
    """Sets a PCR to zero in every bank (TPM2_PCR_Reset)."""
    if command.pcr_handle == TPM_RH.NULL:
        return
    if not RESET_LOCALITIES[command.pcr_handle] >> tpm.locality & 1:
        raise Refusal(TPM_RC.LOCALITY)
    tpm.pcrs.reset(command.pcr_handle)


@handles(PCR_Allocate)
def pcr_allocate(tpm: TpmState, command: PCR_Allocate) -> PCR_Allocate.Response:
    """Selects the PCRs that each bank will have after the next startup (TPM2_PCR_Allocate).

    Raises Refusal unless at least one bank has PCR 0, and at least one has PCR 17, which measures the DRTM.
    """
    wanted: dict[int, bytes] = dict(tpm.pcrs.allocated)
    wanted.update((one.hash, one.pcr_select) for one in command.pcr_allocation)
    needed = sum(digest_size(alg) * bin(int.from_bytes(mask, "big")).count("1") for alg, mask in wanted.items())
    available = sum(digest_size(alg) * COUNT for alg in BANKS)
    if not all(any(mask[n // 8] >> n % 8 & 1 for mask in wanted.values()) for n in (0, 17)):
        raise Refusal(TPM_RC.PCR)
    tpm.next_banks = wanted
    return PCR_Allocate.Response(True, COUNT, needed, available)


@handles(PCR_SetAuthPolicy)
def pcr_set_auth_policy(tpm: TpmState, command: PCR_SetAuthPolicy) -> None:
    """Sets the policy of PCRs 20 to 22, which form one group (TPM2_PCR_SetAuthPolicy)."""
    size = 0 if command.hash_alg == TPM_ALG.NULL else digest_size(command.hash_alg)
    require(len(command.auth_policy) == size, TPM_RC.SIZE, "auth_policy")
    require(command.pcr_num in AUTHORIZED, TPM_RC.VALUE, "pcr_num")
    tpm.pcr_policy, tpm.pcr_policy_alg = command.auth_policy, command.hash_alg


@handles(PCR_SetAuthValue)
def pcr_set_auth_value(tpm: TpmState, command: PCR_SetAuthValue) -> None:
    """Sets the authValue of PCRs 20 to 22 until the next startup (TPM2_PCR_SetAuthValue)."""
    require(command.pcr_handle in AUTHORIZED, TPM_RC.VALUE)
    tpm.pcr_auth = trimmed(command.auth)
