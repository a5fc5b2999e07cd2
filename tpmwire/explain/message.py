"""Trees of whole messages: header, handles, authorizations, parameters (Part 1, §18; Part 3, §4)."""

import contextlib
from functools import cache
from typing import Any

from ..errors import DecodeError, TpmError
from ..record import Record
from ..spec.command import Command, command_class, role_of
from ..spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from ..spec.names import field_name, purpose
from ..spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from ..wire import HEADER_SIZE, CommandMessage, first_parameter, parse_command, parse_response
from ..wires import byte_count, wire_of
from .meanings import command_name
from .tree import Node
from .walk import Walk

__all__ = ["explain_command", "explain_response", "find_commands"]


def explain_command(data: bytes) -> Node:
    """Returns the tree of a command. Never raises: an invalid command is shown up to its error."""
    error = ""
    try:
        parse_command(data)
    except DecodeError as fault:
        error = str(fault)
    code = int.from_bytes(data[6:HEADER_SIZE], "big") if len(data) >= HEADER_SIZE else None
    kind = None if code is None else command_class(code)
    walk = Walk(data)
    with contextlib.suppress(DecodeError), walk.area(len(data)):
        _header(walk, "command", "TPM_CC", "" if code is None else command_name(code))
        if kind is None:
            walk.leftover("parameters", "of an unknown command")
        elif data[:2] in (b"\x80\x01", b"\x80\x02"):
            _command(walk, kind, data[:2] == b"\x80\x02")
    name = "command" if code is None else command_name(code)
    return _root(walk, name, "command", purpose(kind), kind, error)


def explain_response(data: bytes, command: "bytes | int | Command | CommandMessage | None") -> Node:
    """Returns the tree of a response. Never raises: the tree of an invalid response ends at the error.

    `command` is the command of the response, as bytes, command code or message; None if unknown.
    """
    if isinstance(command, bytes):
        code = int.from_bytes(command[6:HEADER_SIZE], "big")
    else:
        code = 0 if command is None else command if isinstance(command, int) else int(command.code)
    error = ""
    try:
        parse_response(data, code if command is None else command)
    except DecodeError as fault:
        error = str(fault)
    rc = int.from_bytes(data[6:HEADER_SIZE], "big")
    kind = command_class(code)
    walk = Walk(data)
    with contextlib.suppress(DecodeError), walk.area(len(data)):
        words = str(TpmError(rc, TPM_CC(code) if code else None)) if rc else "TPM_RC_SUCCESS"
        _header(walk, "response", "TPM_RC", words)
        if rc or kind is None or data[:2] == b"\x00\xc4":
            walk.leftover("parameters", "after an error" if rc else "of an unknown command")
        elif data[:2] in (b"\x80\x01", b"\x80\x02"):
            _response(walk, kind.Response, data[:2] == b"\x80\x02")
    answer = f"response to {command_name(code) if code else 'an unknown command'}"
    return _root(walk, "response", "response", answer, kind, error)


def _root(walk: Walk, name: str, type: str, text: str, kind: type[Command] | None, error: str) -> Node:
    root = Node(name, 0, walk.data, type, text)
    root.spec, root.error, root.children = kind.spec if kind else "", error, walk.nodes
    fields = kind if type == "command" else kind and kind.Response
    handles = len(_areas(fields)[0]) if fields else 0
    for place, node in enumerate(walk.nodes):
        if node.name != "?":
            node.area = _area(node.name, place, handles)
    return root


_HEADER = 3
"""Fields of a message's header."""


def _area(name: str, place: int, handles: int) -> str:
    """Returns the area of field number `place` of a message with a number of `handles`."""
    if place < _HEADER:
        return "header"
    if name.startswith("authorization"):
        return "authorization"
    return "handles" if place < _HEADER + handles and name != "parameters" else "parameters"


