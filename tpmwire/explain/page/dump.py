"""A message's bytes as HTML: 16 in a line, with offsets, marked by the area of the message."""

from collections.abc import Iterator

from ..tree import Node

__all__ = ["KINDS", "dump"]

KINDS = {"header": "h", "handles": "n", "authorization": "a", "parameters": "p", "encrypted": "e"}
"""The CSS class of each kind of bytes."""

WIDTH = 16


def dump(tree: Node) -> str:
    """Returns the bytes of a message as a <pre> element. Hidden bytes of secrets are shown as `··`."""
    return f'<pre class="d">{"".join(_lines(tree))}</pre>'


def _lines(tree: Node) -> Iterator[str]:
    for offset, octets, kind in _runs(tree):
        place = 0
        while place < len(octets):
            at = offset + place
            if at % WIDTH == 0:
                yield f"{chr(10) * bool(at)}<i>{at:04x}</i> "
            piece = octets[place : place + WIDTH - at % WIDTH]
            yield f' <b class="{kind}">{" ".join(piece)}</b>' if kind else f" <b>{' '.join(piece)}</b>"
            place += len(piece)


def _runs(tree: Node) -> Iterator[tuple[int, list[str], str]]:
    """Yields (offset, bytes in hex, CSS class) for each leaf of the tree and each hidden secret."""
    end = 0
    for leaf, kind in leaves(tree, ""):
        if leaf.offset > end:
            yield end, ["··"] * (leaf.offset - end), kind
        yield leaf.offset, leaf.octets.hex(" ").split(), kind
        end = leaf.offset + leaf.size
    if end < tree.size:
        yield end, ["··"] * (tree.size - end), ""


def leaves(node: Node, kind: str) -> Iterator[tuple[Node, str]]:
    """Yields the nodes that have bytes and no children, each with its CSS class. `kind` is the parent's class."""
    kind = KINDS.get("encrypted" if node.name == "encrypted" else node.area, kind)
    if node.children:
        for child in node.children:
            yield from leaves(child, kind)
    elif node.octets:
        yield node, kind
