"""Booleans as Go writes them, in every verb that takes the program's options; options between a verb's words."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.terminal.messages import UsageError
from cli.terminal.options import Parser, secret_file
from cli.toolbox import VERBS, verb_module
from tests.support.verbs import Tool, shell

# What each verb wants besides, such that a boolean stands before it.
WORDS = {
    "exec": ["true"],
    "sign": ["https://s3.amazonaws.com/"],
    "presign": ["https://s3.amazonaws.com/"],
    "curl": ["https://s3.amazonaws.com/"],
    "token eks": ["--cluster-name=c"],
    "token rds": ["--hostname=db", "--username=u"],
    "token elasticache": ["--cache-name=c", "--username=u"],
    "token redshift-serverless": ["--workgroup-name=abc"],
    "token memorydb": ["--cluster-name=c", "--username=u"],
    "token msk": [],
    "token bedrock": [],
    "token ecr": [],
    "console": [],
    "token codecommit": ["get"],
    "serve": ["--token-file=f"],
    "aws whoami": [],
    "aws key-info": ["AKIAEXAMPLE"],
    "aws decode-message": ["encoded"],
    "aws web-identity-token": ["--audience=a", "--signing-algorithm=ES384"],
    "aws delegated-access-token": ["--trade-in-token-file=f"],
}


def parsers() -> Iterator[tuple[str, Parser]]:
    """Every verb's parser, and those below it, by its words."""
    for verb in VERBS:
        parser = Parser(prog=f"tpmwire {verb}")
        verb_module(verb).configure(parser)
        yield verb, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((f"{verb} {question}", below) for question, below in action.choices.items())


USING = {verb: parser for verb, parser in parsers() if "--assumeRole" in parser._option_string_actions}


def test_every_verb_that_takes_the_options_is_tried() -> None:
    assert set(USING) == set(WORDS)


@pytest.mark.parametrize("verb", WORDS)
def test_a_boolean_alone_is_true_and_takes_no_word(verb: str) -> None:
    parser, words = USING[verb], WORDS[verb]
    positional = [action.dest for action in parser._actions if not action.option_strings]

    def parsed(*given: str) -> dict[str, object]:
        return vars(parser.parse_args([*given, *words]))

    plain = parsed("--assumeRole=false")
    alone = parsed("--assumeRole", "--verbose")
    assert (alone["assumeRole"], alone["verbose"], plain["assumeRole"]) == (True, True, False)
    assert alone["given"] == {"assumeRole", "verbose"}
    last = parsed("--verbose", "--assumeRole")  # before the verb's own word, where it has one
    assert last["assumeRole"] is True
    assert [last[dest] for dest in positional] == [plain[dest] for dest in positional]
    with pytest.raises(UsageError, match="expected true or false"):
        parsed("--assumeRole=maybe")


def test_below_a_verb_and_in_the_program_alike() -> None:
    parser = Parser(prog="tpmwire aws")
    verb_module("aws").configure(parser)
    args = parser.parse_args(["key-info", "--assumeRole", "AKIAEXAMPLE"])
    assert (args.assumeRole, args.about) == (True, "AKIAEXAMPLE")
    assert run_parser().parse_go_style(["-assumeRole", "-verbose=false"]).assumeRole is True
    # As in Go: the word behind it is another one, and the program takes none.
    with pytest.raises(UsageError, match="unrecognized arguments: false"):
        run_parser().parse_go_style(["-assumeRole", "false"])


def test_a_programs_own_words_stay_as_they_are() -> None:
    args = USING["exec"].parse_args(["--assumeRole", "--", "terraform", "--verbose", "--assumeRole"])
    assert (args.assumeRole, args.verbose) == (True, False)
    assert args.command == ["terraform", "--verbose", "--assumeRole"]


@pytest.mark.parametrize("verb", ["exec", "trace"])
def test_whoever_forgets_the_hyphens_before_a_program_is_told(verb: str) -> None:
    parser = dict(parsers())[verb]
    with pytest.raises(UsageError, match="arguments: --hex; put -- before the program that it belongs to"):
        parser.parse_args(["tpm2_getrandom", "--hex", "8"])
    with pytest.raises(UsageError, match=r"arguments: --hex \(see tpmwire evict"):
        dict(parsers())["evict"].parse_args(["0x81010002", "--hex"])


