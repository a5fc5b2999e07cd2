"""A message as a tree of nodes, each with its place, octets, name, type and meaning.

What parses builds to the same octets; so the tree is made by walking the values together with their declarations
and building each leaf. It explains messages that are made here as well as those that were received.
"""

import io
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import DecodeError
from ..record import Counted, Empty, Encrypted, Record, Select, SizedRecord, Struct, wire_of
from ..spec.command import Command, command_class, role_of
from ..spec.constants import TPM_ST
from ..spec.structures import TPMI_ST_COMMAND_TAG, UINT16, UINT32
from ..wire import HEADER_SIZE, CommandMessage, ResponseMessage, parse_command, parse_response
from .words import command_name, summary, value_words

__all__ = ["Node", "explain_command", "explain_response"]


class Node(NamedTuple):
    """Some octets of a message: where, which, what they are called, of what type, and what they mean.

    `text` is the meaning in words, `spec` the section of the standard, `error` what is wrong from here on.
    The leaves, in order, are all octets of the message, each once.
    """

    name: str
    offset: int
    octets: bytes
    type: str = ""
    text: str = ""
    spec: str = ""
    children: "tuple[Node, ...]" = ()
    error: str = ""


def explain_command(data: bytes) -> Node:
    """The tree of a command. What does not parse is shown as far as it goes; never raises."""
    try:
        message = parse_command(data)
    except DecodeError as error:
        return _broken(data, "command", error)
    name = command_name(message.code)
    kind = command_class(message.code)
    walk = _Walk(data)
    nodes = [*walk.header(message.tag, "commandCode", message.code, name)]
    if isinstance(message.command, bytes) or kind is None:
        nodes.append(walk.rest("parameters", "not declared: kept as they are"))
    else:
        handles, parameters = _areas(message.command)
        nodes += [walk.field(message.command, field) for field in handles]
        nodes += _authorizations(walk, message)
        nodes += [walk.field(message.command, field) for field in parameters]
    return Node(name, 0, data, "command", _purpose(kind), kind.spec if kind else "", tuple(nodes))


def explain_response(data: bytes, command: "bytes | int | Command | CommandMessage") -> Node:
    """The tree of a response to `command`: its octets, code or message. Never raises."""
    try:
        message = parse_response(data, command)
    except DecodeError as error:
        return _broken(data, "response", error)
    code = message.code or 0
    kind = command_class(code)
    walk = _Walk(data)
    words = str(message.error) if message.error else "TPM_RC_SUCCESS"
    nodes = [*walk.header(message.tag, "responseCode", message.rc, words)]
    if isinstance(message.response, bytes):
        if message.response:
            nodes.append(walk.rest("parameters", "not declared: kept as they are"))
    else:
        nodes += _response_fields(walk, message)
    purpose = f"answer to {command_name(code)}"
    return Node("response", 0, data, "response", purpose, kind.spec if kind else "", tuple(nodes))


def _response_fields(walk: "_Walk", message: ResponseMessage) -> list[Node]:
    assert isinstance(message.response, Record)
    handles, parameters = _areas(message.response)
    nodes = [walk.field(message.response, field) for field in handles]
    if message.tag == TPM_ST.SESSIONS:
        sized = walk.place  # the size counts the parameters, which follow
        size = int.from_bytes(walk.data[sized : sized + 4], "big")
        nodes.append(walk.leaf("parameterSize", UINT32, size))
    nodes += [walk.field(message.response, field) for field in parameters]
    nodes += [walk.value(f"authorization {n + 1}", type(a), a) for n, a in enumerate(message.authorizations)]
    return nodes


def _authorizations(walk: "_Walk", message: CommandMessage) -> list[Node]:
    if message.tag != TPM_ST.SESSIONS:
        return []
    size = sum(len(auth.build()) for auth in message.authorizations)
    nodes = [walk.leaf("authorizationSize", UINT32, size)]
    nodes += [walk.value(f"authorization {n + 1}", type(a), a) for n, a in enumerate(message.authorizations)]
    return nodes


