"""A session as a sequence diagram in SVG: program and TPM side by side, time downwards."""

from collections.abc import Callable, Iterator
from html import escape

from .session_history import SessionHistory, Step

__all__ = ["STYLE", "diagram"]

PROGRAM, TPM, WIDTH = 70, 690, 760
"""Positions of the two lanes, and the picture's width, in units of its viewBox (pixels at full size)."""

TOP, ROW = 40, 38

STYLE = """
svg.life { width: 100%; max-width: 47.5rem; height: auto; font: 12px system-ui, sans-serif; display: block; }
.life line { stroke: var(--line); } .life .way { stroke: currentColor; } .life text { fill: currentColor; }
.life .alive { stroke: var(--lit); stroke-width: 6; } .life .head { fill: currentColor; }
.life .refused .way { stroke: var(--bad); stroke-dasharray: 5 3; }
.life .refused text, .life .bad { fill: var(--bad); }
.life .end { stroke: var(--bad); stroke-width: 2; } .life .dim { fill: var(--dim); }
.life a:hover text { text-decoration: underline; }
"""


def diagram(history: SessionHistory, link: Callable[[int], str]) -> str:
    """Returns the diagram as SVG. Each step links to its command.

    `link` returns the URL of the tree with an index in the recording.
    """
    return "".join(_picture(history, link))


def _picture(history: SessionHistory, link: Callable[[int], str]) -> Iterator[str]:
    last = TOP + ROW * (len(history.steps) + bool(history.omitted))
    height = last + ROW
    yield f'<svg class="life" viewBox="0 0 {WIDTH} {height}" role="img"><title>{escape(history.title)}</title>'
    for x, name in ((PROGRAM, "program"), (TPM, "TPM")):
        yield f'<text x="{x}" y="16" text-anchor="middle">{name}</text>'
        yield f'<line x1="{x}" y1="24" x2="{x}" y2="{height}"></line>'
    bottom = last if history.ended else height
    yield f'<line class="alive" x1="{TPM}" y1="{TOP + ROW - 10}" x2="{TPM}" y2="{bottom}"></line>'
    for number, step in enumerate(history.steps, 1):
        yield from _row(step, TOP + ROW * number - 8, link)
    if history.omitted:
        text = f"{history.omitted} more commands are not drawn"
        yield f'<text class="dim" x="{PROGRAM + 10}" y="{last - 13}">{text}</text>'
    if history.ended:
        ends = ((-7, 7), (7, -7))
        yield "".join(
            f'<line class="end" x1="{TPM + a}" y1="{last - 7}" x2="{TPM + b}" y2="{last + 7}"></line>'
            for a, b in ends
        )
    else:
        text = "still open at the end of the recording"
        yield f'<text class="dim" x="{TPM - 12}" y="{height - 8}" text-anchor="end">{text}</text>'
    yield "</svg>"


def _row(step: Step, y: int, link: Callable[[int], str]) -> Iterator[str]:
    kind = "step refused" if step.ok is False else "step"
    said = step.text or (f"policyDigest {step.digest.hex()[:12]}…" if step.digest else "a step of the policy")
    if step.ok is False:
        said = f"{said}: refused"
    yield f'<g class="{kind}"><a href="{escape(link(step.place))}">'
    yield f'<text x="{PROGRAM + 10}" y="{y - 5}">{escape(step.name)}: {escape(said)}</text></a>'
    if step.verdict:
        bad = ' class="bad"' if "not" in step.verdict else ' class="dim"'
        yield f'<text{bad} x="{TPM - 12}" y="{y + 13}" text-anchor="end">{escape(step.verdict)}</text>'
    yield f'<line class="way" x1="{PROGRAM}" y1="{y}" x2="{TPM - 6}" y2="{y}"></line>'
    yield f'<path class="head" d="M{TPM - 4} {y} l-9 -4 v8 z"></path></g>'