@pytest.mark.parametrize("verb", ["exec", "trace"])
def test_a_programs_own_hyphens_are_not_taken_away(verb: str) -> None:
    parser = dict(parsers())[verb]
    with pytest.raises(UsageError, match="the program's arguments contain --; put another -- before the program"):
        parser.parse_args(["git", "checkout", "--", "file"])
    args = vars(parser.parse_args(["--", "git", "checkout", "--", "file"]))
    assert ["git", "checkout", "--", "file"] in args.values()


def test_options_between_the_words_of_a_verb(tool: Tool) -> None:
    plain = tool("send", "--dry-run", "CreatePrimary", "primaryHandle=null", "inPublic=template:srk-ecc")
    assert (plain.code, "TPM_RH_NULL" in plain.out) == (0, True)
    for n in range(1, 4):
        words = ["CreatePrimary", "primaryHandle=null", "inPublic=template:srk-ecc"]
        assert tool("send", *words[:n], "--dry-run", *words[n:]) == plain
    ran = tool("decode", "80010000000c", "--color", "never", "0000017b", "0010")
    assert (ran.code, "TPM2_GetRandom" in ran.out) == (0, True)
    ran = tool("send", "GetRandom", "--frob", "bytesRequested=8")
    assert (ran.code, ran.out, "unrecognized arguments: --frob" in ran.err) == (2, "", True)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_password_file_has_a_limit(tmp_path: Path, end: bytes) -> None:
    """4096 bytes, a line's end included: a larger file is another one than was meant."""
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_bytes(b"p" * (4096 - len(end)) + end)
    assert secret_file(str(file)) == b"p" * (4096 - len(end))
    file.write_bytes(b"p" * (4097 - len(end)) + end)
    with pytest.raises(UsageError, match="too large for a password"):
        secret_file(str(file))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o620, True), (0o604, True)])
def test_a_password_file_of_others_is_reported(
    tmp_path: Path, mode: int, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"password")
    file.chmod(mode)
    assert secret_file(str(file)) == b"password"
    assert ("can be read by other users; run chmod 600 on it" in capsys.readouterr().err) == warned


def test_two_hyphens_are_a_value_like_another() -> None:
    """As a password may be; argparse before Python 3.13 drops them."""
    found = run_parser().parse_go_style(["-keyPass", "--", "--parentPass=--"])
    assert (found.keyPass, found.parentPass) == ("--", "--")


@pytest.mark.parametrize(
    "words",
    [
        ["import", "--out=new.pem", "--policy="],
        ["import", "--out=new.pem", "--key-auth-file", ""],
        ["import", "--out=new.pem", "--pcrs="],
        ["wrap", "--out=new.pem", "--to="],
        ["wrap", "--out=new.pem", "--to=host.json", "--ca", ""],
        ["totp", "import", "--out="],
        ["sign", "--keyPass-file=", "https://sts.us-east-1.amazonaws.com/"],
        ["show", ""],
    ],
    ids=" ".join,
)
def test_an_empty_value_is_a_mistake(words: list[str]) -> None:
    """As of a shell's variable that is not set. What was asked for is not left out."""
    ran = shell(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "the value must not be empty" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["checkquote", "quote.json", "--name=", "--pcrs=sha256:0", "--nonce=00"],
        ["checkcertify", "certified.json", "--name", "", "--item=00", "--nonce=00"],
        ["checkcertify", "certified.json", "--item=", "--nonce=00"],
        ["checkquote", "quote.json", "--pcrs=sha256:0", "--nonce="],
        ["checkcertify", "certified.json", "--item=00", "--nonce="],
        ["quote", "ak.pem", "--pcrs=sha256:0", "--nonce", ""],
        ["certify", "key.pem", "--by=ak.pem", "--nonce= "],
        ["eventlog", "--expect", ""],
        ["activatecredential", "ak.pem", "ak.cred", "--ek="],
        ["decode", "--salt", "", "80010000000c0000017b0010"],
    ],
    ids=" ".join,
)
def test_an_empty_value_does_not_disable_a_check(words: list[str]) -> None:
    ran = shell(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "the value is empty" in ran.err


def test_as_in_go_an_empty_value_is_none() -> None:
    assert run_parser().parse_go_style(["-credential-file", "", "-aws-region", "x"]).credential_file == ""


@pytest.mark.parametrize(
    "words", [["import", "--out=k.pem", "--write-profile="], ["enroll", "--profile="], ["rotate", "--profile", ""]]
)
def test_an_empty_name_of_a_profile_is_refused(tool: Tool, words: list[str]) -> None:
    """An unset shell variable must not select the default profile, or no profile."""
    ran = tool(*words)
    assert (ran.code, "the value is empty; give a value, or remove the option" in ran.err) == (2, True)
