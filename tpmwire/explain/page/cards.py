"""A command and its response as one card of the HTML page."""

from collections.abc import Iterator
from html import escape

from ...spec.response_texts import explain
from ...wires import byte_count
from ..annotations import INVALID_HMAC
from ..meanings import CLEARTEXT
from ..tree import Node
from .dump import dump
from .fields import field_list
from .sides import sides_html

__all__ = ["Card", "card_html", "result_of"]


class Card:
    """A command with its response, a message alone, or another structure.

    `number` counts the cards of a recording from 1, `place` its messages from 0.
    """

    def __init__(self, number: int, place: int) -> None:
        self.number = number
        self.place = place
        self.command: Node | None = None
        self.other: Node | None = None
        self.response: Node | None = None

    def add(self, tree: Node) -> bool:
        """Adds the tree of the next message. Returns False if the message begins another card."""
        if self.command is None and self.other is None and self.response is None:
            if tree.type in ("command", "response"):
                setattr(self, tree.type, tree)
            else:
                self.other = tree
            return True
        if tree.type == "response" and self.command is not None and self.response is None:
            self.response = tree
            return True
        return False

    @property
    def trees(self) -> list[Node]:
        """The card's messages, in order."""
        return [tree for tree in (self.command, self.other, self.response) if tree is not None]

    @property
    def name(self) -> str:
        """The name of the command, or of the other structure."""
        return self.trees[0].name if self.command or self.other else self.trees[0].text

    @property
    def ok(self) -> bool | None:
        """Whether the TPM executed the command; None without a response."""
        return None if self.response is None else not any(self.response.octets[6:10])

    @property
    def handles(self) -> list[str]:
        """The handles of the command, with their meanings."""
        return [] if self.command is None else _handles(self.command)

    @property
    def result(self) -> str:
        """The new handle or the name of the response code; empty for other successful responses."""
        if self.response is None:
            return "" if self.command is None else "no response"
        return result_of(self.response)

    @property
    def duration(self) -> str:
        """The time from the command to the response; empty if the recording has no times."""
        seconds = None if self.response is None else self.response.seconds
        if seconds is None:
            return ""
        return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f} ms"

    @property
    def marks(self) -> list[str]:
        """Facts about the authorizations and the encryption, each in two or three words."""
        marks: list[str] = []
        for tree, name in ((self.command, "command"), (self.response, "response")):
            for node in [] if tree is None else tree.children:
                if any(child.name == "encrypted" for child in node.children):
                    opened = any("(plain" in value.text for value in node.beside)
                    marks.append(f"{name} encrypted{', decrypted here' if opened else ''}")
                texts = [child.text for child in node.children if child.name == "hmac"]
                marks += ["password in cleartext"] * any(CLEARTEXT in text for text in texts)
                marks += [f"invalid HMAC in the {name}"] * any(INVALID_HMAC in text for text in texts)
        return marks


def result_of(response: Node) -> str:
    """Returns the new handle or the name of the response code; empty for other successful responses."""
    code = int.from_bytes(response.octets[6:10], "big")
    if code:
        return explain(code).name
    handles = _handles(response)
    return handles[0].partition(",")[0] if handles else ""


def _handles(tree: Node) -> list[str]:
    return [node.text for node in tree.children if node.area == "handles"]


def card_html(card: Card) -> str:
    """Returns the HTML of a card."""
    return "".join(_card(card))


def _card(card: Card) -> Iterator[str]:
    bad = card.ok is False or any(tree.error for tree in card.trees)
    first = card.trees[0]
    yield f'<article class="x{" bad" * bad}" id="x{card.number}"><h2>'
    yield f'<a href="#x{card.number}" title="permalink">{card.number}</a> {escape(card.name)}'
    if card.response or card.command:
        yield f' <em class="{_class(card.ok)}">{_sign(card.ok)}{escape(card.result or "success")}</em>'
    if card.duration:
        yield f' <em class="mark">{card.duration}</em>'
    yield "".join(f' <em class="{"no" if "invalid" in mark else "mark"}">{mark}</em>' for mark in card.marks)
    about = first.text if card.name != first.text else ""
    yield f'</h2><p class="about">{escape(about)} {f"({escape(first.spec)})" if first.spec else ""}</p>'
    for place, tree in enumerate(card.trees, card.place):
        yield from _message(tree, place)
    yield "</article>"


def _class(ok: bool | None) -> str:
    return "none" if ok is None else "ok" if ok else "no"


def _sign(ok: bool | None) -> str:
    return "" if ok is None else "✔ " if ok else "✘ "


def _message(tree: Node, place: int) -> Iterator[str]:
    title = tree.type if tree.type in ("command", "response") else "structure"
    yield f'<section class="m" id="m{place}"><h3>{title.capitalize()} <small>{byte_count(tree.size)}</small></h3>'
    yield f'<div class="c">{dump(tree)}{field_list(tree)}</div>'
    yield sides_html(tree.knowledge)
    if tree.error:
        yield f'<p class="error">{escape(tree.error)}</p>'
    yield "</section>"
