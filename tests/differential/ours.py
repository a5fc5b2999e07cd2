"""Our values of a message, taken apart into what every other reader of TPM octets has too.

A leaf is a path of the standard's names and a value: an int for a number, bytes for octets. Sizes and counts are
leaves of their own, as on the wire.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tpmwire.record import Record, Struct
from tpmwire.spec.command import role_of
from tpmwire.spec.names import field_name, type_name
from tpmwire.spec.versioned import Versioned
from tpmwire.wire import CommandMessage, ResponseMessage
from tpmwire.wires import Counted, Empty, Encrypted, Select, Sized, SizedRecord, wire_of

__all__ = ["Leaf", "command_leaves", "leaves", "response_leaves", "structures"]


class Leaf(NamedTuple):
    """A value that has no parts."""

    path: tuple[str, ...]
    value: int | bytes


def leaves(
    wire: Any, value: Any, path: tuple[str, ...] = (), context: dict[str, Any] | None = None
) -> Iterator[Leaf]:
    """The leaves of a wire's value; `context` has the fields before it, for a union."""
    if isinstance(wire, Select):
        wire = wire.member(context or {})
    if isinstance(wire, Versioned):
        wire = wire.member_for(value)
    if isinstance(value, Encrypted) or (isinstance(wire, Sized) and not isinstance(wire, SizedRecord)):
        yield Leaf((*path, "size"), len(value))
        if value:
            yield Leaf(path, value)
    elif isinstance(wire, SizedRecord):
        inside = [] if value is None else list(leaves(wire.inner, value, path))
        yield Leaf((*path, "size"), 0 if value is None else len(value.build()))
        yield from inside
    elif isinstance(wire, Counted):
        yield Leaf((*path, "count"), len(value))
        for index, element in enumerate(value):
            yield from leaves(wire.element, element, (*path, f"[{index}]"))
    elif isinstance(wire, Struct):
        for name, field in wire.fields:
            yield from leaves(field, vars(value)[name], (*path, field_name(name)), vars(value))
    elif not isinstance(wire, Empty):
        yield Leaf(path, bytes(value) if isinstance(value, bytes) else int(value))


def _area(value: Any, handles: bool) -> Iterator[Leaf]:
    if isinstance(value, bytes):
        return
    for name, annotation in value.fields():
        if (role_of(annotation) is not None) == handles:
            yield from leaves(wire_of(annotation), vars(value)[name], (field_name(name),), vars(value))


def _authorizations(values: Any) -> Iterator[Leaf]:
    for index, auth in enumerate(values):
        yield from leaves(auth.wire(), auth, (f"[{index}]",))


def command_leaves(message: CommandMessage) -> Iterator[Leaf]:
    """A command's leaves from tag to last parameter."""
    yield Leaf(("tag",), int(message.tag))
    yield Leaf(("commandSize",), len(message.build()))
    yield Leaf(("commandCode",), int(message.code))
    yield from _area(message.command, True)
    if message.authorizations:
        yield Leaf(("authSize",), sum(len(auth.build()) for auth in message.authorizations))
        yield from _authorizations(message.authorizations)
    yield from _area(message.command, False)


def response_leaves(message: ResponseMessage) -> Iterator[Leaf]:
    """A response's leaves from tag to the last session's HMAC."""
    yield Leaf(("tag",), int(message.tag))
    yield Leaf(("responseSize",), len(message.build()))
    yield Leaf(("responseCode",), int(message.rc))
    yield from _area(message.response, True)
    parameters = list(_area(message.response, False))
    if message.authorizations:
        handles = 4 * sum(role_of(a) is not None for _, a in message.response.fields())  # type: ignore[union-attr]
        auths = sum(len(auth.build()) for auth in message.authorizations)
        yield Leaf(("parameterSize",), len(message.build()) - 14 - handles - auths)
    yield from parameters
    yield from _authorizations(message.authorizations)


def structures(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, wire and value of everything inside a record that the standard has a name for."""
    for name, annotation in value.fields():
        yield from _inside(type_name(annotation), wire_of(annotation), vars(value)[name], vars(value))


def _inside(name: str, wire: Any, value: Any, context: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(wire, Select):
        wire = wire.member(context)
        name = type_name(wire)
    if isinstance(value, Encrypted) or value is None:
        return
    yield name, wire, value
    if isinstance(wire, SizedRecord):
        yield from _inside(type_name(wire.inner), wire.inner, value, {})
    elif isinstance(wire, Counted):
        for element in value:
            yield from _inside(type_name(wire.element), wire.element, element, {})
    elif isinstance(value, Record):
        yield from structures(value)
