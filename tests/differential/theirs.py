"""tpmstream's values of a message, in the same form as ours."""

from collections.abc import Iterator
from typing import Any

from tpmstream.common.event import MarshalEvent
from tpmstream.io.binary import Binary
from tpmstream.spec.commands import CommandResponseStream

from tests.differential.ours import Leaf

__all__ = ["dialogue_leaves", "tpmstream_events"]


def tpmstream_events(command: bytes, response: bytes) -> Iterator[Any]:
    """tpmstream's reading of a command and its response, an event for each part."""
    yield from Binary.marshal(tpm_type=CommandResponseStream, buffer=command + response, abort_on_error=False)


def dialogue_leaves(command: bytes, response: bytes) -> tuple[list[Leaf], list[Leaf]]:
    """The leaves of a command and of its response."""
    both: list[list[Leaf]] = []
    octets: tuple[tuple[str, ...], bytearray] | None = None
    for event in tpmstream_events(command, response):
        if not isinstance(event, MarshalEvent):
            continue
        names = tuple(part for node in event.path[1:] for part in _parts(node))
        if not names:
            both.append([])
        if event.value is ...:
            octets = None
            continue
        # Octets come one by one; those of one buffer are one value.
        if event.type.__name__ == "BYTE" and event.path[-1].index is not None:
            if octets is None or octets[0] != names[:-1]:
                octets = (names[:-1], bytearray())
                both[-1].append(Leaf(names[:-1], b""))
            octets[1].extend(event.value.to_bytes())
            both[-1][-1] = Leaf(names[:-1], bytes(octets[1]))
        else:
            both[-1].append(Leaf(names, int.from_bytes(event.value.to_bytes(), "big")))
    return both[0], both[1]


def _parts(node: object) -> Iterator[str]:
    yield node.name  # type: ignore[attr-defined]
    if node.index is not None:  # type: ignore[attr-defined]
        yield f"[{node.index}]"  # type: ignore[attr-defined]
