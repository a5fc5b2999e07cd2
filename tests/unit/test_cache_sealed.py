"""A cache file: whatever is changed in it, it does not open."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.credentials.cache.sealed import (
    FORMAT,
    LABEL,
    LIMIT,
    DamagedError,
    label,
    read_clear,
    seal_text,
    unseal_text,
)

ROOT, USE, NONCE = bytes(range(32)), bytes(32), os.urandom(32)


def _opened(octets: bytes, root: bytes = ROOT, use: bytes = USE) -> bytes:
    return unseal_text(read_clear(octets), root, use)


@given(st.binary(min_size=1, max_size=3000))
def test_what_was_sealed_comes_back(text: bytes) -> None:
    octets = seal_text(text, 1234567890, "20261124", NONCE, ROOT, USE, "AKIA… in é")
    clear = read_clear(octets)
    assert clear.about == "AKIA… in é"
    assert (clear.refresh_at, clear.day, clear.nonce) == (1234567890, "20261124", NONCE)
    assert _opened(octets) == text


def test_each_flipped_bit_and_each_shorter_file_is_refused() -> None:
    octets = seal_text(b'{"some": "text"}', 1234567890, "20261124", NONCE, ROOT, USE, "é")
    for place in range(len(octets)):
        for bit in range(8):
            changed = bytearray(octets)
            changed[place] ^= 1 << bit
            with pytest.raises(DamagedError):
                _opened(bytes(changed))
        with pytest.raises(DamagedError):
            _opened(octets[:place])
    with pytest.raises(DamagedError):
        _opened(octets + b"\0")


def test_another_root_or_use_is_refused() -> None:
    octets = seal_text(b"text", 1, "20261124", NONCE, ROOT, USE)
    with pytest.raises(DamagedError):
        _opened(octets, root=bytes(32))
    with pytest.raises(DamagedError):
        _opened(octets, use=ROOT)


def test_no_two_files_have_the_same_stream() -> None:
    first, second = (seal_text(bytes(64), 1, "20261124", NONCE, ROOT, USE) for _ in range(2))
    size = len(FORMAT) + 2 + 8 + 8 + 32
    assert first[:size] == second[:size]
    assert first[size + 32 : -32] != second[size + 32 : -32]


def test_too_large_a_file_is_refused() -> None:
    with pytest.raises(DamagedError):
        read_clear(seal_text(bytes(LIMIT), 1, "20261124", NONCE, ROOT, USE))


def test_the_message_of_a_cache_is_no_message_of_a_signature() -> None:
    """A date has 8 octets; this has a label before it that no date begins with."""
    message = label(NONCE, USE)
    assert message == LABEL + NONCE + USE
    assert len(message) == len(LABEL) + 64
    assert not message[:8].isdigit()
