"""Converts policy statements to JSON and back, by the types of their fields.

    {"type": "PolicyNV", "index": "0x01500016", "name": "000b…", "operand": "2a", "operation": "UNSIGNED_LT"}

Bytes are hex. Named constants are written by name (HMAC, UNSIGNED_LT). Handles are hex or decimal. PCRs are a
selection such as `sha256:7,23`. A public key is PEM, or a public area in hex.
"""

from typing import Any, NamedTuple

from ..errors import DecodeError, EncodeError, PolicyError
from ..record import marks
from ..spec.constants import TPM_ALG
from ..spec.numbers import OpenEnum
from ..spec.structures import TPM2B_PUBLIC, TPML_PCR_SELECTION
from ..wires import Counted, Number, Sized, SizedRecord, YesNo, wire_of
from .pcr_selection import format_pcrs, parse_pcrs
from .signer import signer_area
from .statement import Json, Statement, statement_classes

__all__ = ["Field", "fields_of", "from_fields", "split_item", "to_fields"]


class Field(NamedTuple):
    """A field of a statement: its name in Python, the construct that parses and builds it, and its default.

    The default is the value that the field has if JSON omits it, or None if JSON must have the field.
    """

    name: str
    wire: Any
    default: Any

    @property
    def is_required(self) -> bool:
        """Returns whether JSON must have the field."""
        return self.default is None


def fields_of(kind: type[Statement]) -> dict[str, Field]:
    """Returns the fields of a class of statements, keyed by their names in JSON."""
    defaults = kind.wire().defaults
    found = {}
    for name, annotation in kind.fields():
        mark = next((mark for mark in marks(annotation) if isinstance(mark, Json)), Json())
        default = defaults.get(name) if mark.default is None else mark.default
        found[mark.name or name.rstrip("_")] = Field(name, wire_of(annotation), default)
    return found


def from_fields(item: Any, alg: TPM_ALG) -> Statement:
    """Parses a statement from a JSON object, for a policy with the hash `alg`.

    Raises PolicyError if a field is not valid.
    """
    kind, given = split_item(item)
    try:
        values = kind.expand_json(given, alg)
        made = kind(
            **{
                field.name: _from_json(field.wire, values[name]) if name in values else field.default
                for name, field in fields_of(kind).items()
            }
        )
        made.build()
    except (DecodeError, EncodeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise PolicyError(f"{kind.__name__} has an invalid field: {error}") from error
    return made


def split_item(item: Any) -> tuple[type[Statement], dict[str, Any]]:
    """Returns the class of a statement in JSON, and the statement's fields by their names in JSON.

    Raises PolicyError for missing and unknown fields.
    """
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise PolicyError(
            'a policy statement must be a JSON object with a type, such as {"type": "PolicyAuthValue"}'
        )
    kinds = statement_classes()
    kind = kinds.get(item["type"])
    if kind is None:
        raise PolicyError(f"unknown statement {item['type'][:40]!r}; expected one of {', '.join(kinds)}")
    known = fields_of(kind)
    names = (*known, *kind.short_forms)
    given = {name: value for name, value in item.items() if name != "type"}
    for name in given:
        if name not in names:
            raise PolicyError(
                f"{kind.__name__} has no field {name[:40]!r}; expected {', '.join(names) or 'no fields'}"
            )
    if not any(name in given for name in kind.short_forms):
        for name, field in known.items():
            if field.is_required and name not in given:
                raise PolicyError(f"{kind.__name__} is missing its field {name!r}")
    return kind, given


def to_fields(statement: Statement) -> dict[str, Any]:
    """Returns the JSON object of a statement, without fields that have their default value.

    Raises PolicyError if a value cannot be represented in JSON.
    """
    found: dict[str, Any] = {"type": type(statement).__name__}
    for name, field in fields_of(type(statement)).items():
        value = getattr(statement, field.name)
        if field.is_required or value != field.default:
            found[name] = _to_json(field.wire, value)
    return found


_PCRS, _PUBLIC = wire_of(TPML_PCR_SELECTION), wire_of(TPM2B_PUBLIC)


def _to_json(wire: Any, value: Any) -> Any:
    if wire is _PCRS:
        return _selection(value)
    match wire:
        case YesNo():
            return value
        case Number():
            return _number(wire, value)
        case Sized() if isinstance(value, bytes):
            return value.hex()
        case Counted(element=Sized()):
            return [one.hex() for one in value]
    return wire.build(value).hex()


def _from_json(wire: Any, value: Any) -> Any:
    if wire is _PCRS:
        return parse_pcrs(value)
    if wire is _PUBLIC:
        return signer_area(value.encode())
    match wire:
        case YesNo():
            return value
        case Number():
            return _parse_number(wire, value)
        case SizedRecord():
            return wire.parse(bytes.fromhex(value))
        case Sized():
            return bytes.fromhex(value)
        case Counted(element=Sized()):
            return tuple(bytes.fromhex(one) for one in value)
    return wire.parse(bytes.fromhex(value))


def _selection(pcrs: Any) -> str:
    text = format_pcrs(pcrs)
    try:
        exact = parse_pcrs(text) == pcrs
    except PolicyError:
        exact = False
    if not exact:
        raise PolicyError(
            "the PCR selection cannot be represented in JSON: a bank is empty, repeated or unknown, or does "
            "not have 24 PCRs; print the policy as text instead"
        )
    return text


def _number(wire: Number, value: int) -> int | str:
    if issubclass(wire.kind, OpenEnum):
        return wire.kind(value).name
    return int(value) if wire.size < 4 else f"0x{value:08x}"


def _parse_number(wire: Number, value: Any) -> int:
    if issubclass(wire.kind, OpenEnum):
        plain = str(value).removeprefix("TPM2_")
        if plain in wire.kind.__members__:
            return wire.kind[plain]
        if not plain.startswith("0x"):
            raise ValueError(f"{plain[:40]!r} is not a valid {wire.label}")
        return wire.kind(int(plain, 16))
    return wire.kind(int(str(value), 0))
