"""Ahead of the Go program on every chip in every mode: what `make bench` reckons, held to it."""

import pytest

from tests.bench.chips import GO, behind, theirs
from tests.support.modes import MODES, Recorded, record


@pytest.fixture(scope="module")
def ours() -> dict[str, Recorded]:
    return dict(record())


def test_ahead_on_every_chip_in_every_mode(ours: dict[str, Recorded]) -> None:
    assert set(ours) == set(MODES)
    assert behind(ours) == []


def test_being_behind_would_be_seen(ours: dict[str, Recorded]) -> None:
    slow = {mode: runs._replace(warm=theirs(mode)) for mode, runs in ours.items()}
    assert {place.rpartition(", on ")[0] for place in behind(slow)} == {f"{mode}, warm" for mode in MODES}


def test_an_encrypted_run_is_salted_and_one_in_clear_is_not(ours: dict[str, Recorded]) -> None:
    """The costly part is in the reckoning where it belongs: once a run, twice for the first by the boot's key."""
    for mode, runs in ours.items():
        for name, commands in runs._asdict().items():
            wanted = 0 if "in clear" in mode else 2 if (name, "boot" in mode) == ("first", True) else 1
            assert commands.count("StartAuthSession ecdh") == wanted, (mode, name)


@pytest.mark.parametrize(
    ("mode", "number"),
    [
        *(("handle, in clear", 4), ("password, in clear", 4), ("PCR, in clear", 7), ("file, in clear", 8)),
        *(("file, PCR, in clear", 11), ("handle, encrypted", 7), ("PCR, encrypted", 10), ("file, encrypted", 11)),
        ("endorsement parent, in clear", 9),
    ],
)
def test_the_go_programs_lists_have_the_lengths_that_were_recorded(mode: str, number: int) -> None:
    assert len(GO[mode]) == number
