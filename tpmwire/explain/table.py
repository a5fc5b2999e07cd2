"""The standard's tables, derived from the declarations: commands, structures, unions, constants, attribute words.

table = table_of("TPMT_PUBLIC")
print(table.as_text())
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import IntEnum, IntFlag
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from ..record import Declared, Record, Struct, is_secret
from ..spec.command import Command, command_class, role_of
from ..spec.commands import CHAPTERS
from ..spec.constants import TPM_CC, TPM_HT
from ..spec.names import constant_name, field_name, purpose, section, type_name
from ..spec.properties import TPM_NT
from ..spec.response_texts import explain
from ..spec.tss2_codes import LAYERS
from ..spec.versioned import Versioned
from ..wire import first_parameter
from ..wires import Counted, Number, Select, Sized, SizedRecord, wire_of
from .texts import command_errors, field_meaning, meaning
from .texts.other_names import UNDECLARED

__all__ = ["Table", "declarations", "kinds", "size_of", "table_of", "wrap_line"]

_MODULES = (
    "constants",
    "properties",
    "response_codes",
    "structures",
    "capabilities",
    "storage",
    "attestation",
)


WIDTH = 110
"""Maximum number of characters in a line; longer explanations are wrapped."""


class Table(NamedTuple):
    """A table of the standard. Each of `parts` is a pair: a heading, and rows of text cells."""

    name: str
    purpose: str
    spec: str
    parts: Sequence[tuple[str, Sequence[Sequence[str]]]]

    def as_text(self) -> str:
        """Returns the table as text: a title, and the rows in columns."""
        lines = [f"{self.name}  {self.purpose}" + (f"  [{self.spec}]" if self.spec else "")]
        for heading, rows in self.parts:
            lines.append(f"  {heading}" if rows else f"  {heading}: none")
            lines += _lines(rows)
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Returns the table as plain values: name, purpose, spec, and the parts as lists of rows."""
        parts = [{"heading": heading, "rows": [list(row) for row in rows]} for heading, rows in self.parts]
        return {"name": self.name, "purpose": self.purpose, "spec": self.spec, "parts": parts}


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a table. A long last cell is wrapped, or moved to lines below the other cells."""
    columns = max(map(len, rows), default=0)
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(columns)]
    indent = 4 + sum(width + 2 for width in widths[:-1])
    below = columns > 1 and indent > 50 and indent + widths[-1] > WIDTH
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        if below and len(row) == columns:
            yield f"    {'  '.join(cells[:-1])}".rstrip()
            yield from wrap_line(f"        {row[-1]}", 8) if row[-1] else ()
        else:
            yield from wrap_line(
                f"    {'  '.join(cells)}".rstrip(), 4 + sum(w + 2 for w in widths[: len(row) - 1])
            )


def wrap_line(line: str, column: int) -> list[str]:
    """Returns a line wrapped at `WIDTH` characters. Continuation lines are indented to `column`."""
    if len(line) <= WIDTH or column > WIDTH - 30:
        return [line]
    head, rest = line[:column], line[column:]
    first, *others = textwrap.wrap(rest, WIDTH - column, break_long_words=False, break_on_hyphens=False)
    return [head + first, *(" " * column + each for each in others)]


@cache
def declarations() -> dict[str, Any]:
    """Returns everything that has a table, keyed by the standard's name.

    The values are classes (commands, structures, constants, attribute words), dictionaries from selector to member
    (unions), and annotations (other types).
    """
    found: dict[str, Any] = {}
    for code in TPM_CC:
        command = command_class(code)
        if command is not None:
            found[f"TPM2_{code.name}"] = command
    for module in (*_MODULES, *(f"commands.{chapter}" for chapter in CHAPTERS)):
        for name, value in vars(import_module(f"..spec.{module}", __package__)).items():
            if name.startswith("TPM") and _has_table(value):
                found.setdefault(type_name(value) if isinstance(value, Declared) else name, value)
    return found


def _has_table(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, (Record, IntEnum, IntFlag))
    return isinstance(value, (dict, Declared))


def kinds() -> dict[str, list[str]]:
    """Returns the names of `declarations()`, keyed by the kind of type, in the standard's order."""
    groups: dict[str, list[str]] = {}
    for name, value in declarations().items():
        groups.setdefault(_kind(name, value), []).append(name)
    return groups


