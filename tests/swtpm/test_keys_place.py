"""A key in its place, a handle and a file: both or none, and no other key is lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.keys.create import NewKey, Order, make_key
from cli.keys.options import OWNER
from cli.keys.place import Place, Placement, put_in_place, read_public_at, remove_key_at
from cli.terminal.messages import UsageError
from tests.support.swtpm import Swtpm
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.tpm import Tpm

HANDLE = 0x81010009


@pytest.fixture
def tpm(swtpm: Swtpm) -> Iterator[Tpm]:
    with Tpm.open(swtpm.path, 20.0) as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(HANDLE, str(tmp_path / "new" / "key.pem"))


def new_key(tpm: Tpm, secret: bytes) -> NewKey:
    return make_key(tpm, Order(Secret(secret), EMPTY_AUTH, None, OWNER, EMPTY_AUTH))


def put(tpm: Tpm, key: NewKey, place: Place, *, force: bool = False) -> None:
    put_in_place(tpm, [Placement.of(tpm, key, place, EMPTY_AUTH)], force=force)


def test_both_places_have_the_key(tpm: Tpm, place: Place) -> None:
    key = new_key(tpm, b"AWS4one")
    put(tpm, key, place)
    assert [read_public_at(tpm, part) for part in place.parts] == [key.file.public] * 2
    assert os.listdir(os.path.dirname(place.file or "")) == ["key.pem"]


@pytest.mark.parametrize("occupied", ["handle", "file"])
def test_one_occupied_place_keeps_the_key_out_of_both(tpm: Tpm, place: Place, occupied: str) -> None:
    old = new_key(tpm, b"AWS4old")
    part = Place(handle=place.handle) if occupied == "handle" else Place(file=place.file)
    put(tpm, old, part)
    tpm.flush_opened()
    with pytest.raises(UsageError, match="occupied" if occupied == "handle" else "exists"):
        put(tpm, new_key(tpm, b"AWS4new"), place)
    for each in place.parts:
        assert read_public_at(tpm, each) == (old.file.public if each == part else None)
    assert os.listdir(os.path.dirname(place.file or "")) == (["key.pem"] if occupied == "file" else [])


def test_force_replaces_both(tpm: Tpm, place: Place) -> None:
    put(tpm, new_key(tpm, b"AWS4old"), place)
    tpm.flush_opened()
    key = new_key(tpm, b"AWS4new")
    put(tpm, key, place, force=True)
    assert [read_public_at(tpm, part) for part in place.parts] == [key.file.public] * 2


def test_only_the_key_of_that_name_is_removed(tpm: Tpm, place: Place) -> None:
    key = new_key(tpm, b"AWS4one")
    put(tpm, key, place)
    for part in place.parts:
        remove_key_at(tpm, part, b"\0\x0b" + bytes(32), EMPTY_AUTH)
        assert read_public_at(tpm, part) == key.file.public
        remove_key_at(tpm, part, key.loaded.name, EMPTY_AUTH)
        assert read_public_at(tpm, part) is None
        remove_key_at(tpm, part, key.loaded.name, EMPTY_AUTH)
