"""Recognizes event logs of the firmware (TCG) and of Linux IMA, and explains each event."""

from collections.abc import Iterator

from ...attest.event_data import explain_event
from ...attest.event_log import Event, EventLog, parse_event_log
from ...attest.event_types import EVENT_TYPES, PCR_USES
from ...errors import DecodeError
from ...policy.pcr_selection import bank_name
from ...wires import byte_count
from ..reading import Reading
from ..tree import Node

__all__ = ["read_event_log"]

_KINDS = {
    "crypto-agile": "an event log of the firmware (TCG, crypto-agile)",
    "SHA-1": "an event log of the firmware (TCG, SHA-1)",
    "IMA": "an event log of Linux IMA (a measurement list)",
}


def read_event_log(data: bytes) -> list[Reading]:
    """Returns the interpretation as an event log, with one tree for each event, or an empty list for other data.

    Never raises an error for any data.
    """
    try:
        log = parse_event_log(data)
    except DecodeError:
        return []
    return [Reading(_KINDS[log.form], [_event_tree(log, event, data) for event in log.events])]


def _event_tree(log: EventLog, event: Event, data: bytes) -> Node:
    octets = data[event.offset : event.offset + event.size]
    root = Node(f"event log, event {event.number}", event.offset, octets, event.name, _meaning(event))
    if log.form == "IMA":
        root.text = _details(event)
    else:
        root.children = list(_fields(log, event, octets))
    return root


def _meaning(event: Event) -> str:
    purpose = EVENT_TYPES.get(event.kind, ("", "an event type that the TCG does not define"))[1]
    return f"{purpose}; PCR {event.pcr}" if event.extends else purpose


def _details(event: Event) -> str:
    return "; ".join(f"{name}: {text}" for name, text in explain_event(event))


def _fields(log: EventLog, event: Event, octets: bytes) -> Iterator[Node]:
    start = event.offset

    def node(name: str, at: int, size: int, type: str, text: str) -> Node:
        return Node(name, start + at, octets[at : at + size], type, text)

    use = PCR_USES[event.pcr] if 0 <= event.pcr < len(PCR_USES) else "not a PCR"
    yield node("pcrIndex", 0, 4, "UINT32, little-endian", f"{event.pcr}: {use}")
    yield node("eventType", 4, 4, "UINT32, little-endian", event.name)
    at = 8
    if log.form == "SHA-1" or event.number == 1:
        yield node("digest", at, 20, "", "sha1")
        at += 20
    else:
        yield node("digestCount", at, 4, "UINT32, little-endian", str(len(event.digests)))
        at += 4
        for bank, value in event.digests.items():
            yield node("hashAlg", at, 2, "TPMI_ALG_HASH, little-endian", bank_name(bank))
            yield node("digest", at + 2, len(value), "", "")
            at += 2 + len(value)
    yield node("eventSize", at, 4, "UINT32, little-endian", byte_count(len(event.data)))
    if event.data:
        yield node("event", at + 4, len(event.data), "", _details(event))