def _header(walk: Walk, what: str, code_type: str, words: str) -> None:
    tag = TPM_ST(int.from_bytes(walk.data[:2], "big"))
    said = int.from_bytes(walk.data[2:6], "big")
    wrong = f", but the message has {len(walk.data)}" if said != len(walk.data) else ""
    code = walk.data[6:HEADER_SIZE].hex()
    walk.number("tag", 2, "TPMI_ST_COMMAND_TAG", f"TPM_ST_{tag.name}" if tag.known else "not a tag of a message")
    walk.number(f"{what}Size", 4, "UINT32", f"{byte_count(said)}{wrong}")
    walk.number(f"{what}Code", 4, code_type, f"0x{code}, {words}")


def _command(walk: Walk, kind: type[Command], sessions: bool) -> None:
    values: dict[str, Any] = {}
    handles, parameters = _areas(kind)
    walk.fields(kind, handles, values)
    encrypted = False
    if sessions:
        said = int.from_bytes(walk.data[walk.place : walk.place + 4], "big")
        size = walk.number("authorizationSize", 4, "UINT32", f"{byte_count(said)} of authorizations")
        attributes = _authorizations(walk, TPMS_AUTH_COMMAND, min(size, walk.left))
        encrypted = bool(attributes & TPMA_SESSION.DECRYPT)
    _parameters(walk, kind, parameters, values, encrypted)


def _response(walk: Walk, kind: type[Record], sessions: bool) -> None:
    values: dict[str, Any] = {}
    handles, parameters = _areas(kind)
    walk.fields(kind, handles, values)
    if not sessions:
        _parameters(walk, kind, parameters, values, False)
        return
    said = int.from_bytes(walk.data[walk.place : walk.place + 4], "big")
    size = walk.number("parameterSize", 4, "UINT32", f"{byte_count(said)} of parameters")
    if size > walk.left:
        raise DecodeError(f"invalid size of the parameters: {byte_count(size)}", walk.place, walk.left)
    with walk.area(size):
        _parameters(walk, kind, parameters, values, _answer_encrypted(walk, size))
    _authorizations(walk, TPMS_AUTH_RESPONSE, walk.left)


def _parameters(
    walk: Walk, kind: type[Record], parameters: list[tuple[str, Any]], values: dict[str, Any], encrypted: bool
) -> None:
    if encrypted and first_parameter(kind) is not None:
        (name, annotation), *parameters = parameters
        walk.encrypted(field_name(name), annotation)
    walk.fields(kind, parameters, values)


def _answer_encrypted(walk: Walk, size: int) -> bool:
    """Returns whether a session encrypts the response's first parameter.

    `size` is the size of the parameters in bytes. The function reads the authorizations after the parameters,
    without moving the walk.
    """
    ahead = Walk(walk.data[walk.place + size :])
    return bool(_authorizations(ahead, TPMS_AUTH_RESPONSE, ahead.left) & TPMA_SESSION.ENCRYPT)


def _authorizations(walk: Walk, kind: type[Record], size: int) -> int:
    """Adds nodes for the authorizations in the next `size` bytes; returns the union of their attributes."""
    attributes = number = 0
    with walk.area(size):
        while walk.left:
            number += 1
            attributes |= walk.value(f"authorization {number}", kind, {}).session_attributes
    return attributes


@cache
def _areas(kind: type[Record]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Returns the fields of the handle area, and the fields of the parameter area."""
    fields = [(name, wire_of(annotation), bool(role_of(annotation))) for name, annotation in kind.fields()]
    handles = [(name, wire) for name, wire, is_handle in fields if is_handle]
    return handles, [(name, wire) for name, wire, is_handle in fields if not is_handle]


def find_commands(response: bytes) -> list[str]:
    """Returns the names of the commands whose responses can have the layout of a successful response, sorted."""
    found = []
    for code in TPM_CC:
        if command_class(int(code)) is not None:
            with contextlib.suppress(DecodeError):
                parse_response(response, int(code))
                found.append(code.name)
    return sorted(found)
