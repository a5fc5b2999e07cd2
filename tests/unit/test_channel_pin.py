"""A pinned salt key is the one of its Name, and no other."""

import pytest

from tpmwire.channel import Pin
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import SessionError
from tpmwire.keys.templates import srk_ecc, srk_rsa
from tpmwire.primary import Loaded

PUBLIC = srk_ecc()
FOUND = Loaded(0x81000001, name_of(PUBLIC), PUBLIC)


def test_the_pinned_key_is_taken() -> None:
    Pin(name_of(PUBLIC)).check(FOUND)


@pytest.mark.parametrize(
    "name",
    [name_of(srk_rsa()), name_of(PUBLIC)[:-1], b"", name_of(PUBLIC)[:-1] + bytes([name_of(PUBLIC)[-1] ^ 1])],
)
def test_another_key_is_refused(name: bytes) -> None:
    with pytest.raises(SessionError, match=f"{FOUND.name.hex()}, not the pinned"):
        Pin(name).check(FOUND)
