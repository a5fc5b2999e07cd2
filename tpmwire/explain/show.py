"""A tree as text for people and as plain values for JSON."""

from collections.abc import Iterator
from typing import Any

from .tree import Node

__all__ = ["as_json", "as_text"]

FIRST, NEXT = 8, 16
"""Octets on the line that names a field, and on those below it, which have the room."""

COLUMN = 3 * FIRST + 8


def as_text(node: Node, *, secrets: bool = True) -> str:
    """A line for each node: offset, octets, name, meaning, type and section. Every octet is shown once.

    Without `secrets` the octets of secret fields are left out, and what is said of them is their number.
    """
    lines = list(_lines(node if secrets else _hidden(node), 0))
    return "\n".join([*lines, f"! {node.error}"] if node.error else lines)


def _lines(node: Node, depth: int) -> Iterator[str]:
    shown, children = node, node.children
    # The size of a TPM2B and the count of a TPML stand on the line of the whole.
    if children and children[0].name in ("size", "count"):
        shown, children = children[0], children[1:]
    octets = b"" if children and shown is node else shown.octets
    label = "  " * depth + node.name + (f": {node.text}" if node.text else "")
    extra = ", ".join(part for part in (node.type, node.spec, "secret" if node.secret else "") if part)
    # What is in a TPM2B without structure has been said on its line.
    if len(children) == 1 and not children[0].type and children[0].name == "buffer" and shown is not node:
        octets, children = octets + children[0].octets, []
    what = f"{label}{f'  [{extra}]' if extra else ''}"
    yield f"{node.offset:04x}  {octets[:FIRST].hex(' '):{COLUMN - 6}}{what}".rstrip()
    for start in range(FIRST, len(octets), NEXT):
        yield f"{node.offset + start:04x}  {octets[start : start + NEXT].hex(' ')}"
    for child in children:
        yield from _lines(child, depth + 1)


def _hidden(node: Node) -> Node:
    """A copy in which secret fields have no octets, nor what tells them."""
    shown = Node(node.name, node.offset, node.octets, node.type, node.text)
    shown.spec, shown.secret, shown.error = node.spec, node.secret, node.error
    shown.children = [] if node.secret else [_hidden(child) for child in node.children]
    if node.secret:
        shown.octets = b""
        shown.text = f"{node.size} octets, not shown (--secrets shows them)" if node.size else node.text
    return shown


def as_json(node: Node) -> dict[str, Any]:
    """Plain values: name, offset, size, octets (hex), type, text, spec, secret, error, children; no empty ones."""
    plain: dict[str, Any] = {"name": node.name, "offset": node.offset, "size": node.size}
    plain["octets"] = node.octets.hex()
    for name in ("type", "text", "spec", "secret", "error"):
        if getattr(node, name):
            plain[name] = getattr(node, name)
    if node.children:
        plain["children"] = [as_json(child) for child in node.children]
    return plain
