"""Parses numbers: decimal, hexadecimal, and every name that explanations print for them."""

import re
from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_HT, TPM_RH, TPMA_NV, TPMA_NV_EXP
from tpmwire.spec.names import full_name, type_name
from tpmwire.spec.numbers import Attributes
from tpmwire.spec.properties import TPM_CAP, TPM_NT, TPM_PT, TPM_PT_PCR

from ...terminal.messages import UsageError
from ...terminal.options import suggestion

__all__ = ["HIERARCHIES", "find_command", "is_handle", "names_of", "parse_number", "plain"]

HIERARCHIES = {
    "o": TPM_RH.OWNER,
    "e": TPM_RH.ENDORSEMENT,
    "p": TPM_RH.PLATFORM,
    "l": TPM_RH.LOCKOUT,
    "n": TPM_RH.NULL,
}
"""The abbreviations of tpm2-tools."""

_SHORT_BITS = {"sign": "signencrypt", "noda": "noda", "x509sign": "x509sign"}
_HANDLES = ("TPM_HANDLE", "TPMI_DH", "TPMI_RH", "TPMI_SH")


def plain(name: str) -> str:
    """Returns a name without underscores, hyphens and capitals, for comparisons."""
    return name.replace("_", "").replace("-", "").lower()


def is_handle(wire: Any) -> bool:
    """Returns whether a number's type is a handle."""
    return type_name(wire).startswith(_HANDLES)


@cache
def names_of(kind: Any) -> Mapping[str, int]:
    """Returns {name: value} of an enumeration or attribute word, in the standard's spelling and as printed."""
    found = {name: int(value) for name, value in kind.__members__.items()}
    if issubclass(kind, Attributes):
        found |= {kind(value).described(): value for value in found.values()}
    if kind in (TPMA_NV, TPMA_NV_EXP):
        found |= {f"TPM_NT_{member.name}": member << 4 for member in TPM_NT}
        found |= {name.removeprefix("TPM_NT_"): value for name, value in found.items() if "TPM_NT" in name}
    return found


@cache
def _plain_names(kind: Any) -> Mapping[str, int]:
    names = {plain(name): value for name, value in names_of(kind).items()}
    prefix = plain(kind.__name__)
    names |= {prefix + name: value for name, value in names.items() if not name.startswith(prefix)}
    return names | {plain(full_name(kind.__name__, name)): value for name, value in names_of(kind).items()}


def parse_number(wire: Any, text: str, where: str, values: Mapping[str, Any]) -> int:
    """Parses a number of the type `wire`: a number, a constant's name, attributes joined by |, a hierarchy.

    `values` contains the preceding fields of the command: they decide which names a property of GetCapability has.
    Raises UsageError with the field name `where` for any other text.
    """
    number = _parse_digits(text, wire.size if where.endswith(".expiration") else 0)
    if number is not None:
        return number
    if issubclass(wire.kind, IntFlag):
        return _parse_bits(wire.kind, text, where)
    if issubclass(wire.kind, IntEnum):
        return _look_up(wire.kind, text, where)
    if type_name(wire).startswith("UINT"):
        return _parse_property(text, where, values)
    first, _, words = text.partition(",")  # "0x40000001, TPM_RH_OWNER", as printed
    if words and (number := _parse_digits(first.strip(), wire.size)) is not None:
        return number
    if text.lower() in HIERARCHIES:
        return HIERARCHIES[text.lower()]
    if text.lower().removeprefix("the ").removesuffix(" hierarchy") in ("owner", "storage"):
        return TPM_RH.OWNER
    return _look_up(TPM_RH, text, where)


def _parse_digits(text: str, size: int) -> int | None:
    """Returns the number in a text, or None. A negative number is in two's complement of `size` bytes, if any."""
    try:
        number = int(text, 0)
    except ValueError:
        return int(text) if text.isascii() and text.isdecimal() else None  # also 007
    return number + (1 << 8 * size) if size and -(1 << (8 * size - 1)) <= number < 0 else number


def _look_up(kind: Any, text: str, where: str) -> int:
    names = _plain_names(kind)
    word = plain(text.strip())
    if word not in names:
        raise UsageError(
            f"{where}: {text.strip()!r} is not valid; expected a number, or a name from "
            f"`tpmwire spec {kind.__name__}`{suggestion(text, names_of(kind))}"
        )
    return names[word]


def _parse_bits(kind: Any, text: str, where: str) -> int:
    total = 0
    numbers = {plain(name): bits for name, bits in kind.numbers().items()}
    for word in map(str.strip, text.replace(", ", "|").split("|")):
        name, equals, value = word.partition("=")
        if (digits := _parse_digits(word, 8)) is not None:
            total |= digits
        elif equals and plain(name) in numbers and (digits := _parse_digits(value, 8)) is not None:
            mask = numbers[plain(name)]
            total |= digits * (mask & -mask) & mask
        elif kind in (TPMA_NV, TPMA_NV_EXP) and (match := re.fullmatch(r"(?:TPM_)?NT[_=](\w+)", word, re.I)):
            digits = _parse_digits(match[1], 8)
            total |= (digits if digits is not None else _look_up(TPM_NT, match[1], where)) << 4
        elif plain(word) not in ("zero", "none", "") or kind.__name__ == "TPMA_LOCALITY":
            total |= _look_up(kind, _SHORT_BITS.get(word.lower(), word), where)
    return total


def _parse_property(text: str, where: str, values: Mapping[str, Any]) -> int:
    """Parses the field `property` of GetCapability. `values` contains the capability, which decides its names."""
    kinds: dict[int, Callable[[str], int]] = {
        TPM_CAP.TPM_PROPERTIES: lambda word: _look_up(TPM_PT, word, where),
        TPM_CAP.PCR_PROPERTIES: lambda word: _look_up(TPM_PT_PCR, word, where),
        TPM_CAP.ALGS: lambda word: _look_up(TPM_ALG, word, where),
        TPM_CAP.ECC_CURVES: lambda word: _look_up(TPM_ECC, word, where),
        TPM_CAP.HANDLES: lambda word: _look_up(TPM_HT, word, where) << 24,
        TPM_CAP.AUTH_POLICIES: lambda word: _look_up(TPM_RH, word, where),
        **dict.fromkeys(
            (TPM_CAP.COMMANDS, TPM_CAP.PP_COMMANDS, TPM_CAP.AUDIT_COMMANDS),
            lambda word: _look_up(TPM_CC, word.removeprefix("TPM2_"), where),
        ),
    }
    parse = kinds.get(values.get("capability", -1)) if where.endswith(".property") else None
    if parse is None:
        raise UsageError(f"{where}: {text!r} is not a number")
    return parse(text)


def find_command(name: str) -> Any:
    """Returns the class of the command with this name, or with a name that begins so; None if there is none.

    Prefixes, underscores and capitals do not matter: `TPM2_PCR_Read`, `pcrread`, `getr`. A name that begins two
    commands stands for the shorter one if that begins the other, as NV_DefineSpace begins NV_DefineSpace2.
    """
    wanted = plain(name).removeprefix("tpm2").removeprefix("tpmcc")
    codes = {plain(code.name): code for code in TPM_CC if command_class(code) is not None}
    near = sorted((known for known in codes if wanted and known.startswith(wanted)), key=len)
    if not near or (wanted not in codes and not all(other.startswith(near[0]) for other in near)):
        return None
    return command_class(codes.get(wanted, codes[near[0]]))
