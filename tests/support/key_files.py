"""Key files with changed fields, as asn1crypto writes them, and the messages of refused ones."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.tpmkey import TPMKey
from tpmwire.errors import KeyFileError
from tpmwire.keys.keyfile import parse

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"
TEXT = (KEYS / "hmac.pem").read_bytes()
HMAC = parse(TEXT)
SEED = bytes.fromhex("0003 aabbcc")


def built(**changes: Any) -> bytes:
    """Returns the key file hmac.pem with changed fields, in DER by asn1crypto."""
    values: dict[str, Any] = {
        "type": HMAC.type,
        "empty_auth": True,
        "parent": HMAC.parent,
        "pubkey": HMAC.pubkey,
        "privkey": HMAC.privkey,
        **changes,
    }
    data: bytes = TPMKey({name: value for name, value in values.items() if value is not None}).dump()
    return data


def fault(data: bytes | str) -> str:
    """Returns the message of a refused file. Asserts that it is one printable line of limited length."""
    with pytest.raises(KeyFileError) as caught:
        parse(data)
    message = str(caught.value)
    assert message.isprintable()
    assert 20 < len(message) < 300
    return message
