"""Explanations as self-contained HTML pages, which highlight the bytes of a field or the field of a byte.

A page begins with the sessions of a recording. Each session has a diagram of its commands, and a table of its
policy's steps.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from html import escape

from .bounds import SESSIONS
from .diagram import STYLE, diagram
from .session_history import SessionHistory
from .tree import Node

__all__ = ["as_html", "html_page", "html_section", "html_sessions"]

_STYLE = f"""{STYLE}
.policy td {{ padding: .1rem .8rem .1rem 0; vertical-align: top; }}
.policy code, .k code {{ font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }}
.k {{ border-left: 3px solid var(--lit); }} .life-of {{ display: block; }}
"""
_STYLE += """
:root { color-scheme: light dark; --line: #8884; --dim: #777; --lit: #ffd54a; --bad: #c62828; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
section { display: grid; grid-template-columns: 24.5rem 1fr; gap: 0 1.5rem; border-top: 1px solid var(--line); }
h2 { grid-column: 1 / 3; font-size: 1.05rem; margin: 1rem 0 .3rem; }
h2 small { color: var(--dim); font-weight: normal; }
.octets { font: 13px/1.6 ui-monospace, monospace; align-self: start; position: sticky; top: .5rem;
  max-height: 95vh; overflow-y: auto; overflow-wrap: anywhere; padding: .3rem 0 1rem; }
.octets span, .f { border-radius: 3px; }
ul { list-style: none; margin: 0; padding: 0 0 0 1.1rem; }
section > ul { padding: .3rem 0 1rem; }
.f { display: block; padding: 0 .3rem; }
.f b { font-weight: 600; } .policy i, .f i, footer { color: var(--dim); font-style: normal; font-size: .85em; }
.lit { background: var(--lit); color: #000; } .lit i { color: #333; }
.error { color: var(--bad); grid-column: 1 / 3; }
@media (max-width: 50rem) { section { display: block; } .octets { position: static; } }
"""

_SCRIPT = """
document.querySelectorAll('section').forEach(function (section) {
  var leaves = section.querySelectorAll('.octets span'), fields = section.querySelectorAll('.f');
  function light(field) {
    section.querySelectorAll('.lit').forEach(function (old) { old.classList.remove('lit'); });
    if (!field) return;
    field.classList.add('lit');
    for (var n = +field.dataset.from; n < +field.dataset.to; n++) leaves[n].classList.add('lit');
  }
  fields.forEach(function (field) {
    field.addEventListener('mouseenter', function () { light(field); });
    field.addEventListener('focus', function () { light(field); });
    field.addEventListener('mouseleave', function () { light(null); });
  });
  leaves.forEach(function (leaf, n) {
    leaf.addEventListener('mouseenter', function () {
      var narrow = null;
      fields.forEach(function (field) {
        if (!field.classList.contains('k') && +field.dataset.from <= n && n < +field.dataset.to)
          narrow = field;
      });
      light(narrow);
    });
    leaf.addEventListener('mouseleave', function () { light(null); });
  });
});
"""


def as_html(
    trees: Sequence[Node], title: str = "TPM 2.0 messages", histories: Sequence[SessionHistory] = ()
) -> str:
    """Returns an HTML page with the sessions' `histories`, followed by the trees.

    The page loads nothing and sends nothing.
    """
    sections = (html_section(tree, number) for number, tree in enumerate(trees))
    return html_page(title, [html_sessions(histories), *sections])


def html_page(title: str, parts: Iterable[str], pointing: bool = True) -> str:
    """Returns an HTML page whose body has the given parts, in HTML.

    `pointing` adds a hint that pointing at a field or at bytes highlights the other.
    """
    # A recording may be hostile, so its text is escaped, and the page's policy forbids loading anything.
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    body = "\n".join(parts)
    hint = "<p>Point at a field to see its bytes, or at bytes to see their field.</p>" if pointing else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{hint}
{body}
<footer>Sections are those of the TPM 2.0 Library Specification of the Trusted Computing Group.</footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def html_sessions(
    histories: Sequence[SessionHistory], link: Callable[[int], str] = lambda place: f"#m{place}"
) -> str:
    """Returns the HTML of the sessions. `link` returns the URL of the tree with an index in the recording."""
    sections = ["".join(_history(history, link)) for history in histories]
    if len(histories) == SESSIONS:
        sections.append(f"<p>Further sessions are not drawn: the recording has {SESSIONS} or more.</p>")
    return "\n".join(sections)


def _history(history: SessionHistory, link: Callable[[int], str]) -> Iterator[str]:
    yield f'<section class="life-of"><h2>{escape(history.title)}</h2>{diagram(history, link)}'
    if history.policy:
        yield '<table class="policy"><tr><th>step</th><th>command</th><th>policyDigest after it</th></tr>'
    for number, step in enumerate(history.policy, 1):
        name = f'<a href="{escape(link(step.place))}">{escape(step.name)}</a>'
        yield f"<tr><td>{number}</td><td>{name} {escape(step.inputs or '')}</td>"
        digest = step.digest.hex() if step.digest is not None else "unknown: not in this recording"
        yield f"<td><code>{digest}</code> <i>{escape(step.formula)}</i></td></tr>"
    yield "</table></section>" if history.policy else "</section>"


def html_section(tree: Node, number: int) -> str:
    """Returns the HTML of a message. Its anchor is `m` followed by `number`."""
    return "".join(_section(tree, number))


def _section(tree: Node, number: int) -> Iterator[str]:
    leaves = list(_leaves(tree))
    yield f'<section id="m{number}"><h2>{escape(tree.name)} <small>{escape(tree.text)}'
    yield f" [{escape(tree.spec)}]</small></h2>" if tree.spec else "</small></h2>"
    yield '<div class="octets">'
    for leaf in leaves:
        yield f'<span title="{escape(leaf.name)}">{leaf.octets.hex(" ")}</span> '
    yield "</div><ul>"
    place = 0
    for child in tree.children:
        place = yield from _field(child, place)
    for value in tree.beside:
        yield from _render_derived(value, 0, 0)
    yield "</ul>"
    if tree.error:
        yield f'<p class="error">{escape(tree.error)}</p>'
    yield "</section>"


def _field(node: Node, place: int) -> Generator[str, None, int]:
    """Yields the HTML of a node as a list item, and returns the number of the next leaf.

    `place` is the number of the node's first leaf in the message.
    """
    end = place + sum(1 for _ in _leaves(node))
    text = f": {escape(node.text)}" if node.text else ""
    notes = [note for note in (node.type, node.spec, "secret" if node.secret else "") if note]
    extra = f" <i>{escape(', '.join(notes))}</i>" if notes else ""
    yield f'<li><span class="f" tabindex="0" data-from="{place}" data-to="{end}">'
    yield f"<b>{escape(node.name)}</b>{text}{extra}</span>"
    if node.children or node.beside:
        first = place
        yield "<ul>"
        for child in node.children:
            place = yield from _field(child, place)
        for value in node.beside:
            yield from _render_derived(value, first, end)
        yield "</ul>"
    yield "</li>\n"
    return end


def _render_derived(node: Node, first: int, end: int) -> Iterator[str]:
    """Yields the HTML of a derived value, which highlights the bytes of the leaves from `first` up to `end`."""
    notes = [note for note in (node.type, node.spec, "secret" if node.secret else "") if note]
    yield f'<li><span class="f k" tabindex="0" data-from="{first}" data-to="{end}"><b>{escape(node.name)}</b>: '
    octets = "" if node.children else f" <code>{node.octets.hex(' ')}</code>"
    yield f"{escape(node.text)}{octets} <i>{escape(', '.join(notes))}</i></span>"
    if node.error:
        yield f'<p class="error">{escape(node.error)}</p>'
    if node.children:
        yield "<ul>"
        for child in node.children:
            yield from _render_derived(child, first, end)
        yield "</ul>"
    yield "</li>"


def _leaves(node: Node) -> Iterator[Node]:
    """Yields the nodes that have bytes and no children. The bytes of these nodes, in order, are the message."""
    if node.children:
        for child in node.children:
            yield from _leaves(child)
    elif node.octets:
        yield node
