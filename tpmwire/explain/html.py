"""Explanations as self-contained HTML pages.

A page has a summary, the rail (all messages as a sequence diagram), the sessions, and a card for each command with
its response. Fields highlight their bytes, and bytes their field.
"""

from collections.abc import Iterable, Sequence
from html import escape

from .page.cards import Card, card_html
from .page.dump import KINDS
from .page.rail import rail_html, rail_row, session_bars
from .page.script import SCRIPT
from .page.sessions import sessions_html
from .page.style import STYLE
from .recording_summary import RecordingSummary
from .session_history import SessionHistory
from .tree import Node

__all__ = ["PageBuilder", "as_html", "html_page"]

LISTED = 200
"""Refused commands that the first of several pages lists."""


def as_html(
    trees: Sequence[Node], title: str = "TPM 2.0 messages", histories: Sequence[SessionHistory] = ()
) -> str:
    """Returns an HTML page with the trees of a recording's messages, and the `histories` of its sessions.

    The page loads nothing and sends nothing.
    """
    builder, summary = PageBuilder(), RecordingSummary()
    for tree in trees:
        builder.add(tree)
        summary.add(tree)
    return builder.build(title, summary.text(histories), histories)


class PageBuilder:
    """Builds the HTML pages of a recording. Each page has a card for each command and its response.

    Cards are numbered over all pages. `refused` lists the first refused commands of the recording as (index of the
    message, name and result).
    """

    def __init__(self) -> None:
        self._number = self._place = 0
        self._open: Card | None = None
        self.refused: list[tuple[int, str]] = []
        self._clear()

    def _clear(self) -> None:
        self._cards: list[str] = []
        self._rows: list[str] = []
        self._places: list[int] = []
        self._all_executed, self._messages = True, False
        self.messages = 0
        self.size = 0

    def add(self, tree: Node) -> None:
        """Adds the tree of the next message."""
        if self._open is None or not self._open.add(tree):
            self.close_card()
            self._number += 1
            self._open = Card(self._number, self._place)
            self._open.add(tree)
        self._place += 1
        self.messages += 1

    def waits_for(self, tree: Node) -> bool:
        """Returns whether the last card of the page is a command that `tree` responds to."""
        card = self._open
        return card is not None and card.command is not None and card.response is None and tree.type == "response"

    def close_card(self) -> None:
        """Completes the last card, if any."""
        if self._open is not None:
            if self._open.ok is False:
                self._all_executed = False
                if len(self.refused) < LISTED:
                    self.refused.append((self._open.place, f"{self._open.name}: {self._open.result}"))
            self._cards.append(card_html(self._open))
            self._rows.append(rail_row(self._open))
            self._places.append(self._open.place)
            self._messages |= self._open.other is None
            self.size += len(self._cards[-1]) + len(self._rows[-1])
            self._open = None

    def build(
        self,
        title: str,
        summary: str,
        histories: Sequence[SessionHistory] = (),
        above: str = "",
        *,
        list_sessions: bool = True,
    ) -> str:
        """Returns the page, and forgets its cards. `list_sessions` adds the steps of the sessions.

        `above` is HTML for the header.
        """
        self.close_card()
        alone = len(self._rows) < 2
        sessions = "" if not list_sessions else sessions_html(histories, lambda place: f"#m{place}", steps=True)
        body = ["" if alone else _STEPS, sessions, *self._cards]
        page = html_page(
            title,
            summary,
            body,
            rail="" if alone else rail_html(self._rows, session_bars(self._places, histories)),
            above=above + _tools(refused=not self._all_executed) * (not alone) + _legend() * self._messages,
        )
        self._clear()
        return page


_STEPS = (
    '<div class="bar" hidden><button id="back">← previous</button> <button id="next">next →</button> '
    '<button id="all">show all</button> <span id="step" role="status"></span></div>'
)


def _tools(*, refused: bool) -> str:
    only = '<label><input type="checkbox" id="refused"> refused only</label>' if refused else ""
    return (
        '<div class="tools"><label>Filter: <input type="search" id="find" placeholder="name, handle, hex"></label>'
        f'{only} <button class="go">Step through</button> <span id="told" role="status"></span></div>'
    )


def _legend() -> str:
    marks = "".join(f'<li><b class="{kind}">00 00</b> {name}</li>' for name, kind in KINDS.items())
    return f'<ul class="legend" aria-label="Kinds of bytes">{marks}</ul>'


def html_page(title: str, summary: str, body: Iterable[str], rail: str = "", above: str = "") -> str:
    """Returns an HTML page. `body`, `rail` and `above` (in the header) are HTML, `title` and `summary` text."""
    # A recording may be hostile, so its text is escaped, and the page's policy forbids loading anything.
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    content = "\n".join(body)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{f'<p class="summary">{escape(summary)}</p>' if summary else ""}
{above}
</header>
<div class="page{"" if rail else " alone"}">
{rail}
<main>
{content}
</main>
</div>
<footer><p>Point at a field to see its bytes, or at bytes to see their field. Keys: Tab, arrows, / (filter),
Escape (end of stepping).
Sections are those of the TPM 2.0 Library Specification of the Trusted Computing Group.</p></footer>
<script>{SCRIPT}</script>
</body>
</html>
"""
