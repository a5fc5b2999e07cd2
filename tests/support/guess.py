"""What somebody who recorded the bus can do offline: try words on each authorization that no salt protects."""

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from tests.support.interposer import Pair
from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_CC, TPM_RH, TPM_ST

__all__ = ["guessed", "unsalted"]


class Authorization(NamedTuple):
    """An authorization in a recorded command that needs no salt to be checked."""

    code: str
    session: int
    first: bytes  # what the HMAC covers: the nonces and attributes come after cpHash
    cp_hash: bytes
    value: bytes


def unsalted(dialogue: Iterable[Pair]) -> Iterator[Authorization]:
    """Each authorization with a value (a password, or an HMAC) that is not made under a salt."""
    salted: dict[int, bool] = {}
    nonces: dict[int, bytes] = {}
    for command, response in dialogue:
        code = int.from_bytes(command[6:10], "big")
        if code == TPM_CC.StartAuthSession and not any(response[6:10]):
            handle = int.from_bytes(response[10:14], "big")
            salted[handle] = command[10:14] != TPM_RH.NULL.to_bytes(4, "big")
            nonces[handle] = response[16 : 16 + int.from_bytes(response[14:16], "big")]
        elif command[:2] == TPM_ST.SESSIONS.to_bytes(2, "big"):
            yield from _of(command, code, salted, nonces)


def _of(command: bytes, code: int, salted: dict[int, bool], nonces: dict[int, bytes]) -> Iterator[Authorization]:
    # The Names of hierarchies are their handles; of others the HMAC covers what this does not know.
    kind = command_class(code)
    assert kind is not None
    start = 10 + 4 * sum(1 for _ in kind.handle_fields())
    end = start + 4 + int.from_bytes(command[start : start + 4], "big")
    cp_hash = sha256(command[6:start] + command[end:]).digest()
    at = start + 4
    while at < end:
        session = int.from_bytes(command[at : at + 4], "big")
        size = int.from_bytes(command[at + 4 : at + 6], "big")
        nonce, attributes = command[at + 6 : at + 6 + size], command[at + 6 + size : at + 7 + size]
        at += 7 + size
        length = int.from_bytes(command[at : at + 2], "big")
        value = command[at + 2 : at + 2 + length]
        at += 2 + length
        if value and not salted.get(session, False):
            yield Authorization(
                TPM_CC(code).name, session, nonce + nonces.get(session, b"") + attributes, cp_hash, value
            )


def guessed(dialogue: Iterable[Pair], words: Iterable[bytes]) -> set[tuple[str, bytes]]:
    """The words that a recorded authorization fits, with the command's name."""
    words = list(words)
    return {
        (one.code, word)
        for one in unsalted(dialogue)
        for word in words
        if word == one.value or hmac.digest(word, one.cp_hash + one.first, "sha256") == one.value
    }
