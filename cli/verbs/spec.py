"""Shows a table of TPM 2.0 Parts 2 and 3, or the meaning of a value in it.

  tpmwire spec                       all names with a table
  tpmwire spec TPM2_HMAC             a command: handles, parameters, response
  tpmwire spec TPMT_PUBLIC           a structure, union, or other type
  tpmwire spec TPMA_OBJECT 0x40472   an attribute word, bit by bit
  tpmwire spec TPM_RC 0x98e          a response code, taken apart
  tpmwire spec 0x98e                 a value whose kind is guessed
  tpmwire spec TPM_ALG SHA256        a constant by its name
  tpmwire spec TPMT_HA 0004da39...   the bytes of a structure

tpmwire itself builds and parses messages with these tables.
"""

import argparse
import json
import textwrap

from tpmwire.errors import DecodeError
from tpmwire.explain import as_json
from tpmwire.explain.lookup import find_name, has_octets, parse_constant, similar_names
from tpmwire.explain.readers.words import read_words
from tpmwire.explain.table import kinds, table_of
from tpmwire.explain.value import explain_octets, explain_value

from ..inspect.interpretations import interpretation_json, interpretation_text
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
    if args.value is None and find_name(args.name) is None and (found := read_words(args.name)):
        plain = interpretation_json(args.name, found) if args.json else None
        print(json.dumps(plain, indent=2) if args.json else interpretation_text(args.name, found))
        return 0
    name, member = _find_table(args.name)
    words = args.value if args.value is not None else member
    if words is None:
        table = table_of(name)
        print(json.dumps(table.as_json(), indent=2) if args.json else table.as_text())
        return 0
    if has_octets(name):
        return _octets(name, words, args)
    value, lines = _meaning(name, words)
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
    found = find_name(word)
    if found is None:
        close = similar_names(word)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(f"unknown table {word!r}{meant} (`tpmwire spec` lists all names)")
    return found


def _octets(name: str, words: str, args: Settings) -> int:
    try:
        octets = bytes.fromhex(words)
    except ValueError:
        raise UsageError(f"{name}: expected bytes in hex, such as 000b") from None
    tree = explain_octets(name, octets)
    if args.json:
        print(json.dumps(as_json(tree), indent=2))
    else:
        printer(args.color)(tree)
    return 1 if tree.error else 0


def _meaning(name: str, words: str) -> tuple[int, list[str]]:
    """Returns (number, explanation lines) of the value `words` of the type `name`."""
    try:
        value = parse_constant(name, words)
        return value, explain_value(name, value)
    except DecodeError as error:
        raise UsageError(f"{error.reason} (see `tpmwire spec {name}`)") from error
