"""Whole recordings, damaged: never an exception, every octet once; and whole pages of them."""

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.inspect.debugger.steps import step_text
from tests.property.test_explain_any import commands, leaves
from tests.support.programs import ROOT
from tests.unit.test_recordings import Page
from tpmwire.explain import as_json, as_text, explain_recording, explain_stream
from tpmwire.explain.html import as_html
from tpmwire.explain.show import hide_secrets
from tpmwire.explain.tampering import Change, who_notices
from tpmwire.secret import Secret

pytestmark = pytest.mark.once

Talk = list[tuple[bytes, bytes]]

KEYS = [Secret(b""), Secret(b"\1" * 32)], [Secret(b"password")]


@cache
def recordings() -> list[Talk]:
    found = []
    for file in sorted((ROOT / "fixtures" / "captures").glob("*.jsonl")):
        pairs = [json.loads(line) for line in file.read_text().splitlines()]
        found.append([(bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"])) for pair in pairs])
    assert found
    return found


@st.composite
def damaged(draw: st.DrawFn) -> Talk:
    """Part of a recording, in which octets are changed, and messages are cut, left out or somebody else's."""
    whole = draw(st.sampled_from(recordings()))
    start = draw(st.integers(0, len(whole) - 1))
    talk = [list(pair) for pair in whole[start : start + draw(st.integers(1, 30))]]
    for _ in range(draw(st.integers(0, 4))):
        pair = draw(st.integers(0, len(talk) - 1))
        side = draw(st.integers(0, 1))
        octets = bytearray(talk[pair][side])
        match draw(st.sampled_from(["change", "cut", "other", "swap"])):
            case "change" if octets:
                octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
            case "cut":
                octets = octets[: draw(st.integers(0, len(octets)))]
            case "other":
                octets = bytearray(draw(commands()))
            case "swap":
                octets = bytearray(talk[draw(st.integers(0, len(talk) - 1))][side])
        talk[pair][side] = bytes(octets)
    return [(command, response) for command, response in talk]


@given(damaged())
def test_a_damaged_recording_is_explained_all_the_same(recorded: Talk) -> None:
    talk = explain_recording(recorded, *KEYS)
    known = list(explain_stream(recorded, *KEYS, knowledge=True))
    assert list(map(as_json, known)) == list(map(as_json, talk.trees))
    talk.trees = known
    # A response may stand alone.
    pairs = [
        [command] * bool(command or not response) + [response] * bool(response) for command, response in recorded
    ]
    messages = [message for pair in pairs for message in pair]
    assert [leaves(tree) for tree in talk.trees] == messages
    for tree in talk.trees:
        as_text(tree)
        as_text(tree, secrets=False)
        as_json(tree)
        step_text(0, hide_secrets(tree, "not shown"))
    Page(as_html(talk.trees, histories=talk.histories))
    for life in talk.histories:
        places = [step.place for step in life.steps]
        assert places == sorted(places)
        assert not any(step.ends for step in life.steps[:-1])


@given(damaged(), st.data())
def test_someone_or_nobody_notices_a_changed_bit(recorded: Talk, data: st.DataObject) -> None:
    trees = list(explain_stream(recorded, *KEYS))
    place = data.draw(st.integers(0, len(trees) - 1))
    size = len(trees[place].octets)
    change = Change(place, data.draw(st.integers(0, max(0, size - 1))), data.draw(st.integers(0, 7)))
    if size:
        assert len(who_notices(recorded, change, *KEYS)) >= 2
    else:
        with pytest.raises(IndexError):
            who_notices(recorded, change, *KEYS)


def test_the_recordings_have_sessions_and_their_diagrams_end() -> None:
    histories = [life for recorded in recordings() for life in explain_recording(recorded).histories]
    assert any(life.ended for life in histories)
    assert any(life.policy for life in histories)
