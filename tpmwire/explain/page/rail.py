"""The sequence diagram of the HTML page: a row for each command and response, with a link to its card."""

import bisect
from collections.abc import Sequence
from html import escape

from ..session_history import SessionHistory
from .cards import Card

__all__ = ["rail_html", "rail_row", "session_bars"]

LANES = 3
"""Sessions whose life is shown beside a row."""


def rail_html(rows: Sequence[str], bars: Sequence[str]) -> str:
    """Returns the sequence diagram of all messages as an HTML <nav> element.

    `rows` has the HTML of each row, `bars` the HTML of its session bars (see `session_bars`).
    """
    items = "".join(f"<li>{row}{bar}</li>" for row, bar in zip(rows, bars, strict=True))
    return (
        '<nav aria-label="Messages"><details open><summary>All messages</summary>'
        '<p class="ends"><span>program</span> <span>TPM</span></p>'
        f'<ol class="rail">{items}</ol></details></nav>'
    )


def session_bars(places: Sequence[int], histories: Sequence[SessionHistory]) -> list[str]:
    """Returns, for the rows of the cards that begin at `places`, bars that show which sessions are open.

    The first `LANES` sessions that are open at the same time have a bar.
    """
    rows: list[list[str]] = [[] for _ in places]
    free: dict[int, int] = dict.fromkeys(range(LANES), -1)  # lane: its last row
    last = places[-1] + 1 if places else 0
    for history in histories:
        first = history.steps[0].place
        end = history.steps[-1].place if history.ended and not history.omitted else last
        begin, finish = bisect.bisect(places, first) - 1, bisect.bisect(places, end) - 1
        lane = next((lane for lane, row in free.items() if row < max(begin, 0)), None)
        if finish < 0 or lane is None or first > last:
            continue
        free[lane] = finish
        title = escape(history.title.partition(",")[0])
        for row in range(max(begin, 0), finish + 1):
            edge = " top" * (row == begin) + " end" * (row == finish and end < last)
            rows[row].append(f'<i class="l{lane}{edge}" title="{title}"></i>')
    return ["".join(bars) for bars in rows]


def rail_row(card: Card) -> str:
    """Returns the row of a card: an arrow with the command, and an arrow with the result."""
    name = escape(card.name.removeprefix("TPM2_"))
    handles = "".join(f" <small>{escape(handle)}</small>" for handle in map(_short, card.handles) if handle)
    lock = ' <small class="lock">encrypted</small>' if any("encrypted" in mark for mark in card.marks) else ""
    asked = f'<span class="q"><b>{card.number}</b> {name}{handles}{lock}</span>'
    kind, sign = {None: ("none", ""), True: ("ok", "✔ "), False: ("no", "✘ ")}[card.ok]
    took = f" <small>{card.duration}</small>" if card.duration else ""
    answered = (
        f'<span class="r {kind}">{sign}{escape(card.result)}{took}</span>' if card.command or card.response else ""
    )
    return f'<a href="#x{card.number}">{asked}{answered}</a>'


def _short(handle: str) -> str:
    """Returns the name of a permanent handle, or the number of another handle; empty for TPM_RH_NULL."""
    number, _, meaning = handle.partition(", ")
    name = meaning.removeprefix("TPM_RH_")
    return "" if name == "NULL" else number if name == meaning else name
