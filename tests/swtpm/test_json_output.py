"""JSON of every verb that prints facts: one document on standard output, with the fields of docs/json.md."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.terminal.options import Parser
from cli.toolbox import VERBS, verb_module
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool

KEYS = ROOT / "fixtures" / "keys"
KEY = str(KEYS / "hmac.pem")
COMMAND = "80010000000c0000017b0010"

WITHOUT = {
    "activatecredential": "prints or writes the secret",
    "ak": "writes files",
    "convert": "writes a key or a signature",
    "completion": "prints a script",
    "console": "prints a URL",
    "curl": "prints the server's response",
    "demo": "prints the output of shell commands",
    "duplicate": "writes files",
    "enroll": "writes a profile",
    "evict": "prints nothing",
    "exec": "runs a program",
    "export-public": "prints a JSON object already",
    "fetch": "prints a JSON object already",
    "fleet enrol": "writes JSON Lines already",
    "import": "prints lines for ~/.aws/config",
    "import-key": "writes files",
    "learn": "talks with a person",
    "makecredential": "writes files",
    "presign": "prints a URL",
    "roles-anywhere csr": "writes a certificate request",
    "roles-anywhere read-certificate-data": "prints a JSON object already",
    "roles-anywhere renew": "writes a certificate",
    "roles-anywhere serve": "runs until it is stopped",
    "roles-anywhere update": "runs until it is stopped",
    "rotate": "writes a profile",
    "serve": "runs until it is stopped",
    "setup": "talks with a person",
    "shell": "talks with a person",
    "soft": "runs until it is stopped",
    "token codecommit": "prints the format of git",
    "token ecr": "prints a password, or the JSON format of docker",
    "token eks": "prints the JSON format of kubectl",
    "token elasticache": "prints a password",
    "token memorydb": "prints a password",
    "token msk": "prints a token",
    "token bedrock": "prints an API key",
    "token rds": "prints a password",
    "totp": "prints a code",
}
"""Verbs without JSON output, and why."""


def prints_json(verb: str) -> bool:
    """Whether a verb has an option for JSON output; --json FILE is an input."""
    parser = Parser(prog=verb)
    verb_module(verb).configure(parser)
    actions = parser._actions
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):
            actions = [*actions, *(inner for sub in action.choices.values() for inner in sub._actions)]
    switches = [action for action in actions if "--json" in action.option_strings and action.nargs == 0]
    formats = [action.choices for action in actions if {"--format", "--output"} & set(action.option_strings)]
    return bool(switches) or any({"json", "jsonl"} & set(choices or ()) for choices in formats)


def documented() -> dict[str, list[str]]:
    """The fields of each row of docs/json.md, by the verb and its arguments."""
    page = (ROOT / "docs/json.md").read_text()
    found = {}
    for verb, text in re.findall(r"^\| `tpmwire ([^`]+)`[^|]* \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE):
        found[verb.removesuffix(" --format json")] = re.findall(
            r"`(\w+)`", text.partition(": objects")[0].partition("; ")[0]
        )
    return found


def test_each_verb_prints_json_or_has_a_reason() -> None:
    assert {verb for verb in VERBS if not prints_json(verb)} == WITHOUT.keys()


def test_the_page_has_each_verb() -> None:
    verbs = {next(verb for verb in VERBS if f"{row} ".startswith(f"{verb} ")) for row in documented()}
    assert verbs == VERBS.keys() - WITHOUT.keys()


def fields(document: Any) -> list[str]:
    return list(document[0] if isinstance(document, list) else document)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("info", ["info", "--json"]),
        ("list", ["list", "--json"]),
        ("name", ["name", "--json", "srk"]),
        ("flush", ["flush", "--json"]),
        ("doctor", ["doctor", "--json"]),
        ("show", ["show", "--json", KEY]),
        ("policy FILE", ["policy", "--format=json", KEY]),
        ("policy", ["policy", "--format=json", f"--pcrs=sha256:7={'11' * 32}"]),
        ("spec NAME", ["spec", "--json", "TPM2_Create"]),
        ("spec NAME VALUE", ["spec", "--json", "TPM_RC", "0x98e"]),
    ],
)
def test_the_fields_are_those_of_the_page(
    row: str, words: list[str], tool: Tool, swtpm: Swtpm, tmp_path: Path
) -> None:
    tpm2(swtpm, "createprimary", "-Q", "-c", str(tmp_path / "primary.ctx"))
    path = [] if words[0] in ("show", "policy", "spec") else ["--tpm-path", swtpm.tcti]
    if row == "list":
        tpm2(swtpm, "evictcontrol", "-Q", "-c", "0x80000000", "0x81010002")
    ran = tool(*words, *path)
    assert ran.code == 0, ran.err
    assert fields(json.loads(ran.out)) == documented()[row]
    tool("flush", "--tpm-path", swtpm.tcti)


def test_persist_prints_its_facts(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> None:
    key, tpm = str(tmp_path / "k.pem"), ("--tpm-path", swtpm.tcti)
    assert tool("import", "--out", key, *tpm, stdin=b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY").code == 0
    ran = tool("persist", "--json", key, "0x81010002", *tpm)
    found = json.loads(ran.out)
    assert list(found) == documented()["persist"]
    assert found == {"file": key, "handle": "0x81010002", "name": tool("name", "0x81010002", *tpm).out.strip()}


def test_flush_lists_what_it_removes(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> None:
    tpm2(swtpm, "createprimary", "-Q", "-c", str(tmp_path / "primary.ctx"))
    ran = tool("flush", "--json", "--tpm-path", swtpm.tcti)
    assert json.loads(ran.out) == [{"handle": "0x80000000", "kind": "transient"}]
    ran = tool("flush", "--json", "--tpm-path", swtpm.tcti)
    assert (json.loads(ran.out), ran.err) == ([], "nothing to flush\n")


def test_policies_of_a_file_with_the_digest_of_each(tool: Tool, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('[{"type": "PolicyAuthValue"}, {"type": "PolicyLocality", "locality": 1}]')
    found = json.loads(tool("policy", "--format=json", "--json", str(policy)).out)
    policy.write_text(json.dumps(found["policy"]))
    assert json.loads(tool("policy", "--format=json", "--json", str(policy)).out) == found
    for path in KEYS.glob("*.pem"):
        shown = json.loads(tool("policy", "--format=json", str(path)).out)
        assert [list(each) for each in shown["policies"]] == [
            ["label", "policy", "digest", "fits", "error"] for _ in shown["policies"]
        ]


def test_messages_that_are_sent(tool: Tool, swtpm: Swtpm) -> None:
    tpm = ("--tpm-path", swtpm.tcti)
    ran = tool("send", "--format=json", "GetRandom", "bytesRequested=4", *tpm)
    assert [tree["name"] for tree in json.loads(ran.out)] == ["TPM2_GetRandom", "response"]
    ran = tool("send", "--format=jsonl", "GetRandom", "bytesRequested=4", *tpm)
    assert [json.loads(line)["name"] for line in ran.out.splitlines()] == ["TPM2_GetRandom", "response"]
    # An error response ends the verb; the document is complete.
    ran = tool("send", "--format=json", "ReadPublic", "objectHandle=0x81010002", *tpm)
    assert ran.code == 4
    assert len(json.loads(ran.out)) == 2
    assert ran.err.count("\n") == 1


def test_secrets_of_sent_messages_are_not_shown(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a secret word")
    words = ["send", "--format=json", "HierarchyChangeAuth", "authHandle=owner", f"newAuth=@{password}"]
    hidden = tool(*words, "--tpm-path", swtpm.tcti)
    assert hidden.code == 0
    secret = password.read_bytes().hex()
    assert secret not in hidden.out
    assert len(json.loads(hidden.out)) == 2
    words += ["--dry-run", "--secrets"]
    assert secret in tool(*words).out
