"""Prints the meanings of a word or number: the most likely meaning in full, then the alternatives."""

import shlex
from collections.abc import Sequence
from typing import Any

from tpmwire.errors import DecodeError
from tpmwire.explain.readers.numbers import Interpretation
from tpmwire.explain.readers.words import read_as, read_words
from tpmwire.explain.table import table_of

__all__ = ["interpretation_json", "interpretation_text"]

_MOST = 8
"""Maximum number of alternative interpretations in the output."""


def interpretation_text(text: str, found: Sequence[Interpretation]) -> str:
    """Returns the first interpretation of `text` in full, and one line for each alternative."""
    best, *others = found
    shown = repr(text if len(text) <= 60 else f"{text[:57]}...")
    in_type = f" ({best.type})" if best.value is not None and best.type else ""
    lines = [f"{shown}, taken as {best.kind}{in_type}:", *(f"  {line}" for line in best.lines)]
    if others:
        lines.append("It can also be:")
    for each in others[:_MOST]:
        lines.append(f"  {each.kind}: {each.lines[0]}  (tpmwire explain {_arguments(text, each)})")
    return "\n".join(lines)


def _arguments(text: str, each: Interpretation) -> str:
    """Returns the arguments of `tpmwire explain` that select an interpretation of `text`."""
    if each.ask == "name":
        return each.type
    if each.value is None or _selects(each.ask, text, each.value):
        return f"--as {each.ask} {shlex.quote(text)}"
    # A code in a file or a log line is not selected by its kind alone.
    code = hex(each.value) if each.value >= 0 else str(each.value)
    return code if [best[:3] for best in read_words(code)[:1]] == [each[:3]] else f"--as {each.ask} {code}"


def _selects(ask: str, text: str, value: int) -> bool:
    try:
        return read_as(ask, text)[0].value == value
    except (DecodeError, KeyError):
        return False


def interpretation_json(text: str, found: Sequence[Interpretation]) -> dict[str, Any]:
    """Returns the interpretations of `text` as a JSON object."""
    best, *others = found
    plain = {"input": text, **_plain(best), "meaning": best.lines}
    if best.ask == "name":
        plain["table"] = table_of(best.type).as_json()
    plain["others"] = [{**_plain(each), "meaning": each.lines[0]} for each in others]
    return plain


def _plain(found: Interpretation) -> dict[str, Any]:
    return {"kind": found.kind, "as": found.ask, "type": found.type, "value": found.value}
