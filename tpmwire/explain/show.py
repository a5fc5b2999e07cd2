"""A tree as text for people and as plain values for JSON."""

from collections.abc import Iterator
from typing import Any

from .tree import Node

__all__ = ["as_json", "as_text"]

WIDTH = 8
"""Octets of a leaf on one line."""


def as_text(node: Node) -> str:
    """A line for each octet group: offset, octets, name, meaning, type."""
    return "\n".join(_lines(node, 0))


def _lines(node: Node, depth: int) -> Iterator[str]:
    shown = node.octets[:WIDTH].hex(" ") if not node.children else ""
    more = "..." if not node.children and len(node.octets) > WIDTH else ""
    label = "  " * depth + node.name
    text = f": {node.text}" if node.text else ""
    extra = ", ".join(part for part in (node.type, node.spec) if part and part != node.name)
    what = f"{label}{text}{f'  [{extra}]' if extra else ''}"
    yield f"{node.offset:04x}  {shown + more:{3 * WIDTH + 3}} {what}".rstrip()
    for child in node.children:
        yield from _lines(child, depth + 1)
    if node.error:
        yield f"      {'':{3 * WIDTH + 3}} {'  ' * (depth + 1)}! {node.error}"


def as_json(node: Node) -> dict[str, Any]:
    """Plain values: name, offset, size, octets (hex), type, text, spec, children, error; without empty ones."""
    plain: dict[str, Any] = {"name": node.name, "offset": node.offset, "size": len(node.octets)}
    plain["octets"] = node.octets.hex()
    for name in ("type", "text", "spec", "error"):
        if getattr(node, name):
            plain[name] = getattr(node, name)
    if node.children:
        plain["children"] = [as_json(child) for child in node.children]
    return plain
