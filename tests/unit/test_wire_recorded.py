"""What tpm2-tools and swtpm said to each other (fixtures/captures): parsed, rebuilt, explained, to the octet."""

import json
from pathlib import Path

import pytest

from tpmwire.crypto.formulas import name_of
from tpmwire.explain import Node, as_text, explain_command, explain_response
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.objects import ReadPublic
from tpmwire.spec.constants import TPM_CC
from tpmwire.wire import parse_command, parse_response

LINES = (Path(__file__).parents[2] / "fixtures" / "captures" / "tpm2-tools.jsonl").read_text().splitlines()
PAIRS = [
    (bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"]), pair["note"])
    for pair in map(json.loads, LINES)
]


def test_the_recording_is_worth_its_name() -> None:
    assert len(PAIRS) > 250
    assert len({command[6:10] for command, _, _ in PAIRS}) > 40


@pytest.mark.parametrize(("command", "response", "note"), PAIRS, ids=range(len(PAIRS)))
def test_parsed_and_rebuilt(command: bytes, response: bytes, note: str) -> None:
    sent = parse_command(command)
    assert sent.build() == command, note
    assert not isinstance(sent.command, bytes)
    for origin in (command, sent, int(sent.code)):
        assert parse_response(response, origin).build() == response, note


def leaves(node: Node) -> bytes:
    return b"".join(map(leaves, node.children)) if node.children else node.octets


@pytest.mark.parametrize(("command", "response", "note"), PAIRS, ids=range(len(PAIRS)))
def test_explained(command: bytes, response: bytes, note: str) -> None:
    for tree, data in ((explain_command(command), command), (explain_response(response, command), response)):
        assert not tree.error, note
        assert leaves(tree) == data
        as_text(tree)


def test_names_computed_here_are_the_tpms() -> None:
    seen = 0
    for command, response, _ in PAIRS:
        answer = parse_response(response, command)
        if answer.rc == 0 and answer.code in (TPM_CC.CreatePrimary, TPM_CC.ReadPublic):
            assert isinstance(answer.response, (CreatePrimary.Response, ReadPublic.Response))
            if not isinstance(answer.response.out_public, bytes):
                assert name_of(answer.response.out_public) == answer.response.name
                seen += 1
    assert seen > 3
