"""The results of commands as values: `$1.outPrivate`, `$key.handle`, `$key.outPublic.unique.x`."""

import re
from collections.abc import Iterator
from typing import Any

from tpmwire.explain.names import field_name, type_name
from tpmwire.record import Record, is_secret
from tpmwire.spec.command import Command, role_of
from tpmwire.wires import wire_of

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from .numbers import plain

__all__ = ["UNKNOWN", "Outcome", "Values"]

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w*))((?:\.\w+|\[\d+\])*)", re.ASCII)


class _Unknown:
    """The value of a field that only the TPM's response will show."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


class Outcome:
    """The result of a command: the command, its response, and derived values such as the salt of a session.

    `response` is None before the command is sent. `handle` is the handle in the response, or 0.
    """

    def __init__(self, command: Command, response: Record | None) -> None:
        self.command = command
        self.response = response
        self.handle = 0x80000000 if response is None else _handle_of(response)
        self.name: bytes | None = getattr(response, "name", None)
        self.public: Any = next(
            (value for where in (response, command) for value in [_public_of(where)] if value is not None), None
        )
        self.more: dict[str, Any] = {}
        self.secret_names: set[str] = set()

    @property
    def has_handle(self) -> bool:
        """Whether the command returns a handle."""
        return any(role_of(annotation) for _, annotation in type(self.command).Response.fields())

    def named(self) -> dict[str, Any]:
        """Returns the values of the response by the standard's names, and the derived values."""
        found: dict[str, Any] = {}
        for name, _ in type(self.command).Response.fields():
            found[field_name(name)] = UNKNOWN if self.response is None else getattr(self.response, name)
        return found | self.more

    def annotated(self) -> Iterator[tuple[str, Any, Any]]:
        """Yields (the standard's name, annotation, value) of each field of the response."""
        for name, annotation in type(self.command).Response.fields():
            yield field_name(name), annotation, UNKNOWN if self.response is None else getattr(self.response, name)

    def get(self, name: str) -> Any:
        """Returns the value with this name: of the response, derived, or of the command. Raises KeyError."""
        if plain(name) == "handle" and self.has_handle:
            return self.handle
        if plain(name) == "name" and self.name is not None:
            return self.name
        if plain(name) == "public" and self.public is not None:
            return self.public
        sent = {field_name(field): getattr(self.command, field) for field, _ in self.command.fields()}
        for known, value in (*self.named().items(), *sent.items()):
            if plain(known) == plain(name):
                return value
        raise KeyError(name)

    def of_type(self, wire: Any) -> Any:
        """Returns the value of the response that has the type of `wire`; None if there is no such value."""
        wanted = type_name(wire)
        for _, annotation, value in self.annotated():
            if wire_of(annotation) is wire or (wanted and type_name(annotation) == wanted):
                return value
        return None

    def is_secret(self, name: str) -> bool:
        """Returns whether the value with this name is a secret."""
        return name in self.secret_names or any(
            is_secret(annotation) for known, annotation, _ in self.annotated() if plain(known) == plain(name)
        )


def _handle_of(response: Record) -> int:
    return next((getattr(response, name) for name, annotation in response.fields() if role_of(annotation)), 0)


def _public_of(record: Record | None) -> Any:
    for name in ("out_public", "in_public"):
        value = getattr(record, name, None)
        if isinstance(value, Record):
            return value
    return None


class Values:
    """The results of a script's commands, by number and by name."""

    def __init__(self) -> None:
        self.entries: list[Outcome] = []
        self.names: dict[str, Outcome] = {}

    def add(self, entry: Outcome, name: str = "") -> int:
        """Records a result, and returns its number."""
        self.entries.append(entry)
        if name:
            self.names[name] = entry
        return len(self.entries)

    def find(self, text: str, where: str) -> Any:
        """Returns what `$NAME` (an Outcome) or `$NAME.FIELD` (a value) stands for. Raises UsageError."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(f"{where}: {text!r} is not a valid value; use $NAME or $NAME.FIELD")
        entry = self._entry(match[1] or match[2], text, where)
        value: Any = entry
        for part in re.findall(r"\w+", match[3]):
            value = _step(value, part, text, where)
            if value is UNKNOWN:
                break
        return value

    def _entry(self, name: str, text: str, where: str) -> Outcome:
        if name in self.names:
            return self.names[name]
        number = len(self.entries) if not name else int(name) if name.isdecimal() else 0
        if not 0 < number <= len(self.entries):
            known = ", ".join(f"${known}" for known in self.names)
            last = f"$1 to ${len(self.entries)}" if self.entries else "none, because no command was sent"
            raise UsageError(
                f"{where}: unknown result {text.partition('.')[0]}; known: "
                f"{', '.join(filter(None, [last, known]))}{suggestion(name, self.names)}"
            )
        return self.entries[number - 1]

    def newest(self, suits: Any) -> Outcome | None:
        """Returns the newest result for which `suits(entry)` is true, or None."""
        return next((entry for entry in reversed(self.entries) if suits(entry)), None)


def _step(value: Any, part: str, text: str, where: str) -> Any:
    """Returns the field `part` of a result, of a structure or of a list. Raises UsageError."""
    if isinstance(value, Outcome):
        try:
            return value.get(part)
        except KeyError:
            fields = [*value.named(), *(["handle"] if value.has_handle else [])]
            raise UsageError(
                f"{where}: {text} does not exist: TPM2_{value.command.code.name} returned "
                f"{', '.join(fields) or 'no values'}{suggestion(part, fields)}"
            ) from None
    if isinstance(value, Record):
        names = {plain(name): name for name, _ in value.fields()}
        if plain(part) in names:
            return getattr(value, names[plain(part)])
        fields = [field_name(name) for name, _ in value.fields()]
        raise UsageError(f"{where}: {text} does not exist: {type(value).__name__} has {', '.join(fields)}")
    if isinstance(value, tuple) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    raise UsageError(f"{where}: {text} does not exist: no field {part!r}")
