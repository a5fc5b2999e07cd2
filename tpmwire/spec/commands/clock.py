"""TPM 2.0 Part 3, §29: clocks and timers."""

from typing import Annotated

from ...record import Record
from ...wires import Number
from ..attestation import TPMS_TIME_INFO
from ..command import USER, Command
from ..constants import TPM_CC
from ..properties import TPM_CLOCK_ADJUST
from ..structures import TPMI_RH_PROVISION, UINT64


class ReadClock(Command, code=TPM_CC.ReadClock, spec="Part 3 §29.1"):
    """Returns the time since the start, the clock, and the counts of resets and restarts."""

    class Response(Record):
        current_time: TPMS_TIME_INFO


class ClockSet(Command, code=TPM_CC.ClockSet, spec="Part 3 §29.2"):
    """Advances the clock (milliseconds); a TPM never sets it back."""

    auth: Annotated[TPMI_RH_PROVISION, USER]
    new_time: UINT64


class ClockRateAdjust(Command, code=TPM_CC.ClockRateAdjust, spec="Part 3 §29.3"):
    """Adjusts the rate of the clock."""

    auth: Annotated[TPMI_RH_PROVISION, USER]
    rate_adjust: Annotated[TPM_CLOCK_ADJUST, Number(1, TPM_CLOCK_ADJUST)]
