"""Formats trees as human-readable text, and as plain values for JSON."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..wires import byte_count
from .facts import Knowledge
from .tree import Node

__all__ = ["Line", "as_json", "as_text", "blank_secrets", "hide_secrets", "lines"]

FIRST, NEXT = 8, 16
"""Numbers of bytes on the first line of a field, and on each following line."""

COLUMN = 3 * FIRST + 8


def as_text(node: Node, *, secrets: bool = True, hidden: str = "not shown") -> str:
    """Returns the tree as text, one line per node: offset, bytes, name, meaning, type and section.

    Every byte is shown once. If `secrets` is false, the bytes of a secret field are replaced by its size and
    `hidden`.
    """
    return "\n".join(line.text for line in lines(node, secrets=secrets, hidden=hidden))


class Line(NamedTuple):
    """A line of an explanation, in parts. `extra` is the type and the section of the standard.

    The line of a derived value has " =" instead of an offset.
    """

    offset: str
    octets: str = ""
    indent: str = ""
    name: str = ""
    meaning: str = ""
    extra: str = ""
    error: str = ""

    @property
    def text(self) -> str:
        """The whole line."""
        if self.error:
            return f"! {self.error}"
        if not self.name:
            return f"{self.offset}  {self.octets}"
        meaning = f": {self.meaning}" if self.meaning else ""
        what = f"{self.indent}{self.name}{meaning}{f'  [{self.extra}]' if self.extra else ''}"
        return f"{self.offset}  {self.octets:{COLUMN - 6}}{what}".rstrip()


def lines(node: Node, *, secrets: bool = True, hidden: str = "not shown") -> Iterator[Line]:
    """Yields the lines of `as_text` split into their parts, for coloured output."""
    found: list[Line] = []
    _collect(node if secrets else hide_secrets(node, hidden), 0, True, found)
    yield from found
    if node.error:
        yield Line("", error=node.error)


def _collect(node: Node, depth: int, crossed: bool, found: list[Line]) -> None:
    """Appends the lines of a node to `found`.

    `crossed` is true if the node's bytes are in the message, and false for a derived value.
    """
    # Nested generators would double the time.
    shown, children = node, node.children
    # The size of a TPM2B and the count of a TPML are part of the field's line.
    if children and children[0].name in ("size", "count"):
        shown, children = children[0], children[1:]
    octets = b"" if children and shown is node else shown.octets
    extra = ", ".join([part for part in (node.type, node.spec, "secret" if node.secret else "") if part])
    # The content of a TPM2B that is not a structure is part of the field's line.
    if len(children) == 1 and not children[0].type and children[0].name == "buffer" and shown is not node:
        octets, children = octets + children[0].octets, []

    place = f"{node.offset:04x}" if crossed else "   ="
    found.append(Line(place, octets[:FIRST].hex(" "), "  " * depth, node.name, node.text, extra))
    for start in range(FIRST, len(octets), NEXT):
        place = f"{node.offset + start:04x}" if crossed else "   ="
        found.append(Line(place, octets[start : start + NEXT].hex(" ")))
    for child in children:
        _collect(child, depth + 1, crossed, found)
    for value in node.beside:
        _collect(value, depth + 1, False, found)
        if value.error:
            found.append(Line("", error=value.error))


def blank_secrets(tree: Node) -> bytes:
    """Returns the bytes of a tree's message with zeros in place of secret fields."""
    message = bytearray(tree.octets)

    def blank(node: Node, secret: bool) -> None:
        secret = secret or node.secret
        for child in node.children:
            blank(child, secret)
        if secret and not node.children and node.name != "size":
            message[node.offset : node.offset + node.size] = bytes(node.size)

    blank(tree, False)
    return bytes(message)


def hide_secrets(node: Node, hidden: str) -> Node:
    """Returns a copy of the tree in which secret fields have no bytes, and `hidden` as their meaning."""
    shown = Node(node.name, node.offset, node.octets, node.type, node.text)
    shown.area, shown.spec, shown.secret, shown.error = node.area, node.spec, node.secret, node.error
    shown.children = [] if node.secret else [hide_secrets(child, hidden) for child in node.children]
    shown.beside = [] if node.secret else [hide_secrets(value, hidden) for value in node.beside]
    shown.knowledge = [
        Knowledge(known.title, [f._replace(value=None, text=hidden) if f.secret else f for f in known.facts])
        for known in node.knowledge
    ]
    if node.secret:
        shown.octets = b""
        shown.text = f"{byte_count(node.size)}, {hidden}" if node.size else node.text
    return shown


def as_json(node: Node, *, secrets: bool = True) -> dict[str, Any]:
    """Returns the tree as plain values: name, offset, size, octets (hex), and other non-empty attributes.

    Without `secrets`, the octets and the children of secret fields are omitted, and the octets of all nodes that
    have children.
    """
    plain: dict[str, Any] = {"name": node.name, "offset": node.offset, "size": len(node.octets)}
    if node.secret and not secrets:
        return plain | {"type": node.type, "secret": True}
    if secrets or not node.children:
        plain["octets"] = node.octets.hex()
    if node.type:
        plain["type"] = node.type
    if node.text:
        plain["text"] = node.text
    if node.spec:
        plain["spec"] = node.spec
    if node.secret:
        plain["secret"] = True
    if node.error:
        plain["error"] = node.error
    if node.seconds is not None:
        plain["seconds"] = round(node.seconds, 6)
    if node.children:
        plain["children"] = [as_json(child, secrets=secrets) for child in node.children]
    if node.beside:
        plain["beside"] = [as_json(child, secrets=secrets) for child in node.beside]
    return plain
