"""Event logs of the firmware and of IMA: events, and the PCR values that result from them.

TCG logs are crypto-agile (TCG_PCR_EVENT2) or have SHA-1 digests only (TCG_PCR_EVENT). Source: TCG PC Client
Platform Firmware Profile, §10. All numbers are little-endian.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..crypto.formulas import digest, digest_size
from ..errors import DecodeError, EncodeError
from ..policy.pcr_selection import bank_name
from ..spec.constants import TPM_ALG
from .event_types import EV_EFI_HCRTM_EVENT, EV_NO_ACTION, EVENT_TYPES
from .events import Event, EventLog
from .ima_log import looks_like_ima, parse_ima_log

__all__ = ["Difference", "Event", "EventLog", "differences", "first_value", "parse_event_log", "replay"]

_SPEC_ID = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"
_MOST_HASHES = 200_000
"""Maximum number of hash computations in the search for the event that is not in a PCR."""
_LARGEST = 1 << 24
"""Maximum size of an event's data in bytes; a larger size means a damaged log."""


def parse_event_log(data: bytes) -> EventLog:
    """Parses a TCG event log in either format, or an IMA measurement list, binary or as text.

    Padding of zeros or ones after the last event of a TCG log is ignored. Raises DecodeError if the data is
    damaged or not an event log.
    """
    if looks_like_ima(data):
        return parse_ima_log(data)
    kind = int.from_bytes(data[4:8], "little")
    if int.from_bytes(data[:4], "little") >= 24 or not kind or kind not in EVENT_TYPES:
        raise DecodeError("not an event log: neither a TCG log nor an IMA measurement list", 0, len(data))
    first, end = _parse_sha1_event(data, 0, 1)
    if first.kind != EV_NO_ACTION or not first.data.startswith(_SPEC_ID):
        return _finish("SHA-1", _parse_all(data, 0, {}), {TPM_ALG.SHA1: 20})
    banks = _parse_banks(first.data)
    return _finish("crypto-agile", [first, *_parse_all(data, end, banks)], banks)


def _finish(form: str, events: list[Event], banks: Mapping[int, int]) -> EventLog:
    locality = next(
        (event.data[16] for event in events if _states_locality(event)),
        4 if any(event.kind == EV_EFI_HCRTM_EVENT for event in events) else None,
    )
    return EventLog(form, tuple(events), banks, locality)


def _states_locality(event: Event) -> bool:
    return event.kind == EV_NO_ACTION and event.data.startswith(_LOCALITY) and len(event.data) > len(_LOCALITY)


def _parse_all(data: bytes, start: int, banks: Mapping[int, int]) -> list[Event]:
    events: list[Event] = []
    first = 2 if banks else 1
    while start < len(data):
        padding = next((byte for byte in (b"\0", b"\xff") if data[start : start + 8] == 8 * byte), None)
        if padding is not None and not data[start:].strip(padding):
            break
        number = first + len(events)
        event, start = (
            _parse_event(data, start, number, banks) if banks else _parse_sha1_event(data, start, number)
        )
        events.append(event)
    return events


def _parse_banks(spec_id: bytes) -> dict[int, int]:
    """Returns {hash algorithm: digest size in bytes} from the Spec ID event (§10.4.5.1)."""
    count = _number(spec_id, 24, 4, 1)
    if not 1 <= count <= 16:
        raise DecodeError(
            f"event 1 states {count} digest algorithms; expected 1 to 16", 24, len(spec_id) - 24, ("specIdEvent",)
        )
    return {_number(spec_id, 28 + 4 * n, 2, 1): _number(spec_id, 30 + 4 * n, 2, 1) for n in range(count)}


def _parse_sha1_event(data: bytes, start: int, number: int) -> tuple[Event, int]:
    pcr, kind = _number(data, start, 4, number), _number(data, start + 4, 4, number)
    at = start + 8
    sha1 = _take(data, at, 20, number)
    size = _number(data, at + 20, 4, number)
    content = _take(data, at + 24, size, number)
    end = at + 24 + size
    return Event(number, start, end - start, pcr, kind, {TPM_ALG.SHA1: sha1}, content, at + 24), end


def _parse_event(data: bytes, start: int, number: int, banks: Mapping[int, int]) -> tuple[Event, int]:
    pcr, kind = _number(data, start, 4, number), _number(data, start + 4, 4, number)
    count, at = _number(data, start + 8, 4, number), start + 12
    if count > len(banks):
        raise DecodeError(
            f"event {number} states {count} digests, but the log has {len(banks)} algorithms",
            start + 8,
            len(data) - start - 8,
        )
    digests: dict[int, bytes] = {}
    for _ in range(count):
        alg = _number(data, at, 2, number)
        if alg not in banks:
            raise DecodeError(
                f"event {number} has a digest of the unknown algorithm 0x{alg:04x}", at, len(data) - at
            )
        digests[alg] = _take(data, at + 2, banks[alg], number)
        at += 2 + banks[alg]
    size = _number(data, at, 4, number)
    content = _take(data, at + 4, size, number)
    end = at + 4 + size
    return Event(number, start, end - start, pcr, kind, digests, content, at + 4), end


