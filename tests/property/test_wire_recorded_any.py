"""Real traffic, changed: a value or our one error, never anything else; and an explanation that fits either."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tpmwire.errors import DecodeError
from tpmwire.explain import Node, as_json, as_text, explain_command, explain_response
from tpmwire.spec.constants import TPM_CC
from tpmwire.wire import parse_command, parse_response

CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures" / "tpm2-tools.jsonl"
PAIRS = [
    (bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"]))
    for pair in map(json.loads, CAPTURES.read_text().splitlines())
]


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """The octets with some set, inserted, removed, or cut off; mostly with a size that fits them."""
    octets = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(octets)))
        new = draw(st.sampled_from([b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff"]) | st.binary(max_size=4))
        octets[place : place + draw(st.sampled_from([len(new), len(new), 0, 1, 4]))] = new
    if draw(st.integers(0, 3)) and len(octets) >= 6:
        octets[2:6] = len(octets).to_bytes(4, "big")
    return bytes(octets)


def leaves(node: Node) -> list[Node]:
    return [leaf for child in node.children for leaf in leaves(child)] if node.children else [node]


def check_tree(tree: Node, data: bytes, error: str) -> None:
    assert tree.error == error
    assert b"".join(leaf.octets for leaf in leaves(tree)) == data
    place = 0
    for leaf in leaves(tree):
        assert leaf.offset == place
        place += leaf.size
    if not error:
        assert not any(leaf.name == "?" for leaf in leaves(tree))
    assert all(line.isprintable() for line in as_text(tree).split("\n"))
    json.dumps(as_json(tree))


def check(parse: Callable[[], Any], tree: Node, data: bytes) -> None:
    """The parser gives a value of the same octets, or DecodeError; the explanation says the same."""
    where, error = 0, ""
    try:
        message = parse()
    except DecodeError as fault:
        where, error = fault.offset, str(fault)
    else:
        assert message.build() == data
        repr(message)
    assert 0 <= where <= len(data)
    check_tree(tree, data, error)


def check_command(data: bytes) -> None:
    check(lambda: parse_command(data), explain_command(data), data)


def check_response(data: bytes, command: bytes | int) -> None:
    check(lambda: parse_response(data, command), explain_response(data, command), data)


@given(st.sampled_from(PAIRS), st.data())
def test_commands(pair: tuple[bytes, bytes], data: st.DataObject) -> None:
    check_command(data.draw(changed(pair[0])))


@given(st.sampled_from(PAIRS), st.data())
def test_responses(pair: tuple[bytes, bytes], data: st.DataObject) -> None:
    command, response = pair
    check_response(data.draw(changed(response)), command)


@given(st.sampled_from(PAIRS), st.sampled_from(sorted(TPM_CC)))
def test_a_response_taken_for_another_commands(pair: tuple[bytes, bytes], code: int) -> None:
    check_response(pair[1], code)


@given(st.binary(max_size=80), st.sampled_from(sorted(TPM_CC)))
@example(b"", TPM_CC.GetRandom)
@example(b"\x80\x02\x00\x00\x00\x0a\x00\x00\x00\x00", TPM_CC.GetRandom)
def test_arbitrary_octets(data: bytes, code: int) -> None:
    check_command(data)
    check_response(data, code)
