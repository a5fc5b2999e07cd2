"""The results of commands as values: `$1.outPrivate`, `$key.handle`, `$key.outPublic.unique.x`."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tpmwire.record import Record, is_secret
from tpmwire.spec.command import Command, role_of
from tpmwire.spec.names import field_name, type_name
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
        self.public: Any = _public_of(response) or _public_of(command)
        self.more: dict[str, Any] = {}

    def set_handle(self, handle: int) -> None:
        """Replaces the handle in the response, because the object or session has been loaded again."""
        self.handle = handle
        for name, annotation in self.response.fields() if self.response is not None else ():
            if role_of(annotation):
                self.response = self.response.replace(**{name: handle})  # type: ignore[union-attr]

    @property
    def has_handle(self) -> bool:
        """Whether the command returns a handle."""
        return any(role_of(annotation) for _, annotation in type(self.command).Response.fields())

    def named(self) -> dict[str, Any]:
        """Returns the values of the response by the standard's names, and the derived values."""
        found: dict[str, Any] = {}
        for name, _ in type(self.command).Response.fields():
            found[field_name(name)] = self._field(name)
        return found | self.more

    def annotated(self) -> Iterator[tuple[str, Any, Any]]:
        """Yields (the standard's name, annotation, value) of each field of the response."""
        for name, annotation in type(self.command).Response.fields():
            yield field_name(name), annotation, self._field(name)

    def _field(self, name: str) -> Any:
        """Returns the value of a field of the response.

        Before the response, returns UNKNOWN, or for `out_public` the public area in the command.
        """
        if self.response is not None:
            return getattr(self.response, name)
        return self.public if name == "out_public" and self.public is not None else UNKNOWN

    def get(self, name: str) -> Any:
        """Returns the value with this name: of the response, derived, or of the command.

        Raises KeyError if there is none.
        """
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

    def only_bytes(self) -> Any:
        """Returns the value of a response that has one value of bytes; None if it has more, or none."""
        found = [value for value in self.named().values() if isinstance(value, bytes) or value is UNKNOWN]
        return found[0] if len(found) == 1 else None

    def is_secret(self, name: str) -> bool:
        """Returns whether the value with this name is a secret."""
        return name in self.more or any(
            is_secret(annotation) for known, annotation, _ in self.annotated() if plain(known) == plain(name)
        )


def _handle_of(response: Record) -> int:
    return next((getattr(response, name) for name, annotation in response.fields() if role_of(annotation)), 0)


def _public_of(record: Record | None) -> Any:
    for name in ("out_public", "in_public", "object_public"):
        value = getattr(record, name, None)
        if isinstance(value, Record):
            return value
    return None


class Values:
    """The results of a script's commands, by number and by name.

    `restore` returns the result of an earlier run that was saved under a name, or None.
    """

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.names: dict[str, Outcome] = {}
        self.restore: Callable[[str], Outcome | None] = lambda name: None

    def add(self, outcome: Outcome, name: str = "") -> int:
        """Records a result, and returns its number."""
        self.outcomes.append(outcome)
        if name:
            self.names[name] = outcome
        return len(self.outcomes)

    def find(self, text: str, where: str) -> Any:
        """Returns what `$NAME` (an Outcome) or `$NAME.FIELD` (a value) stands for.

        Raises UsageError if there is no such result or field.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(f"{where}: {text!r} is not a valid value; use $NAME or $NAME.FIELD")
        outcome = self._entry(match[1] or match[2], text, where)
        value: Any = outcome
        for part in re.findall(r"\w+", match[3]):
            value = _step(value, part, text, where)
            if value is UNKNOWN:
                break
        return value

    def _entry(self, name: str, text: str, where: str) -> Outcome:
        if name in self.names:
            return self.names[name]
        number = len(self.outcomes) if not name else int(name) if name.isdecimal() else 0
        if not number and name and (restored := self.restore(name)) is not None:
            self.names[name] = restored
            return restored
        if not 0 < number <= len(self.outcomes):
            count = len(self.outcomes)
            known = [f"$1 to ${count}" if count > 1 else "$1"] * bool(count) + [
                f"${known}" for known in self.names
            ]
            raise UsageError(
                f"{where}: unknown result {text.partition('.')[0]}; "
                f"{'known: ' + ', '.join(known) if known else 'no earlier command returned one'}"
                f"{suggestion(name, self.names)}"
            )
        return self.outcomes[number - 1]

    def newest(self, suits: Any) -> Outcome | None:
        """Returns the newest result for which `suits(outcome)` is true, or None."""
        return next((outcome for outcome in reversed(self.outcomes) if suits(outcome)), None)


def _step(value: Any, part: str, text: str, where: str) -> Any:
    """Returns the field `part` of a result, a structure or a list. Raises UsageError if there is none."""
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
