"""The fuzzer itself: it repeats what it did, finds what is wrong, and each reader stands some of its cases."""

import random

import pytest

from tests.fuzz import mutate
from tests.fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("name", TARGETS)
def test_some_cases(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].read(seed)
    mutate.run(name, 200, 20261124)


def test_a_seed_gives_the_same_cases_again_and_they_differ() -> None:
    first, again, other = (
        [mutate.case(chance, TARGETS["command"]) for _ in range(50)]
        for chance in (random.Random("1"), random.Random("1"), random.Random("2"))
    )
    assert first == again
    assert first != other
    assert len(set(first)) > 40


def test_what_is_wrong_is_found_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(data: bytes) -> None:
        assert b"\xff\xff" not in data

    monkeypatch.setitem(TARGETS, "wrong", Target(read, [bytes(20)]))
    with pytest.raises(AssertionError):
        mutate.run("wrong", 5000, 3)
    said = capsys.readouterr().err
    assert "wrong, seed 3, case " in said
    assert "ffff" in said
