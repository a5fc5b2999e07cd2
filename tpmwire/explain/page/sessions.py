"""The sessions of a recording as HTML: the commands of each session in order, and its policy step by step."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from ..bounds import SESSIONS
from ..session_history import SessionHistory, Step

__all__ = ["sessions_html"]

OPEN = 4
"""Sessions whose commands are shown at first; if there are more, all sessions are folded."""


def sessions_html(histories: Sequence[SessionHistory], link: Callable[[int], str], *, steps: bool = False) -> str:
    """Returns the HTML of the sessions. `link` returns the URL of the message with an index in the recording.

    `steps` adds buttons that step through the messages of a session, which must be on the same page.
    """
    if not histories:
        return ""
    shown = len(histories) <= OPEN
    sections = ["".join(_session(history, link, shown=shown, steps=steps)) for history in histories]
    if len(histories) == SESSIONS:
        sections.append(f"<p>Further sessions are not shown: the recording has {SESSIONS} or more.</p>")
    return f'<section class="sessions"><h2>Sessions</h2>{"".join(sections)}</section>'


def _session(history: SessionHistory, link: Callable[[int], str], *, shown: bool, steps: bool) -> Iterator[str]:
    title, *facts = history.title.split(", ")
    chips = "".join(f" <em>{escape(fact)}</em>" for fact in facts)
    yield f'<details class="life"{" open" * shown}><summary><b>{escape(title)}</b>{chips}</summary><ol>'
    yield from (_step(step, link) for step in history.steps if step.inputs is None)
    if history.omitted:
        yield f"<li>{history.omitted} more commands are not shown</li>"
    if not history.ended:
        yield '<li class="dim">still open at the end of the recording</li>'
    yield "</ol>"
    if steps:
        places = " ".join(str(step.place) for step in history.steps)
        yield f'<p><button class="go" data-p="{places}">Step through this session</button></p>'
    if history.policy:
        yield '<table class="policy"><thead><tr><th>step</th><th>policy command</th>'
        yield "<th>policyDigest after the command</th></tr></thead>"
    for number, step in enumerate(history.policy, 1):
        name = f'<a href="{escape(link(step.place))}">{escape(step.name)}</a>'
        yield f"<tr><td>{number}</td><td>{name} {escape(step.inputs or '')}</td>"
        digest = step.digest.hex() if step.digest is not None else "unknown: not in this recording"
        yield f"<td><code>{digest}</code> <i>{escape(step.formula)}</i></td></tr>"
    yield "</table></details>" if history.policy else "</details>"


def _step(step: Step, link: Callable[[int], str]) -> str:
    bad = step.ok is False
    verdict = ""
    if step.verdict:
        verdict = f' <em class="{"no" if "not" in step.verdict else "ok"}">{escape(step.verdict)}</em>'
    refused = ' <em class="no">✘ refused</em>' if bad else ""
    return (
        f'<li class="{"bad" * bad}"><a href="{escape(link(step.place))}">{escape(step.name)}</a>: '
        f"{escape(step.text)}{verdict}{refused}</li>"
    )
