"""Finds names of the standard in common variants, and parses numbers and names of constants."""

from difflib import get_close_matches
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

from ..errors import DecodeError
from ..record import Record
from ..spec.command import Command
from ..spec.constants import TPM_CC
from ..spec.names import full_name
from ..wires import Number, YesNo, wire_of
from .table import declarations
from .texts import plain_name
from .texts.other_names import OTHER_NAMES, UNDECLARED

__all__ = ["find_name", "has_octets", "parse_constant", "similar_names"]

_PREFIXES = tuple(
    f"tpm2_{kind}_"
    for kind in (
        "alg",
        "cc",
        "ecc",
        "eo",
        "ht",
        "nt",
        "ps",
        "pt",
        "rc",
        "rh",
        "rs",
        "se",
        "st",
        "su",
        "cap",
        "ae",
        "at",
    )
)
"""Prefixes of constants in tpm2-tss."""


@cache
def _tables() -> dict[str, str]:
    """Returns the names of tables, keyed by the name in lower case."""
    tables = {name.lower(): name for name in [*declarations(), *UNDECLARED]}
    tables |= {name.lower(): real for name, real in OTHER_NAMES.items() if real.lower() in tables}
    # TPM2_MAC has the same code as TPM2_HMAC, and so the same table.
    return tables | {f"tpm2_{name}".lower(): f"TPM2_{code.name}" for name, code in TPM_CC.__members__.items()}


@cache
def _members() -> dict[str, tuple[str, str]]:
    """Returns (table, constant), keyed by the constant's full name in lower case, such as `tpm_rc_auth_fail`."""
    members = {
        f"{name}_{member}".lower(): (name, member)
        for name, kind in declarations().items()
        if isinstance(kind, type) and issubclass(kind, IntEnum)
        for member in kind.__members__
    }
    return members | {full_name(*found).lower(): found for found in members.values()}


def find_name(word: str) -> tuple[str, str | None] | None:
    """Returns (table, constant) for a name of the standard; None for an unknown name.

    The constant is None if the name is a table's name. TPM_RC_AUTH_FAIL is a constant in the table TPM_RC. The
    prefixes of tpm2-tss (TPM2_RC_AUTH_FAIL) and of IBM's TSS (TPM_CC_GetRandom) are accepted.
    """
    asked = word.strip().lower()
    if asked.startswith(_PREFIXES):
        asked = "tpm_" + asked[5:]
    for key in (asked, f"tpm2_{asked.removeprefix('tpm_cc_')}"):
        if key in _tables():
            return _tables()[key], None
    return _members().get(asked)


def similar_names(word: str) -> list[str]:
    """Returns at most three names of tables and constants that resemble `word`, the most similar first."""
    asked = word.strip().lower()
    spelled = _tables() | {key: full_name(*found) for key, found in _members().items()}
    written = [asked, f"tpm2_{asked}", f"tpm_{asked}"]
    close = dict.fromkeys(spelled[key] for each in written for key in get_close_matches(each, spelled, 3))
    return list(close)[:3]


def has_octets(name: str) -> bool:
    """Returns whether a value of the type `name` is entered as bytes in hex: a structure, list or buffer.

    `name` is a key of `declarations()`.
    """
    kind: Any = declarations().get(name)
    if kind is None or isinstance(kind, type):
        return kind is not None and issubclass(kind, Record) and not issubclass(kind, Command)
    return not isinstance(kind, dict) and not isinstance(wire_of(kind), (Number, YesNo))


def parse_constant(name: str, text: str) -> int:
    """Parses a value of the type `name`: a number, the name of a constant, or attributes joined by `|`.

    Raises DecodeError for a negative number, and for a name that is not a constant of the type.
    """
    if name in UNDECLARED:
        raise DecodeError(f"{name} has no values: {UNDECLARED[name]}", 0, 0)
    try:
        value = int(text, 0)
    except ValueError:
        pass
    else:
        if value < 0:
            raise DecodeError(f"{text} is negative; expected 0 or more", 0, 0)
        return value
    kind: Any = declarations()[name]
    if not isinstance(kind, type) or not issubclass(kind, (IntEnum, IntFlag)):
        raise DecodeError(f"{text!r} is not a number such as 0x40472", 0, 0)
    known = {
        plain_name(text).removeprefix(plain_name(name)): int(number)
        for member, number in kind.__members__.items()
        for text in (member, full_name(name, member))
    }
    value = 0
    for word in text.split("|"):
        plain = plain_name(word.strip()).removeprefix(plain_name(name))
        if plain not in known:
            raise DecodeError(f"{name} has no constant {word.strip()!r}", 0, 0)
        value |= known[plain]
    return value
