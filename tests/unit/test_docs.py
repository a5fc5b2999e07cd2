"""The documents agree with the code: options, exit codes, TPM commands, verbs, names of files and tests."""

import re
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.terminal.messages import EXIT_CODES
from cli.terminal.options import Parser
from cli.toolbox import VERBS, verb_module
from tests.support.programs import ROOT
from tests.swtpm.test_cached_key import WAYS
from tests.swtpm.test_hmac_key import PLAIN_OCTETS, PLAIN_WAYS, PROTECTED_OCTETS, PROTECTED_WAYS

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/tour/*.md")])
PROGRAM = (ROOT / "docs" / "credential-process.md").read_text()
PACKAGES = ("cli", "sigv4", "tpmwire")
COMMANDS = (ROOT / "docs" / "commands.md").read_text()


def _text(document: Path) -> str:
    """A document without the recipes, which tell of what is not there yet (test_recipes.py)."""
    return re.sub(r"\n## Recipes\n.*?(?=\n## )", "", document.read_text(), flags=re.DOTALL)


def _rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, or after a line that begins so."""
    table = text.split(f"\n{heading}", 1)[1].split("\n|---", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def test_every_option_is_documented() -> None:
    options = {name for action in run_parser()._actions for name in action.option_strings} - {"-h"}
    told = [name for row in _rows(PROGRAM, "## Options") for name in re.findall(r"`(--[^`]+)`", row[0])]
    assert sorted(told) == sorted(options)


def test_every_exit_code_is_documented() -> None:
    told = {code: text for code, text in _rows(PROGRAM, "## Exit codes") if code.isdigit()}
    told.pop("0")
    assert told == {str(code): text for code, text in EXIT_CODES.values() if text}


REMEMBERED = {way: (make, later) for way, (make, _, later) in WAYS.items()}


@pytest.mark.parametrize(
    ("heading", "ways"),
    [("## Without session", PLAIN_WAYS), ("## With session", PROTECTED_WAYS), ("## With the cache", REMEMBERED)],
)
def test_the_commands_of_each_way(heading: str, ways: dict[str, tuple[object, list[str]]]) -> None:
    assert _rows(COMMANDS, heading) == [
        [way, str(len(commands)), ", ".join(commands)] for way, (_, commands) in ways.items()
    ]


@pytest.mark.parametrize(
    ("row", "octets"), [("tpmwire, unencrypted", PLAIN_OCTETS), ("tpmwire, encrypted (default)", PROTECTED_OCTETS)]
)
def test_the_bytes_of_each_way(row: str, octets: dict[str, int]) -> None:
    told = {name: numbers for name, *numbers in _rows(COMMANDS, "## Bytes on the bus")}[row]
    assert told == [str(octets[way]) for way in ("handle", "password", "pcr", "pem", "pem, pcr")]


def test_the_changelog_has_every_verb() -> None:
    listed = re.search(r"^- `tpmwire`: (.*?)\.$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE | re.DOTALL)
    assert listed
    assert set(" ".join(listed[1].split()).split(", ")) == set(VERBS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_tests_that_are_named_exist(document: Path) -> None:
    text = _text(document)
    for name in re.findall(r"(?<![\w/])((?:tests|cli|tpmwire|sigv4|tools|docs)/[\w/.-]*\w)(?![\w/])", text):
        assert (ROOT / name).exists(), name
    for file, test in re.findall(r"\b(tests/[\w/]+\.py)::(\w+)", text):
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[)#]", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def _commands(text: str, program: str) -> list[list[str]]:
    """The command lines of a program in a document's code, without what follows a pipe or a comment."""
    code = re.findall(r"```text\n.*?```|```\w*\n(.*?)```|`([^`]+)`|^ {4}([^\n]*)$", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(part for parts in code for part in parts).replace("\\\n", " ")
    found = re.findall(rf"(?<![\w.-]){program}[^|#&;<>\n]*", lines)
    return [line.partition(" -- ")[0].split()[1:] for line in found]


def _options(words: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", word)[0] for word in words if word.startswith("--")}


def test_documented_commands_have_these_options() -> None:
    seen = set()
    for document in DOCUMENTS:
        if document.name == "faults.md":  # quotes messages, which name the programs too
            continue
        for words in _commands(_text(document), "aws-tpm-process-credential (?=-)"):
            assert _options(words) <= set(run_parser()._all_options()), f"{document.name}: {words}"
        for words in _commands(_text(document), "tpmwire (?=[a-z])"):
            if words == ["roles-anywhere"]:
                continue  # a family of verbs
            verb = " ".join(words[:2]) if words[0] in ("fleet", "token", "roles-anywhere") else words[0]
            assert verb in VERBS, f"{document.name}: tpmwire {words}"
            parser = Parser(prog=verb)
            verb_module(verb).configure(parser)
            assert _options(words) <= set(parser._all_options()), f"{document.name}: tpmwire {words}"
            seen.add(verb)
    assert len(seen) > len(VERBS) / 2


def test_the_map_has_every_room() -> None:
    """Every package and the modules beside the packages, and nothing else."""
    text = (
        (ROOT / "docs" / "architecture.md").read_text().split("## The map\n\n```text\n", 1)[1].split("```", 1)[0]
    )
    place: list[str] = []
    told = set()
    for indent, name in re.findall(r"^( *)([\w/.]+)", text, re.MULTILINE):
        place[len(indent) // 2 :] = [name]
        told.add("".join(place))
    packages = {
        f"{path.parent.relative_to(ROOT)}/" for top in PACKAGES for path in (ROOT / top).rglob("__init__.py")
    }
    beside = {f"{top}/{path.name}" for top in ("cli", "tpmwire") for path in (ROOT / top).glob("*.py")}
    expected = packages | beside - {"cli/__init__.py", "tpmwire/__init__.py"}
    assert {name for name in told if name.partition("/")[0] in PACKAGES} == expected
    assert all((ROOT / name).exists() for name in told)
    assert {f"tests/{path.name}/" for path in (ROOT / "tests").iterdir() if path.is_dir()} - {
        "tests/__pycache__/"
    } <= told


RIDDLES = re.compile(
    r"\boctets?\b|(?<!there )\bis no (?!longer|second)|\bwants\b|\bgoes on\b|\bwhoever\b"
    r"|\b(?:he|his|him)\b|\bas ever\b|(?:[.!?] |^(?:[-*] )?)(?:What|Who|Whose|Whoever) ",
    re.MULTILINE,
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_plain_english(document: Path) -> None:
    """The rules of CONTRIBUTING.md that a pattern can find, in prose: not in code, nor in tables of messages."""
    prose = re.sub(
        r"```.*?```|`[^`]*`|^ {4}.*?$|<!--.*?-->", "", document.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    if document.name in ("CONTRIBUTING.md", "faults.md"):
        prose = re.sub(r"^(?:\||\d+\.).*$", "", prose, flags=re.MULTILINE)
    assert RIDDLES.findall(prose) == []


def test_riddles_are_found() -> None:
    text = "It is no PCR.\nWho asks? The key wants 2 octets. What is left goes on."
    assert len(RIDDLES.findall(text)) == 6
