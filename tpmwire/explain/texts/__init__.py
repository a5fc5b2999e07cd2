"""The meanings of names in the standard, in tpmwire's own words: attributes, constants, commands, types.

Each module has a table as text. A line without indentation is the name of a type. Each indented line is a
constant, attribute or field, and its meaning. A line with deeper indentation continues the line above.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

__all__ = ["command_errors", "field_meaning", "meaning", "plain_name"]

_MODULES = (
    "attributes",
    "constants",
    "properties",
    "response_codes",
    "command_fields",
    "commands_keys",
    "commands_platform",
    "types",
)


def meaning(name: str, member: str = "") -> str:
    """Returns the meaning of a name in the standard, or "" if the name is not in the tables.

    `name` is a type or command, such as TPMA_OBJECT. `member` is an attribute, constant or field of the type,
    written as in the standard, such as fixedTPM, SHA256 or nameAlg. Without `member`, the meaning of the type
    itself is returned.
    """
    for pattern, family in _FAMILIES.items():
        member = re.sub(pattern, family, member)
    key = plain_name(member)
    return _tables().get((name, key)) or _tables().get((name.removesuffix("_EXP"), key), "")


_FAMILIES = {r"^ACT_[0-9A-F]$": "ACT_0", r"^REFERENCE_([HS])[0-6]$": r"REFERENCE_\1"}
"""Patterns of constants that have one meaning together."""


def field_meaning(command: str, field: str) -> str:
    """Returns the purpose of a handle or parameter of a command, or "". `command` has the prefix TPM2_."""
    return meaning(command, field) or meaning("TPM2", field)


def command_errors(command: str) -> list[tuple[str, str]]:
    """Returns (code, reason) pairs for the typical errors of a command, such as ("TPM_RC_TYPE", "...")."""
    return [
        (f"TPM_RC_{member[1:]}", text)
        for name, member, text in _all_entries()
        if name == command and member.startswith("!")
    ]


@cache
def _all_entries() -> list[tuple[str, str, str]]:
    modules = (import_module(f".{module}", __package__) for module in _MODULES)
    return [entry for module in modules for entry in _entries(module.TEXT)]


def plain_name(name: str) -> str:
    """Returns a name in lower case without underscores, for comparing FIPS_140_2 with fips1402."""
    return name.replace("_", "").lower()


@cache
def _tables() -> dict[tuple[str, str], str]:
    return {(name, plain_name(member)): text for name, member, text in _all_entries()}


def _entries(table: str) -> Iterator[tuple[str, str, str]]:
    """Yields (type, member, meaning) of each line of a table."""
    name = ""
    for line in table.replace("\n   ", " ").splitlines():
        member, _, text = line.strip().partition(": ")
        if line[:1].strip():
            name, member = member.rstrip(":"), ""
        if text:
            yield name, member, text