def _areas(value: Record) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Fields of the handle area, and of the parameter area."""
    fields = value.fields()
    return [f for f in fields if role_of(f[1])], [f for f in fields if not role_of(f[1])]


def _purpose(kind: type[Command] | None) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n", maxsplit=1)[0].split()) if kind else ""


def _broken(data: bytes, what: str, error: DecodeError) -> Node:
    """A message that does not parse: its header, if it has one, and the rest with what is wrong."""
    walk = _Walk(data)
    nodes: list[Node] = []
    name, spec = f"no {what}", ""
    if len(data) >= HEADER_SIZE:
        code = int.from_bytes(data[6:10], "big")
        words = command_name(code) if what == "command" else f"0x{code:x}"
        name = words if what == "command" else "response"
        kind = command_class(code) if what == "command" else None
        spec = kind.spec if kind else ""
        tag = int.from_bytes(data[:2], "big")
        nodes += walk.header(tag, "commandCode" if what == "command" else "responseCode", code, words)
    if error.offset > walk.place:
        nodes.append(walk.piece("parsed so far", min(error.offset, len(data)) - walk.place))
    nodes.append(walk.rest("the rest", ""))
    return Node(name, 0, data, what, "", spec, tuple(nodes), str(error))


class _Walk:
    """A place in the octets that moves on with each node."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def header(self, tag: int, code_name: str, code: int, words: str) -> list[Node]:
        return [
            self.leaf("tag", TPMI_ST_COMMAND_TAG, TPM_ST(tag)),
            self.leaf(f"{code_name.removesuffix('Code')}Size", UINT32, int.from_bytes(self.data[2:6], "big")),
            self._taken(
                code_name, 4, "TPM_CC" if code_name == "commandCode" else "TPM_RC", f"0x{code:08x}, {words}"
            ),
        ]

    def field(self, record: Record, field: tuple[str, Any]) -> Node:
        name, annotation = field
        wire = wire_of(annotation)
        if isinstance(wire, Select):
            wire = wire.member(vars(record))
            return self.value(_spelled(name), wire, getattr(record, name))
        return self.value(_spelled(name), annotation, getattr(record, name))

    def value(self, name: str, declared: Any, value: Any) -> Node:
        wire, kind = wire_of(declared), type_name(declared)
        start = self.place
        if isinstance(value, Encrypted) or isinstance(wire, Empty):
            return self.leaf(name, declared, value)
        if isinstance(wire, Struct):
            nodes = [self.field(value, field) for field in value.fields()]
            return self._node(name, start, wire.record.__name__, summary(value), _section(wire.record), nodes)
        if isinstance(wire, SizedRecord) and value is not None:
            inner = len(_built(wire.inner, value))
            nodes = [self.leaf("size", UINT16, inner), *self._inside(wire.inner, value)]
            return self._node(name, start, kind, summary(value), "", nodes)
        if isinstance(wire, Counted):
            count = self.leaf("count", UINT32, len(value))
            items = [self.value(f"[{n}]", wire.element, item) for n, item in enumerate(value)]
            return self._node(name, start, kind, "", "", [count, *items])
        return self.leaf(name, declared, value)

    def _inside(self, wire: Any, value: Any) -> list[Node]:
        if isinstance(wire, Struct):
            return [self.field(value, field) for field in value.fields()]
        return [self.value("value", wire, value)]

    def leaf(self, name: str, declared: Any, value: Any) -> Node:
        wire, kind = wire_of(declared), type_name(declared)
        return self._taken(name, len(_built(wire, value)), kind, value_words(wire, kind, value))

    def rest(self, name: str, text: str) -> Node:
        return self.piece(name, len(self.data) - self.place, text)

    def piece(self, name: str, size: int, text: str = "") -> Node:
        return self._taken(name, size, "", text)

    def _taken(self, name: str, size: int, kind: str, text: str) -> Node:
        start, self.place = self.place, self.place + size
        return Node(name, start, self.data[start : self.place], kind, text)

    def _node(self, name: str, start: int, kind: str, text: str, spec: str, nodes: list[Node]) -> Node:
        return Node(name, start, self.data[start : self.place], kind, text, spec, tuple(nodes))


def _built(wire: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    wire._build(value, stream, {}, "")
    return stream.getvalue()


def _section(record: type[Record]) -> str:
    """The section that a structure's docstring names, as `Part 2 §12.2.4`."""
    doc = record.__doc__ or ""
    start = doc.rfind("(§")
    return f"Part 2 {doc[start + 1 : doc.index(')', start)]}" if start >= 0 else ""


def _spelled(name: str) -> str:
    """`auth_policy` as the standard writes it: `authPolicy`."""
    first, *others = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


@cache
def _names() -> dict[int, str]:
    """Names of wires, by identity: the alias under which a spec module declares them."""
    from ..spec.commands import CHAPTERS

    modules = ["structures", "capabilities", "storage", "attestation", *(f"commands.{c}" for c in CHAPTERS)]
    names: dict[int, str] = {}
    for module in modules:
        for name, value in vars(import_module(f"..spec.{module}", __package__)).items():
            if hasattr(value, "__metadata__"):
                names.setdefault(id(wire_of(value)), name)
    return names


def type_name(declared: Any) -> str:
    """The standard's name of what an annotation or a wire is."""
    wire = wire_of(declared)
    name = _names().get(id(wire))
    if name is not None:
        # Python wants other names for the words and numbers themselves: TPMA_OBJECT_BITS holds a TPMA_OBJECT.
        suffix = "_BITS" if name.startswith("TPMA") else "_ID" if name.startswith("TPM_") else "_OPTIONAL"
        return name.removesuffix(suffix)
    if isinstance(wire, Struct):
        return wire.record.__name__
    return str(getattr(wire, "label", "TPM2B" if isinstance(wire, SizedRecord) else ""))
