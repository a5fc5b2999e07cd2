"""Results as short text: a line for each value, by the standard's names."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from tpmwire.policy.pcr_selection import format_pcrs
from tpmwire.record import Record, is_secret
from tpmwire.spec.names import constant_name, field_name, type_name
from tpmwire.spec.numbers import Attributes
from tpmwire.spec.structures import TPMS_PCR_SELECTION
from tpmwire.wires import Select, wire_of

from .numbers import is_handle
from .values import Outcome

__all__ = ["outcome_json", "outcome_text", "value_text"]

_HIDDEN = "{} bytes, secret (--secrets shows it)"


def outcome_text(outcome: Outcome, number: int, save: str, *, secrets: bool) -> str:
    """Returns the result of a command as text: its number and name, and a line for each value.

    Without `secrets`, secret values are hidden.
    """
    head = f"${number}{f' = ${save}' if save else ''}  TPM2_{outcome.command.code.name}"
    found = [head, *_values(outcome, secrets)]
    return "\n".join(found)


def _values(outcome: Outcome, secrets: bool) -> Iterator[str]:
    for name, annotation, value in outcome.annotated():
        hidden = is_secret(annotation) and not secrets
        yield from _lines(name, _HIDDEN.format(len(value)) if hidden else value, 1, wire_of(annotation))
    for name, value in outcome.more.items():
        yield from _lines(name, value if secrets else _HIDDEN.format(len(value)), 1, None)


def outcome_json(outcome: Outcome, number: int, save: str, *, secrets: bool) -> dict[str, Any]:
    """Returns the result of a command as plain values: its number, name, command and values.

    Bytes are in hex. Without `secrets`, secret values are null.
    """
    hidden = {name for name in outcome.named() if outcome.is_secret(name) and not secrets}
    values = {name: None if name in hidden else _plain(value) for name, value in outcome.named().items()}
    named = {"name": save} if save else {}
    return {"number": number, **named, "command": f"TPM2_{outcome.command.code.name}", "values": values}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return {field_name(name): _plain(getattr(value, name)) for name, _ in value.fields()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int) and not isinstance(value, IntEnum | Attributes):
        return int(value)
    return _word(value, None).replace("empty", "") if isinstance(value, bytes) else _word(value, None)


def value_text(name: str, value: Any) -> str:
    """Returns a value as text, with its name."""
    return "\n".join(_lines(name, value, 0, None))


def _lines(name: str, value: Any, depth: int, wire: Any) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Record):
        yield f"{indent}{name}:"
        for field, annotation in value.fields():
            inner = getattr(value, field)
            if inner is not None:
                hidden = is_secret(annotation) and inner
                part = wire_of(annotation)
                part = part.member(vars(value)) if isinstance(part, Select) else part
                yield from _lines(field_name(field), "secret" if hidden else inner, depth + 1, part)
        return
    if isinstance(value, tuple) and value and all(isinstance(one, TPMS_PCR_SELECTION) for one in value):
        yield f"{indent}{name}: {format_pcrs(value)}"
        return
    if isinstance(value, tuple):
        yield f"{indent}{name}: {len(value)} {'element' if len(value) == 1 else 'elements'}"
        element = getattr(wire, "element", None)
        for position, one in enumerate(value):
            yield from _lines(f"[{position}]", one, depth + 1, element)
        return
    yield f"{indent}{name}: {_word(value, wire)}"


def _word(value: Any, wire: Any) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.hex() or "empty"
        case bool():
            return "yes" if value else "no"
        case Attributes():
            return value.described()
        case IntEnum():
            return constant_name(value)
    if wire is not None and (is_handle(wire) or type_name(wire) == "TPM_RC"):
        return f"0x{value:08x}"
    return str(value)
