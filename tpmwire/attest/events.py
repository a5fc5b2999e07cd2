"""Events of event logs, which extend PCRs."""

from collections.abc import Mapping
from typing import NamedTuple

from ..crypto.formulas import digest_size
from .event_types import EV_NO_ACTION, event_name

__all__ = ["Event", "EventLog"]


class Event(NamedTuple):
    """An event: its position in the log, its PCR, its type, its digests by bank, and its data.

    `offset`, `size` and `data_offset` are in bytes of the log. `kind` is an event type of the TCG; for IMA,
    `template` is the name of the template. `violation` is true if IMA could not measure the file; IMA then extends
    the PCR with ones.
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
        """Returns the digest that extends the event's PCR in a bank, or None if the log lacks this digest."""
        if self.violation:
            return b"\xff" * digest_size(bank)
        return self.digests.get(bank)


class EventLog(NamedTuple):
    """A log: its events, digest sizes in bytes by bank, and the locality of TPM2_Startup or None.

    `form` is "crypto-agile", "SHA-1" or "IMA".
    """

    form: str
    events: tuple[Event, ...]
    banks: Mapping[int, int]
    locality: int | None = None
