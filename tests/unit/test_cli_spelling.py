"""Options and verbs as people type them: both spellings everywhere, a suggestion for the rest."""

import argparse
import shlex

import pytest

from cli.credentials.options import run_parser
from cli.credentials.settings import PROGRAM
from cli.keys.place import Place
from cli.lifecycle.profile_command import ProfileCommand
from cli.terminal.messages import UsageError
from cli.terminal.options import Parser, suggestion
from cli.toolbox import VERBS
from tests.support.verbs import Tool
from tests.unit.test_cli_flags import parsers

ALL = dict(parsers())
HANDLES = [
    (verb, name)
    for verb, parser in ALL.items()
    for name in parser._option_string_actions
    if name in ("--persistentHandle", "--persistent-handle")
]


def _value(parser: Parser, word: str, name: str) -> object:
    """What a verb takes from one option; other options that it needs are none of our business."""
    for action in parser._actions:
        action.required = False
    parser._mutually_exclusive_groups.clear()
    found = argparse.ArgumentParser.parse_known_args(parser, [parser._canonical(word)])[0]
    return getattr(found, name)


@pytest.mark.parametrize(("verb", "declared"), HANDLES)
@pytest.mark.parametrize("typed", ["--persistentHandle", "--persistent-handle", "--persistent_handle"])
def test_both_spellings_of_the_handle(verb: str, declared: str, typed: str) -> None:
    action = ALL[verb]._option_string_actions[declared]
    assert _value(ALL[verb], f"{typed}=0x81010002", action.dest) == 0x81010002


@pytest.mark.parametrize("verb", ALL)
def test_no_two_options_of_a_verb_are_alike(verb: str) -> None:
    """Else the spelling would decide silently."""
    for name, action in ALL[verb]._option_string_actions.items():
        if name.startswith("--"):
            assert ALL[verb].action_of(name.upper()) is action
            assert ALL[verb].action_of(name.replace("-", "_").replace("__", "--", 1)) is action


def test_the_programs_own_options() -> None:
    parser = run_parser()
    for words in (
        ["--persistent-handle", "0x81010002"],
        ["-persistent-handle=0x81010002"],
        ["--PERSISTENTHANDLE=0x81010002"],
    ):
        assert parser.parse_go_style(words).persistentHandle == 0x81010002
    assert parser.parse_go_style(["--assume-role", "--key-pass=x"]).assumeRole is True


def test_another_spelling_is_replaced_too_when_a_key_is_rotated() -> None:
    old = f"{PROGRAM} --aws_access_key_id AKIAOLD --persistent-handle 0x81010002 --key_name=000b00 --cache"
    new = ProfileCommand(old).rewrite("AKIANEW", Place(file="/new.pem"), b"")
    assert shlex.split(new) == [PROGRAM, "--aws-access-key-id=AKIANEW", "--credential-file=/new.pem", "--cache"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["sign", "--persistant-handle=0x81010002", "https://x"], "--persistentHandle"),
        (["import", "--outt", "f"], "--out"),
        (["import", "--write-profil=x", "--out=f"], "--write-profile"),
        (["totp", "import", "--perssistent-handle=0x81010002"], "--persistent-handle"),
        (["serve", "--token-fil=f", "--token-file=f"], "--token-file"),
        (["exec", "--profil=x", "--", "true"], "--profile"),
        (["policy", "--jsn", "f"], "--json"),
        (["sign", "--handle=0x81010002", "https://x"], "--persistentHandle"),
        (["totp", "impotr"], "import"),
        (["evit", "0x81010002"], "evict"),
        (["exportpublic"], "export-public"),
        (["importkey"], "import-key"),
        (["Wrap"], "wrap"),
    ],
)
def test_a_suggestion(tool: Tool, words: list[str], meant: str) -> None:
    ran = tool(*words)
    assert ran.code == 2
    assert f"did you mean {meant!r}?" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [["--keyPasss", "hunter2"], ["--keyPasss=hunter2"], ["-keypas=hunter2"], ["--x", "--keyPasss", "hunter2"]],
)
def test_the_value_of_a_misspelled_option_is_not_shown(words: list[str]) -> None:
    """It may be a password, and SDKs log what credential_process says."""
    with pytest.raises(UsageError) as told:
        run_parser().parse_go_style(words)
    assert words[0].partition("=")[0] in str(told.value)
    assert "hunter2" not in str(told.value)


def test_what_is_like_nothing_gets_none() -> None:
    assert suggestion("xqzw", VERBS) == ""
    with pytest.raises(UsageError) as told:
        run_parser().parse_go_style(["--qqqqqqqqqq"])
    assert "did you mean" not in str(told.value)


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["exec", "--profile=one", "--profile", "two", "--", "true"],
            ["sign", "--profile=a", "--profile=b", "x"],
        ),
        *(
            ["serve", "--token-file=t", "--port=1", "--port=2"],
            ["serve", "--token-file=t", "--socket=a", "--socket=b"],
        ),
        *(
            ["import", "--out=a", "--out=b"],
            ["enroll", "--profile=a", "--profile=b"],
            ["rotate", "--out=a", "--out=b"],
        ),
        ["import", "--persistent-handle=0x81010001", "--persistent_handle=0x81010002"],
    ],
)
def test_two_values_of_which_one_would_have_no_effect(tool: Tool, words: list[str]) -> None:
    ran = tool(*words)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "given twice" in ran.err


def test_the_last_value_counts_as_in_go() -> None:
    assert run_parser().parse_go_style(["--duration=900", "-duration", "3600"]).duration == "3600"


def test_what_may_be_given_again_still_may() -> None:
    parser = ALL["sign"]
    words = ["https://x", "--tag=a=b", "--tag=c=d", "-H", "a: b", "-H", "c: d", "--profile=x", "--profile=x"]
    found = parser.parse_args(words)
    assert (found.tag, found.profile) == (["a=b", "c=d"], "x")
