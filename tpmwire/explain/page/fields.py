"""A message's fields as HTML: a nested list, in which each row names the bytes that it highlights."""

import re
from collections.abc import Iterator
from html import escape

from ..tree import Node
from .dump import KINDS

__all__ = ["field_list"]

_FOLDED = ("size", "count")
"""Fields that belong to the row of their parent, as do buffers."""


def field_list(tree: Node) -> str:
    """Returns the fields of a message as an <ul> element."""
    return f'<ul class="t">{"".join(_items(tree))}</ul>'


def _items(tree: Node) -> Iterator[str]:
    area = ""
    for child in tree.children:
        if not child.octets and child.name == "parameters":  # after an error
            continue
        yield from _field(child, child.area if child.area != area else "")
        area = child.area
    for value in tree.beside:
        yield from _derived(value, "0 0")


def _field(node: Node, area: str = "") -> Iterator[str]:
    """Yields the HTML of a node as a list item. `area` is the message's area that begins here, or empty."""
    kind = KINDS.get(node.area, "")
    attributes = f' class="{kind}{" g" * bool(area)}"' if kind else ""
    title = f' data-g="{area}"' if area else ""
    hidden = sum(child.offset + child.size for child in node.children[-1:]) - node.offset
    place = f"{node.offset} {max(node.size, hidden)}"
    yield f'<li{attributes}{title}><span class="f" data-o="{place}">{_words(node)}</span>'
    children = [child for child in node.children if not _folded(child)]
    if children or node.beside:
        yield "<ul>"
        for child in children:
            yield from _field(child)
        for value in node.beside:
            yield from _derived(value, place)
        yield "</ul>"
    yield "</li>\n"


def _folded(node: Node) -> bool:
    """Returns whether a node is shown in the row of its parent: the size, and the content if it has no fields."""
    if node.children or node.beside or node.error:
        return False
    return node.name in _FOLDED or (node.name in ("buffer", "encrypted") and not node.type)


def _derived(node: Node, place: str) -> Iterator[str]:
    """Yields the HTML of a derived value. `place` is the offset and the size of the bytes that it highlights."""
    octets = "" if node.children or not node.octets else f" <code>{node.octets.hex()}</code>"
    yield f'<li><span class="f k" data-o="{place}">{_words(node)}{octets}</span>'
    if node.error:
        yield f'<p class="error">{escape(node.error)}</p>'
    children = [child for child in node.children if not _folded(child)]
    if children:
        yield "<ul>"
        for child in children:
            yield from _derived(child, place)
        yield "</ul>"
    yield "</li>"


def _words(node: Node) -> str:
    """Returns the name, the meaning, the type and the section of a node. Attributes become chips."""
    text = ""
    if node.text and node.type.startswith("TPMA_"):
        text = " " + " ".join(f"<em>{escape(word)}</em>" for word in re.split(r"[|] ?|, ", node.text))
    elif node.text:
        text = f": {escape(node.text)}"
    notes = [note for note in (node.type, node.spec, "secret" if node.secret else "") if note]
    extra = f" <i>{escape(', '.join(notes))}</i>" if notes else ""
    return f"<b>{escape(node.name)}</b>{text}{extra}"
