"""HTML of the values that each side of a session knows after a message."""

from collections.abc import Iterator, Sequence
from html import escape

from ..facts import GROUPS, Fact, Knowledge

__all__ = ["sides_html"]


def sides_html(known: Sequence[Knowledge]) -> str:
    """Returns the knowledge about the sessions of a message as a <details> element; empty without sessions."""
    if not known:
        return ""
    body = "".join(f'<p class="who"><b>{escape(each.title)}</b></p>{"".join(_groups(each))}' for each in known)
    return f'<details class="w"><summary>What each side knows</summary>{body}</details>'


def _groups(known: Knowledge) -> Iterator[str]:
    for sides, title in GROUPS.items():
        facts = [fact for fact in known.facts if fact.sides == sides]
        if facts:
            yield f'<p class="dim">{title}</p><ul>{"".join(map(_fact, facts))}</ul>'


def _fact(fact: Fact) -> str:
    value = "" if fact.value is None else f" <code>{fact.value.hex() or 'empty'}</code>"
    kind = "no" if fact.wrong else "new" if fact.new else ""
    attribute = f' class="{kind}"' if kind else ""
    return f"<li{attribute}><b>{escape(fact.name)}</b>{value} <i>{escape(fact.text)}</i></li>"
