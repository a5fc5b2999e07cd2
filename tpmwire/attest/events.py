"""Events of event logs, which extend PCRs."""

from collections.abc import Mapping
from typing import NamedTuple

from ..crypto.formulas import digest_size
from .event_types import EV_NO_ACTION, event_name

__all__ = ["Event", "EventLog"]


class Event(NamedTuple):
    """An event: its place in the log, its PCR, type, digests by bank, and data.

    `offset` and `size` count bytes in the log; `data_offset` is the offset of `data`. `kind` is an event type of
    the TCG; for IMA, `template` is the name of the template. `violation` says that IMA could not measure the file:
    it then extends ones.
    """

    number: int
    offset: int
    size: int
    pcr: int
    kind: int
    digests: Mapping[int, bytes]
    data: bytes
    data_offset: int
    template: str = ""
    violation: bool = False

    @property
    def name(self) -> str:
        """The name of the event type, or of IMA's template."""
        return self.template or event_name(self.kind)

    @property
    def extends(self) -> bool:
        """Returns whether the event extends its PCR."""
        return bool(self.template) or (self.kind != EV_NO_ACTION and 0 <= self.pcr < 24)

    def extended(self, bank: int) -> bytes | None:
        """Returns the digest that extends the PCR of a bank; None if the log does not state it."""
        if self.violation:
            return b"\xff" * digest_size(bank)
        return self.digests.get(bank)


class EventLog(NamedTuple):
    """A log: its events, the sizes of digests by bank, and the locality of TPM2_Startup (None if not stated).

    `form` is "crypto-agile", "SHA-1" or "IMA".
    """

    form: str
    events: tuple[Event, ...]
    banks: Mapping[int, int]
    locality: int | None = None
