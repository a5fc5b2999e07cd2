"""Hints for the program in hand: an error of the library names no option, and a verb only its own options."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.terminal import messages
from cli.terminal.options import Parser
from cli.toolbox import VERBS, verb_module
from tests.support.verbs import Tool
from tpmwire import errors
from tpmwire.spec.response_codes import TPM_RC

OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]+")
COMMAND = re.compile(r"(?<![\w./-])(?:tpmwire [a-z][a-z-]*|aws-tpm-process-credential)(?![\w-])[^`;,()]*")
OTHERS = re.compile(
    r"gcloud: use --format=json|git config --global|\$ aws .*|--flags startup-clear|\btpm2_\w+ [^;`]*"
    r"|tools write it with --cphash, --rphash"
)
"""Options of other programs."""

PAGES = ("style.py", "script.py")
"""Modules whose strings have CSS variables, which look like options."""


def parser_of(verb: str) -> Parser:
    module = verb_module(verb)
    parser = Parser(prog=f"tpmwire {verb}", description=module.__doc__)
    module.configure(parser)
    return parser


OPTIONS = {verb: set(parser_of(verb)._all_options()) for verb in VERBS}
RUN = set(run_parser()._all_options())


def strings(path: Path) -> Iterator[str]:
    """The strings of a module that are not docstrings; the parts of an f-string are joined."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            text = node.value
        else:
            continue
        if " " in text.strip():  # others are declarations, and arguments of programs
            yield text


def modules(package: str) -> list[Path]:
    return [path for path in sorted(Path(package).rglob("*.py")) if path.name not in PAGES]


def test_strings_are_found() -> None:
    found = [text for path in modules("cli") for text in strings(path) if OPTION.search(text)]
    assert len(found) > 100


@pytest.mark.parametrize("path", modules("tpmwire"), ids=str)
def test_the_library_names_no_option(path: Path) -> None:
    for text in strings(path):
        rest = OTHERS.sub("", COMMAND.sub("", text))
        assert not OPTION.findall(rest), text


@pytest.mark.parametrize("path", [*modules("tpmwire"), *modules("cli")], ids=str)
def test_commands_in_hints_exist(path: Path) -> None:
    """`tpmwire VERB --option`: the verb exists, and has the option."""
    for text in strings(path):
        for command in COMMAND.findall(text):
            words = command.split()
            verb = next((v for v in (" ".join(words[1:3]), *words[1:2]) if v in VERBS), "")
            known = OPTIONS.get(verb, set()) if words[0] == "tpmwire" else RUN
            assert set(OPTION.findall(command)) <= known | {"--help"}, command


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_names_its_own_options(verb: str) -> None:
    path = Path(verb_module(verb).__file__ or "")
    for text in strings(path):
        rest = OTHERS.sub("", COMMAND.sub("", text))
        assert set(OPTION.findall(rest)) <= OPTIONS[verb] | {"--help"}, text


ERRORS = [
    *(errors.TpmError(code, None) for code in TPM_RC),
    errors.TransportError("x"),
    errors.TransportTimeoutError("x"),
    errors.WrongPathError("x"),
    errors.InvalidAddressError("x"),
    errors.DecodeError("x"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_hints_for_errors_of_the_library(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "options", frozenset(OPTIONS[verb]))
    for error in ERRORS:
        _, text = messages.explain_error(error)
        assert set(OPTION.findall(COMMAND.sub("", text))) <= OPTIONS[verb], text


@pytest.mark.parametrize(
    ("error", "option"),
    [
        (errors.TpmError(0x12F, None), "--pcrs"),
        (errors.TransportTimeoutError("x"), "--timeout"),
        (errors.WrongPathError("x"), "--tpm-path"),
        (errors.DecodeError("x"), "--tpm-path"),
    ],
)
def test_options_of_the_running_program_are_named(
    error: Exception, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_it = [verb for verb in VERBS if option in OPTIONS[verb]]
    assert with_it
    monkeypatch.setattr(messages, "options", frozenset(OPTIONS[with_it[0]]))
    assert option in messages.explain_error(error)[1]
    monkeypatch.setattr(messages, "options", frozenset())
    assert "--" not in messages.explain_error(error)[1]


def test_decode_names_the_options_for_missing_keys(tool: Tool) -> None:
    """A session that is salted to the key 0x81000001."""
    body = bytes.fromhex("81000001 40000007 0010") + bytes(16) + bytes.fromhex("0004 00000000 00 0010 000b")
    command = b"\x80\1" + (10 + len(body)).to_bytes(4, "big") + bytes.fromhex("00000176") + body
    response = bytes.fromhex("80010000002000000000 02000000 0010") + bytes(16)
    ran = tool("decode", (command + response).hex())
    assert "the salt is not known" in ran.out
    assert "--salt and --salt-file give the salts" in ran.err
