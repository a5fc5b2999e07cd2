"""Shows a table of TPM 2.0 Parts 2 and 3, or the meaning of a value in it.

  tpmwire spec                       all names with a table
  tpmwire spec TPM2_HMAC             a command: handles, parameters, response
  tpmwire spec TPMT_PUBLIC           a structure, union, or other type
  tpmwire spec TPMA_OBJECT 0x40472   an attribute word, bit by bit
  tpmwire spec TPM_RC 0x98e          a response code, taken apart
  tpmwire spec TPM_ALG SHA256        a constant by its name
  tpmwire spec TPMT_HA 0004da39...   the bytes of a structure

tpmwire itself builds and parses messages with these tables.
"""

import argparse
import json
import textwrap
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

from tpmwire.errors import DecodeError
from tpmwire.explain import as_json
from tpmwire.explain.table import declarations, kinds, table_of
from tpmwire.explain.value import explain_octets, explain_value
from tpmwire.record import Record
from tpmwire.spec.command import Command
from tpmwire.spec.constants import TPM_CC
from tpmwire.wires import Number, YesNo, wire_of

from ..terminal.colors import ColorSettings, add_color_option, printer
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]


class Settings(ColorSettings):
    """The verb's options."""

    name: str | None
    value: str | None
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="command, structure or constant (default: list all)"
    )
    parser.add_argument(
        "value", nargs="?", metavar="VALUE", help="value to decode as NAME: a number or the name of a constant"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    add_color_option(parser)


def run(args: Settings) -> int:
    """Prints the list of tables, one table, or the meaning of a value."""
    if args.name is None:
        groups = kinds()
        print(json.dumps(groups, indent=2) if args.json else _list_tables(groups))
        return 0
    name, member = _find_table(args.name)
    words = args.value if args.value is not None else member
    if words is None:
        table = table_of(name)
        print(json.dumps(table.as_json(), indent=2) if args.json else table.as_text())
        return 0
    if _has_octets(name):
        return _octets(name, words, args)
    value = _value(name, words)
    lines = _meaning(name, value)
    print(
        json.dumps({"name": name, "value": value, "meaning": lines}, indent=2) if args.json else "\n".join(lines)
    )
    return 0


def _list_tables(groups: dict[str, list[str]]) -> str:
    parts = []
    for heading, names in groups.items():
        lines = textwrap.wrap("  ".join(names), 100, break_long_words=False, break_on_hyphens=False)
        parts.append("\n".join([f"{heading}: {len(names)}", *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def _find_table(word: str) -> tuple[str, str | None]:
    """Returns (table, constant) for an argument: the name of a table, and of a constant in the table or None.

    For example, TPM_RC_AUTH_FAIL is a constant in the table TPM_RC. Raises UsageError for an unknown name.
    """
    tables = {name.lower(): name for name in declarations()}
    # TPM2_MAC has the same code as TPM2_HMAC, and so the same table.
    tables |= {f"tpm2_{name}".lower(): f"TPM2_{code.name}" for name, code in TPM_CC.__members__.items()}
    asked = word.lower()
    for form in (asked, f"tpm2_{asked.removeprefix('tpm_cc_')}"):
        if form in tables:
            return tables[form], None
    members = {
        f"{name}_{member}".lower(): (name, member)
        for name, kind in declarations().items()
        if isinstance(kind, type) and issubclass(kind, IntEnum)
        for member in kind.__members__
    }
    members["tpm_rs_pw"] = members["tpm_rh_pw"]
    if asked in members:
        return members[asked]

    spelled = tables | {key: f"{name}_{member}" for key, (name, member) in members.items()}
    forms = [asked, f"tpm2_{asked}", f"tpm_{asked}"]
    close = dict.fromkeys(spelled[key] for form in forms for key in get_close_matches(form, spelled, 3))
    meant = f"; did you mean {' or '.join(list(close)[:3])}?" if close else ""
    raise UsageError(f"unknown table {word!r}{meant} (`tpmwire spec` lists all names)")


def _has_octets(name: str) -> bool:
    """Returns whether values of a type are given as bytes in hex: the type is a structure, list or buffer."""
    kind: Any = declarations()[name]
    if isinstance(kind, type):
        return issubclass(kind, Record) and not issubclass(kind, Command)
    return not isinstance(kind, dict) and not isinstance(wire_of(kind), (Number, YesNo))


def _octets(name: str, words: str, args: Settings) -> int:
    try:
        octets = bytes.fromhex(words)
    except ValueError:
        raise UsageError(f"{name}: expected bytes in hex") from None
    tree = explain_octets(name, octets)
    if args.json:
        print(json.dumps(as_json(tree), indent=2))
    else:
        printer(args.color)(tree)
    return 1 if tree.error else 0


def _value(name: str, words: str) -> int:
    """Parses a value of a type: a number, the name of a constant, or attributes such as `fixedTPM|decrypt`."""
    try:
        value = int(words, 0)
    except ValueError:
        pass
    else:
        if value < 0:
            raise UsageError(f"{words} is negative; the standard has no negative numbers")
        return value
    kind: Any = declarations()[name]
    if not isinstance(kind, type) or not hasattr(kind, "__members__"):
        raise UsageError(f"{words!r} is not a number such as 0x40472")
    known = {member.replace("_", "").lower(): int(number) for member, number in kind.__members__.items()}
    value = 0
    for word in words.split("|"):
        plain = word.strip().removeprefix(f"{name}_").replace("_", "").lower()
        if plain not in known:
            raise UsageError(f"{name} has no {word.strip()!r} (see `tpmwire spec {name}`)")
        value |= known[plain]
    return value


def _meaning(name: str, value: int) -> list[str]:
    try:
        return explain_value(name, value)
    except DecodeError as error:
        raise UsageError(f"{error.reason} (see `tpmwire spec {name}`)") from error
