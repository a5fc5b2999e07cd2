"""The rules of CONTRIBUTING.md, "Language", that a pattern can find: in messages, help texts and help pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT

REFUSED = {
    r"\b(is|are) no(?! longer\b| more\b)\b": "is not a valid X, or: missing X",
    r"\bthere (is|are)\b": "name the subject: missing X, no such X",
    r"\bwants?\b": "needs, requires",
    r"\boctets?\b(?! string)": "byte",
    r"\b(is|are) told\b": "name who does what",
    r"\bof a kind that\b": "unsupported",
    r"\bwhose end\b|\bwhoever\b": "name the subject",
    r"\bthe same again\b": "name it",
    r"\b(go|goes|went|going) on\b": "continues, keeps",
    r"\btakes? \S+ away\b": "remove",
    r"\b(he|his|him|himself)\b": "they",
    r"\b(is|are) due\b": "expected",
    r"\bsays nothing\b": "does not state",
    r"\bdoes not hold\b": "is not valid",
    r"(^|[.;:] )(What|Who|Whose|Whom|Whatever|what|whose) (?!.*\?)": "name the subject",
}

CALLED = {"note", "warn", "error", "add_note", "ask_secret", "check_agreed"}


def literals(node: ast.AST) -> Iterator[str]:
    """Yields the texts of an expression, with {} for each value in them, and then those inside the values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        yield from (
            text for part in node.values if isinstance(part, ast.FormattedValue) for text in literals(part)
        )
    else:
        yield from (text for child in ast.iter_child_nodes(node) for text in literals(child))


def messages(tree: ast.Module, *, verb: bool = False) -> Iterator[str]:
    """Yields what users read: errors, notes, warnings, prompts, help of options; the page of a verb."""
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            parts = [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            parts = list(node.args) if name in CALLED else []
            parts += [keyword.value for keyword in node.keywords if keyword.arg in ("help", "description")]
        yield from (text for part in parts for text in literals(part))
    if verb:
        page = re.sub(r"^ .*$", "", ast.get_docstring(tree) or "", flags=re.MULTILINE)  # without the examples
        yield from page.split("\n\n")


def faults(text: str) -> list[str]:
    """Returns what to write instead of each pattern in a text."""
    return [
        instead
        for pattern, instead in REFUSED.items()
        if re.search(pattern, text, 0 if "What" in pattern else re.IGNORECASE)
    ]


FILES = [path for package in ("cli", "sigv4", "tpmwire") for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_are_plain(path: Path) -> None:
    texts = messages(ast.parse(path.read_text()), verb=path.parent.name == "verbs")
    assert {text: found for text in texts if (found := faults(text))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "raise UsageError(f'{text!r} is no PCR; write numbers and commas')",
        "raise UsageError('no hex; ' + 'the file wants octets' if x else '')",
        'note(f\'cached: {"who asks is told" if x else ""}\')',
        "parser.add_argument('--tpm', help='what the role asks for')",
        "error.add_note('Who may open the TPM can use it')",
        "raise UsageError('cannot write; what is there stays')",
    ],
)
def test_riddles_are_found(code: str) -> None:
    assert [text for text in messages(ast.parse(code)) if faults(text)]


def test_riddles_of_a_page_are_found() -> None:
    page = '"""Shows a key.\n\n  tpmwire show octets\n\n{}\n"""'
    assert not any(map(faults, messages(ast.parse(page.format("Prints bytes.")), verb=True)))
    assert any(map(faults, messages(ast.parse(page.format("Whoever reads it wins.")), verb=True)))
