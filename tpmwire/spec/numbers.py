"""Named numbers: open enumerations and attribute words. Both preserve unknown values."""

from __future__ import annotations

import sys
from enum import KEEP, EnumType, IntEnum, IntFlag
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

_LATEST = (3, 14)
"""The latest Python whose enumerations `_OpenEnumType` is known to equal (tests/unit/test_numbers.py)."""


if TYPE_CHECKING:
    _OpenEnumType = EnumType
else:

    class _OpenEnumType(EnumType):
        """Creates the members of an open enumeration in a tenth of the time of EnumType.

        EnumType would take 3 ms of each run for the hundreds of members in `constants`.
        """

        @classmethod
        def __prepare__(metacls, name, bases, **options):
            return _Namespace()

        def __new__(metacls, name, bases, namespace, **options):
            is_known = sys.version_info[:2] <= _LATEST
            numbers = {key: value for key, value in namespace.items() if is_known and _is_member(key, value)}
            rest = super().__prepare__(name, bases, **options)
            for key, value in namespace.items():
                if key not in numbers:
                    rest[key] = value
            kind = super().__new__(metacls, name, bases, rest, **options)
            by_name, by_value, names = kind._member_map_, kind._value2member_map_, kind._member_names_
            for key, value in numbers.items():
                member = by_value.get(value)
                if member is None:
                    by_value[value] = member = int.__new__(kind, value)
                    member._name_, member._value_, member.__objclass__ = key, value, kind
                    member._sort_order_ = len(names)
                    names.append(key)
                type.__setattr__(kind, key, member)
                by_name[key] = member
            return kind


class _Namespace(dict[str, object]):
    """The names of a class body. Raises TypeError for a second member of one name."""

    def __setitem__(self, name: str, value: object) -> None:
        if name in self:
            raise TypeError(f"{name!r} is already defined as {self[name]!r}")
        super().__setitem__(name, value)


def _is_member(name: str, value: object) -> bool:
    return type(value) is int and not name.startswith("_")


class OpenEnum(IntEnum, metaclass=_OpenEnumType):
    """An enumeration of the standard. A value without a name is preserved, and shown as hex.

    A TPM may have newer or vendor-specific algorithms, properties and codes.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{value!r} is not a valid {cls.__name__}")
        # The value is not added to the enum's table, so that a peer cannot make the table grow.
        member = int.__new__(cls, value)
        member._name_ = f"0x{value:x}"
        member._value_ = value
        return member

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name_}" if self.known else f"{type(self).__name__}({self._name_})"

    @property
    def known(self) -> bool:
        """Returns whether the enumeration has a name for the value."""
        return self._value_ in type(self)._value2member_map_


class Attributes(IntFlag, boundary=KEEP):
    """An attribute word (TPMA_…), including reserved bits."""

    @classmethod
    def _missing_(cls, value: Any) -> Any:
        member = super()._missing_(value)
        # Bypasses the standard library's cache of all combinations, which a peer could make grow.
        if len(cls._value2member_map_) > 1024:
            cls._value2member_map_.pop(value, None)
        return member

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.described()})"

    @classmethod
    def numbers(cls) -> dict[str, int]:
        """Returns {name: mask} of the members with several bits, whose value is a number."""
        return {name: int(bits) for name, bits in cls.__members__.items() if int(bits).bit_count() > 1}

    def described(self) -> str:
        """Returns the names of the set bits in the standard's spelling, joined by `|`; unnamed bits as hex."""
        return _describe_bits(type(self), int(self))


@lru_cache(1024)
def _describe_bits(kind: type[Attributes], value: int) -> str:
    names, rest = [], value
    for name, bits in kind.numbers().items():
        if value & bits:
            names.append(f"{_spell_name(name)}={(value & bits) // (bits & -bits)}")
            rest &= ~bits
    for flag in kind:
        bits = int(flag)
        if value & bits == bits:
            names.append(_spell_name(flag.name or ""))
            rest &= ~bits
    return "|".join([*names, *([f"0x{rest:x}"] if rest else [])]) or "0"


def _spell_name(name: str) -> str:
    """Returns the standard's spelling of a name: `fixedTPM` for `FIXED_TPM`."""
    first, *others = name.split("_")
    if first in ("FIPS", "EXTERNAL"):
        return name
    keep = {"TPM", "NV", "PCR", "DA", "PT", "EC", "SHE", "SHEN", "PH", "EH", "EPS"}
    words = ("_" + word if word.isdigit() else word if word in keep else word.capitalize() for word in others)
    return first.lower() + "".join(words)
