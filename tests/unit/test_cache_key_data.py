"""The file with cached data of a key: whole or not at all, and never in the way of a run."""

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.credentials.cache.key_data import FORMAT, KeyDataFile, build_key_data, parse_key_data, read_key_data
from cli.credentials.options import parse_run
from tpmwire.keys import templates
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPMS_CONTEXT
from tpmwire.use.cached_key import KeyData

CONTEXT = TPMS_CONTEXT(7, 0x80000000, TPM_RH.OWNER, bytes(range(200)))
KEPT = KeyData(b"\0\x0b" + bytes(32), b"", CONTEXT, 0x81000001, None, templates.srk_ecc())
OPTIONS = parse_run(["--tpm-path=/dev/tpm0", "--persistentHandle=0x81010002"])


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "tpmwire"


def test_what_was_written_is_read() -> None:
    assert parse_key_data(build_key_data(KEPT)) == KEPT


def test_one_changed_octet_or_a_missing_one_is_noticed() -> None:
    good = build_key_data(KEPT)
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 0x10
        assert parse_key_data(bytes(changed)) is None
        assert parse_key_data(good[:place]) is None
    assert parse_key_data(good + b"\0") is None


def test_a_run_leaves_it_to_the_next(directory: Path) -> None:
    first = read_key_data(OPTIONS, b"")
    assert first.data is None
    first.take(KEPT)
    first.save()
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_key_data(OPTIONS, b"").data == KEPT
    # Nothing new is nothing to write.
    file.unlink()
    read_key_data(OPTIONS, b"").save()
    assert os.listdir(directory) == []


def test_another_key_tpm_or_pin_has_a_file_of_its_own() -> None:
    changes = ({"persistentHandle": 0x81010003}, {"tpm_path": None}, {"tpm_session_encrypt_with_name": "000b"})
    others = [OPTIONS.with_options(change) for change in changes]
    names = {read_key_data(options, b"").name for options in (OPTIONS, *others)}
    names |= {read_key_data(OPTIONS, name).name for name in (b"\0\x0b" + bytes(32), b"\0\x0b" + bytes(31) + b"\1")}
    assert len(names) == 6


def test_a_key_files_handle_does_not_matter() -> None:
    other = OPTIONS.with_options({"persistentHandle": 0x81010003})
    assert read_key_data(OPTIONS, b"\0\x0b").name == read_key_data(other, b"\0\x0b").name


def test_damage_costs_a_note(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = read_key_data(OPTIONS, b"")
    first.take(KEPT)
    first.save()
    (file,) = directory.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert read_key_data(OPTIONS, b"").data is None
    said = capsys.readouterr().err
    assert "ignoring damaged data about the key" in said
    assert said.count("\n") == 1


def test_a_directory_that_is_not_ours_is_no_obstacle(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory.mkdir(0o755)
    found = read_key_data(OPTIONS, b"")
    found.take(KEPT)
    found.save()
    assert (os.listdir(directory), capsys.readouterr().err) == ([], "")


def test_a_place_that_cannot_be_written_is_no_obstacle(directory: Path) -> None:
    found = KeyDataFile("name.tpm", None)
    found.take(KEPT)
    directory.mkdir(0o700)
    (directory / "name.tpm").mkdir()
    found.save()
    assert found.changed
    assert os.listdir(directory) == ["name.tpm"]


@given(st.binary(max_size=700), st.integers(0, 600))
def test_any_octets_under_a_right_digest_are_read_or_not(octets: bytes, place: int) -> None:
    """As only somebody can write them who knows the form: no traceback, and what is read is what is written."""
    good = build_key_data(KEPT)[:-32]
    for body in (FORMAT + octets, good[:place] + octets + good[place + len(octets) :]):
        whole = body + sha256(body).digest()
        found = parse_key_data(whole)
        assert found is None or build_key_data(found) == whole
