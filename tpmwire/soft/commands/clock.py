"""Soft TPM: clock and timer commands (Part 3, §29)."""

from ...spec.attestation import TPMS_CLOCK_INFO, TPMS_TIME_INFO
from ...spec.commands.clock import ClockRateAdjust, ClockSet, ReadClock
from ...spec.response_codes import TPM_RC
from ..refusal import require
from ..registry import handles
from ..tpm_state import TpmState

LATEST = 0xFFFF000000000000


def clock_info(tpm: TpmState) -> TPMS_CLOCK_INFO:
    """Returns TPMS_CLOCK_INFO: the clock in milliseconds, and the reset and restart counts."""
    return TPMS_CLOCK_INFO(tpm.clock, tpm.reset_count, tpm.restart_count, tpm.clock_safe)


def time_info(tpm: TpmState) -> TPMS_TIME_INFO:
    """Returns TPMS_TIME_INFO: the time since startup in milliseconds, and the clock info."""
    return TPMS_TIME_INFO(tpm.time, clock_info(tpm))


@handles(ReadClock)
def read_clock(tpm: TpmState, command: ReadClock) -> ReadClock.Response:
    """Returns the TPM's time and clock (TPM2_ReadClock)."""
    return ReadClock.Response(time_info(tpm))


@handles(ClockSet)
def clock_set(tpm: TpmState, command: ClockSet) -> None:
    """Advances the clock (TPM2_ClockSet). Refuses a time before the current clock."""
    require(tpm.clock <= command.new_time <= LATEST, TPM_RC.VALUE, "new_time")
    tpm.clock_offset += command.new_time - tpm.clock


@handles(ClockRateAdjust)
def clock_rate_adjust(tpm: TpmState, command: ClockRateAdjust) -> None:
    """Accepts any rate adjustment without effect: the clock follows the host's clock (TPM2_ClockRateAdjust)."""