def _take(data: bytes, start: int, size: int, number: int) -> bytes:
    if size > _LARGEST or start + size > len(data):
        left = max(len(data) - start, 0)
        raise DecodeError(f"event {number} is truncated: expected {size} bytes, got {left}", start, left)
    return data[start : start + size]


def _number(data: bytes, start: int, size: int, number: int) -> int:
    return int.from_bytes(_take(data, start, size, number), "little")


def replay(logs: Iterable[EventLog], banks: Sequence[int] = ()) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns {(bank, PCR number): value} for the PCRs that the logs extend.

    The logs are replayed in the given order. By default, all banks of the logs with a supported hash are computed.
    A PCR has no value in a bank if one of its events has no digest for this bank.
    """
    logs = list(logs)
    chosen = list(banks) or list(dict.fromkeys(bank for log in logs for bank in log.banks))
    pcrs = sorted({event.pcr for log in logs for event in log.events if event.extends})
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    for bank in chosen:
        for pcr in pcrs:
            try:
                *_, (_, value) = _steps(logs, bank, pcr)
            except (EncodeError, ValueError):  # ValueError: no digest, or this build of Python has no SM3
                continue
            values[TPM_ALG(bank), pcr] = value
    return values


def _steps(
    logs: Iterable[EventLog], bank: int, pcr: int, without: Event | None = None
) -> Iterator[tuple[Event | None, bytes]]:
    """Yields (None, value of a PCR before its first event), then (event, value after the event) for each event.

    The event `without` is skipped. Raises EncodeError if an event has no digest for the bank.
    """
    size, value = digest_size(bank), None
    for log in logs:
        if value is None:
            value = first_value(pcr, size, log.locality)
            yield None, value
        for event in log.events:
            if event.pcr != pcr or not event.extends or event is without:
                continue
            extended = event.extended(bank)
            if extended is None:
                raise EncodeError(f"event {event.number} has no digest for the bank")
            value = digest(bank, value, extended)
            yield event, value


class Difference(NamedTuple):
    """A PCR whose expected value differs from the value that results from the logs.

    `logged` is the value of the logs, `expected` the expected value. `event` is the first event that is not in the
    PCR, or None if unknown. `only` is true if the values would be equal without this event.
    """

    bank: TPM_ALG
    pcr: int
    logged: bytes
    expected: bytes
    event: Event | None = None
    only: bool = False

    def __str__(self) -> str:
        text = (
            f"{bank_name(self.bank)}:{self.pcr}: the log leads to {self.logged.hex()}, not {self.expected.hex()}"
        )
        if self.event is None:
            return f"{text}; an event was changed, or is missing in the log"
        named = f"event {self.event.number} ({self.event.name})"
        return f"{text}; {named} is not in the PCR" + ("" if self.only else ", nor are later events")


def differences(logs: Iterable[EventLog], expected: Mapping[tuple[TPM_ALG, int], bytes]) -> list[Difference]:
    """Returns the PCRs whose expected value differs from the value that results from the logs.

    PCRs without events in the logs are not compared.
    """
    logs = list(logs)
    replayed = replay(logs, list(dict.fromkeys(bank for bank, _ in expected)))
    return [
        _explain_difference(logs, place, replayed[place], expected[place])
        for place in sorted(expected)
        if place in replayed and replayed[place] != expected[place]
    ]


def _explain_difference(
    logs: list[EventLog], place: tuple[TPM_ALG, int], logged: bytes, expected: bytes
) -> Difference:
    bank, pcr = place
    steps = list(_steps(logs, bank, pcr))
    for number, (_, value) in enumerate(steps[:-1]):
        if value == expected:
            return Difference(bank, pcr, logged, expected, steps[number + 1][0], number == len(steps) - 2)
    for event, _ in steps[1 : 2 + _MOST_HASHES // len(steps)]:
        *_, (_, value) = _steps(logs, bank, pcr, event)
        if value == expected:
            return Difference(bank, pcr, logged, expected, event, True)
    return Difference(bank, pcr, logged, expected)


def first_value(pcr: int, size: int, locality: int | None = None) -> bytes:
    """Returns the value of a PCR before its first event: zeros, and in PCR 0 the locality of TPM2_Startup.

    A PCR of a dynamic launch (DRTM) also starts with zeros. `size` is in bytes.
    """
    return bytes(size - 1) + bytes([(locality or 0) if pcr == 0 else 0])
