"""A public area in base64, in an option's value."""

import base64

import pytest

from cli.terminal.messages import UsageError
from cli.tpm.pins import encode_public, pin_from
from tpmwire.channel import Pin
from tpmwire.crypto.formulas import name_of
from tpmwire.keys import templates

PUBLIC = templates.srk_ecc()
NAME = name_of(PUBLIC)
VALUE = encode_public(PUBLIC, 0x81000001)
TEXT = VALUE.removeprefix("base64:").removesuffix("@0x81000001")


def test_it_is_a_tpm2b_public() -> None:
    data = base64.b64decode(TEXT)
    assert int.from_bytes(data[:2], "big") == len(data) - 2
    assert data[2:] == PUBLIC.build()


def test_the_pin() -> None:
    assert pin_from(None, VALUE) == Pin(NAME, PUBLIC, 0x81000001)
    assert pin_from(None, f"base64:{TEXT}") == Pin(NAME, PUBLIC, None)
    assert pin_from(None, f"base64:{TEXT}@srk") == Pin(NAME, PUBLIC, "srk")
    assert pin_from(f"{NAME.hex()}@h2", f"base64:{TEXT}") == Pin(NAME, PUBLIC, "h2")
    assert pin_from(NAME.hex(), VALUE) == Pin(NAME, PUBLIC, 0x81000001)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("base64:", "is not a valid TPM2B_PUBLIC"),
        (f"base64:{TEXT[:-8]}", "is not a valid TPM2B_PUBLIC"),
        (f"base64:{TEXT}AAAA", "is not a valid TPM2B_PUBLIC"),
        (f"base64: {TEXT}", "is not a valid TPM2B_PUBLIC"),
        (f"base64:{TEXT[:20]}é", "is not a valid TPM2B_PUBLIC"),
        ("base64:AAA", "is not a valid TPM2B_PUBLIC"),
        (f"base64:{TEXT}@nowhere", "@nowhere is not valid; expected a handle or one of"),
    ],
)
def test_what_is_none(value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pin_from(None, value)


def test_another_name_beside_it() -> None:
    with pytest.raises(UsageError, match="but --tpm-session-encrypt-with-name is"):
        pin_from(f"000b{'ab' * 32}", VALUE)