def _kind(name: str, value: Any) -> str:
    if isinstance(value, type):
        if issubclass(value, Record):
            return "commands (Part 3)" if issubclass(value, Command) else "structures (Part 2)"
        return "attribute words (Part 2, §8)" if issubclass(value, IntFlag) else "constants (Part 2, §6 and §7)"
    return "unions (Part 2)" if isinstance(value, dict) else "other types (Part 2)"


def table_of(name: str) -> Table:
    """Returns the table of a command, structure, union or type. `name` is a key of `declarations()`.

    A type without declaration has an empty table with the reason. Raises KeyError for an unknown name.
    """
    if name in UNDECLARED:
        return Table(name, f"{UNDECLARED[name]}.", "", [])
    value = declarations()[name]
    if isinstance(value, dict):
        return Table(name, meaning(name), "", [("members, by the selector", _members(value))])
    if not isinstance(value, type):
        return _type(name, value)
    if issubclass(value, Command):
        return _command(name, value)
    if issubclass(value, Record):
        fields = [_field(f, meaning(name, field_name(f[0]))) for f in value.fields()]
        return Table(name, _purpose(value), section(value), [*_use(name), ("fields", fields)])
    return _numbers(name, value)


def _command(name: str, kind: type[Command]) -> Table:
    parts: list[tuple[str, Sequence[Sequence[str]]]] = [
        *_use(name),
        ("command code", [(f"0x{int(kind.code):08x}", f"TPM_CC_{kind.code.name}")]),
        ("sessions", [(_sessions(kind),)]),
    ]
    for words, record in (("", kind), ("response ", kind.Response)):
        fields = record.fields()
        handles = [f for f in fields if role_of(f[1])]
        parameters = [_field(f, field_meaning(name, field_name(f[0]))) for f in fields if not role_of(f[1])]
        if parameters and first_parameter(record) is not None:
            (first, kind_name, note, text), *others = parameters
            parameters = [(first, kind_name, f"{note}, " * bool(note) + "a session can encrypt it", text), *others]
        parts.append((f"{words}handles", [_handle(name, f, words) for f in handles]))
        parts.append((f"{words}parameters", parameters))
    if errors := command_errors(name):
        parts.append(("typical errors", errors))
    return Table(name, _purpose(kind), kind.spec, parts)


def _sessions(kind: type[Command]) -> str:
    """Returns which sessions a command supports, as display text (Part 3, tag in the command's table)."""
    if not kind.sessions:
        return "none: the tag is always TPM_ST_NO_SESSIONS"
    wanted = sum(role.authorized for _, role in kind.handle_fields())
    uses = ["audit"]
    uses += ["decrypt"] * (first_parameter(kind) is not None)
    uses += ["encrypt"] * (first_parameter(kind.Response) is not None)
    ours = f", {wanted} of them for its handles" if wanted else ""
    return f"3 at most{ours}; possible uses: {', '.join(uses)}"


def _use(name: str) -> list[tuple[str, Sequence[Sequence[str]]]]:
    text = meaning(name)
    return [("meaning", [(text,)])] if text else []


def _handle(command: str, field: tuple[str, Any], answer: str) -> tuple[str, ...]:
    role = role_of(field[1])
    assert role is not None
    words = (
        "chosen by the TPM" if answer else role.value if not role.authorized else f"role {role.name}: {role.value}"
    )
    return field_name(field[0]), type_name(field[1]), words, field_meaning(command, field_name(field[0]))


def _field(field: tuple[str, Any], text: str = "") -> tuple[str, str, str, str]:
    """Returns the cells of a field's row: (name, type, encoding, meaning). `text` is the meaning."""
    name, annotation = field
    wire = wire_of(annotation)
    if isinstance(wire, Select):
        union = _union_name(wire)
        return field_name(name), union, f"member selected by {field_name(wire.selector)}", text
    notes = [_shape(wire), "secret" if is_secret(annotation) else ""]
    return field_name(name), type_name(annotation) or "TPM2B", ", ".join(filter(None, notes)), text


def _union_name(wire: Select) -> str:
    return next((name for name, value in declarations().items() if value is wire.members), "TPMU")


