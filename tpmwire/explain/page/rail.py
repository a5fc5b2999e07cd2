"""The rail of the HTML page: all commands and responses as a sequence diagram, whose rows lead to their cards."""

from collections.abc import Sequence
from html import escape

from .cards import Card

__all__ = ["rail_html", "rail_row"]


def rail_html(rows: Sequence[str]) -> str:
    """Returns the rail with its rows as a <nav> element."""
    return (
        '<nav aria-label="Messages"><details open><summary>All messages</summary>'
        '<p class="ends"><span>program</span> <span>TPM</span></p>'
        f'<ol class="rail">{"".join(rows)}</ol></details></nav>'
    )


def rail_row(card: Card) -> str:
    """Returns the row of a card: an arrow with the command, and an arrow with the result."""
    name = escape(card.name.removeprefix("TPM2_"))
    handles = "".join(f" <small>{escape(handle)}</small>" for handle in map(_short, card.handles) if handle)
    lock = ' <small class="lock">encrypted</small>' if any("encrypted" in mark for mark in card.marks) else ""
    asked = f'<span class="q"><b>{card.number}</b> {name}{handles}{lock}</span>'
    kind, sign = {None: ("none", ""), True: ("ok", "✔ "), False: ("no", "✘ ")}[card.ok]
    answered = (
        f'<span class="r {kind}">{sign}{escape(card.result)}</span>' if card.command or card.response else ""
    )
    return f'<li><a href="#x{card.number}">{asked}{answered}</a></li>'


def _short(handle: str) -> str:
    """Returns the name of a permanent handle, or the number of another handle; empty for TPM_RH_NULL."""
    number, _, meaning = handle.partition(", ")
    name = meaning.removeprefix("TPM_RH_")
    return "" if name == "NULL" else number if name == meaning else name
