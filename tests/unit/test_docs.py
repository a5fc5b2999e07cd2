"""What the documents say of options, exit codes, commands and tests is what there is."""

import re
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.terminal.messages import EXIT_CODES
from cli.toolbox import VERBS
from tests.support.programs import ROOT
from tests.swtpm.test_hmac_key import PLAIN_WAYS, PROTECTED_WAYS
from tests.swtpm.test_kept import WAYS

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
README = (ROOT / "README.md").read_text()


def _rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, or after a line that begins so."""
    table = text.split(f"\n{heading}", 1)[1].split("\n|---", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def test_the_readme_has_every_option() -> None:
    options = {name for action in run_parser()._actions for name in action.option_strings} - {"-h"}
    told = [name for row in _rows(README, "## Options") for name in re.findall(r"`(--[^`]+)`", row[0])]
    assert sorted(told) == sorted(options)


def test_the_readme_has_every_exit_code() -> None:
    told = {code: text for code, text in _rows(README, "## Exit codes") if code.isdigit()}
    told.pop("0")
    assert told == {str(code): text for code, text in EXIT_CODES.values() if text}


REMEMBERED = {way: (make, later) for way, (make, _, later) in WAYS.items()}


@pytest.mark.parametrize(
    ("heading", "ways"),
    [("With `--no-session", PLAIN_WAYS), ("By default, with", PROTECTED_WAYS), ("With `--cache`", REMEMBERED)],
)
def test_the_commands_of_each_way(heading: str, ways: dict[str, tuple[object, list[str]]]) -> None:
    told = _rows((ROOT / "docs" / "architecture.md").read_text(), heading)
    assert told == [[way, str(len(commands)), ", ".join(commands)] for way, (_, commands) in ways.items()]


def test_the_changelog_has_every_verb() -> None:
    listed = re.search(r"^- `tpmwire`: (.*?)\.$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE | re.DOTALL)
    assert listed
    assert set(" ".join(listed[1].split()).split(", ")) == set(VERBS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_tests_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"\b((?:tests|cli|tpmwire|sigv4|tools|docs)/[\w/.]*\w)(?![\w/])", text):
        assert (ROOT / name).exists(), name
    for file, test in re.findall(r"\b(tests/[\w/]+\.py)::(\w+)", text):
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