def _members(members: dict[Any, Any]) -> Sequence[Sequence[str]]:
    rows = []
    for selector, member in members.items():
        wire, before = wire_of(member), ""
        if isinstance(wire, Versioned):
            older = type_name(wire.older)
            wire, before = wire.newer, f"{older} in earlier versions" if older else ""
        name = constant_name(selector) if isinstance(selector, IntEnum) else f"{selector}"
        notes = ", ".join(filter(None, [_shape(wire), before]))
        rows.append((name, type_name(wire) or "nothing", notes))
    return rows


def _shape(wire: Any) -> str:
    """Returns how values of a type are encoded, as display text such as `UINT32`."""
    if isinstance(wire, Counted):
        return f"UINT32 count of {type_name(wire.element)}"
    if isinstance(wire, SizedRecord):
        return f"UINT16 size of {type_name(wire.inner)}" + (", may be empty" if wire.optional else "")
    if isinstance(wire, Sized):
        most = f", at most {wire.limit}" if wire.limit < 0xFFFF else ""
        return f"UINT{8 * wire.size} size and its bytes{most}"
    if isinstance(wire, Number):
        return f"UINT{8 * wire.size}"
    return "structure" if isinstance(wire, Struct) else ""


def _type(name: str, annotation: Any) -> Table:
    wire = wire_of(annotation)
    parts: list[tuple[str, Sequence[Sequence[str]]]] = [("encoding", [(_shape(wire) or "one byte",)])]
    inner = wire.inner if isinstance(wire, SizedRecord) else wire.element if isinstance(wire, Counted) else wire
    if isinstance(inner, Struct):
        parts.append((f"fields of {type_name(inner)}", [_field(f) for f in inner.record.fields()]))
    if isinstance(inner, Number) and inner.kind is not int:
        parts.append(("values", [(f"the values of {inner.kind.__name__} (tpmwire spec {inner.kind.__name__})",)]))
    return Table(name, meaning(name), section(annotation), parts)


def _numbers(name: str, kind: Any) -> Table:
    digits = 2 * size_of(kind)
    if issubclass(kind, IntFlag):
        bits = [(int(flag), kind(flag).described()) for flag in kind]
        rows: list[Sequence[str]] = [
            (f"bit {bit.bit_length() - 1}", f"0x{bit:0{digits}x}", words, meaning(name, words))
            for bit, words in bits
        ]
        rows += [
            (
                f"bits {field.bit_length() - 1}:{(field & -field).bit_length() - 1}",
                f"0x{field:0{digits}x}",
                label,
                text,
            )
            for label, field in kind.numbers().items()
            for text in [meaning(name, label)]
        ]
        return Table(name, _purpose(kind), section(Number(4, kind)), [*_use(name), ("bits", rows)])
    rows = [(f"0x{int(member):0{digits}x}", constant_name(member), *_means(name, member)) for member in kind]
    parts: list[tuple[str, Sequence[Sequence[str]]]] = [*_use(name), ("values", rows)]
    if name == "TPM_RC":
        parts.append(("software layers that respond in place of the TPM, in bits 23:16", _layers()))
    return Table(name, _purpose(kind), section(Number(4, kind)), parts)


def _layers() -> Sequence[Sequence[str]]:
    return [(f"0x{number:02x}", f"TSS2_{layer.name}_RC", layer.purpose) for number, layer in LAYERS.items()]


def size_of(kind: type[int]) -> int:
    """Returns the size, in bytes, of a number or attribute word as a field of the standard's structures."""
    wires = [wire_of(value) for value in declarations().values() if isinstance(value, Declared)]
    records = [value for value in declarations().values() if isinstance(value, type) and issubclass(value, Record)]
    wires += [wire for record in records for _, wire in record.wire().fields]
    sizes = [wire.size for wire in wires if isinstance(wire, Number) and wire.kind is kind]
    # No field has this type: TPM_HT and TPM_NT are one byte, all others UINT32.
    return sizes[0] if sizes else 1 if kind in (TPM_HT, TPM_NT) else 4


def _purpose(kind: type) -> str:
    """Returns the first paragraph of a docstring without the section, which the table shows in its own column."""
    return re.sub(r" \((Part 2, )?§[^)]*\)", "", purpose(kind))


def _means(name: str, member: int) -> tuple[str, ...]:
    if name == "TPM_RC":
        return (explain(member).description,)
    return (meaning(name, getattr(member, "name", "")),)
