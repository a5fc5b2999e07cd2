"""Parses the fields of a command from arguments such as `hashAlg=SHA256` or `inPublic.type=ECC`, or from JSON."""

from enum import IntEnum, IntFlag
from typing import Any

from tpmwire.errors import DecodeError
from tpmwire.explain.names import field_name, type_name
from tpmwire.keys import templates
from tpmwire.policy import strict_json
from tpmwire.record import Struct, is_secret
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
from tpmwire.spec.versioned import Versioned
from tpmwire.wires import (
    Counted,
    Empty,
    Fixed,
    Number,
    Rest,
    Select,
    Sized,
    SizedRecord,
    YesNo,
    wire_of,
)

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import pcrs_from, secret_file

__all__ = ["command_from", "nest_fields", "password_from"]


def nest_fields(words: list[str]) -> dict[str, Any]:
    """Parses words such as `a.b=1` into nested fields: {"a": {"b": "1"}}. Raises UsageError for any other word."""
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"{word!r} is not FIELD=VALUE")
        *outer, last = name.split(".")
        place = values
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UsageError(f"{name}: {part} already has a value")
        if last in place:
            raise UsageError(f"{name} is given twice")
        place[last] = value
    return values


def command_from(kind: Any, values: Any, answers: list[int], *, public: bool) -> Any:
    """Builds a command of class `kind` from the fields in `values`, as text or JSON.

    `answers` has the handles for `$1`, `$2` and so on. `public` means that other users can read the values, as on
    a command line: secret fields are then accepted as @FILE only. Raises UsageError for an invalid field.
    """
    return _Reader(answers, public).record(kind, values, f"TPM2_{kind.code.name}")


def password_from(value: Any) -> bytes:
    """Parses a password from JSON: `text:…`, hex, or the first line of @FILE.

    Raises UsageError for any other value.
    """
    if isinstance(value, str) and value.startswith("@"):
        return secret_file(value[1:])
    return _Reader([], False).octets(value, "a password")


class _Reader:
    def __init__(self, answers: list[int], public: bool) -> None:
        self._answers = answers
        self._public = public

    def record(self, kind: Any, given: Any, where: str) -> Any:
        """Builds a structure of class `kind` from fields; a missing field gets its default, or is empty.

        `given` has the fields, a template's name, or the structure's bytes. `where` names the structure in errors.
        """
        if isinstance(given, str) and given.startswith("template:"):
            return _template(kind, given, where)
        if isinstance(given, str) and given[:1] != "{":
            return self._parse_structure(kind, self.octets(given, where), where)
        given = _json(given, dict, where)
        left = {name.replace("_", "").lower(): (name, value) for name, value in given.items()}
        strangers = set(left) - {name.replace("_", "").lower() for name, _ in kind.fields()}
        if strangers:
            known = ", ".join(field_name(name) for name, _ in kind.fields()) or "none"
            raise UsageError(f"{where} has no field {left[min(strangers)][0]!r}; its fields: {known}")
        values: dict[str, Any] = {}
        for name, annotation in kind.fields():
            wire, place = wire_of(annotation), f"{where}.{field_name(name)}"
            if isinstance(wire, Select):
                member = wire.member(values)
                if member is None:
                    raise UsageError(
                        f"{place}: not allowed for {field_name(wire.selector)} {values[wire.selector]!r}"
                    )
                wire = member
            _, value = left.pop(name.replace("_", "").lower(), ("", None))
            if is_secret(annotation):
                self._refuse_secret(value, place)
            if value is None and hasattr(kind, name):
                values[name] = getattr(kind, name)
            else:
                values[name] = self._value(wire, value, place)
        return kind(**values)

    def _refuse_secret(self, value: Any, where: str) -> None:
        if self._public and isinstance(value, str) and value and not value.startswith("@"):
            raise UsageError(
                f"{where} is a secret, which other users can see on the command line; give @FILE, or use --json"
            )

    def _value(self, wire: Any, given: Any, where: str) -> Any:
        match wire:
            case Struct():
                return self.record(wire.record, {} if given is None else given, where)
            case SizedRecord():
                return None if given is None and wire.optional else self._value(wire.inner, given, where)
            case Number():
                return self._number(wire, given, where)
            case YesNo():
                return _yes_no(given, where)
            case Counted():
                return self._list(wire, given, where)
            case Versioned():
                older = isinstance(given, dict) or str(given).startswith("{")
                return self._value(wire.older if older else wire.newer, given, where)
            case Fixed() | Sized() | Rest():
                return b"" if given is None else self.octets(given, where)
            case Empty():
                if given is not None:
                    raise UsageError(f"{where}: must be empty for this selector")
                return None
        raise UsageError(f"{where} is not allowed here")

    def _list(self, wire: Any, given: Any, where: str) -> Any:
        pcrs = isinstance(wire.element, Struct) and wire.element.record is TPMS_PCR_SELECTION
        if pcrs and isinstance(given, str) and given[:1] != "[":
            return pcrs_from(given)
        elements = [] if given is None else _json(given, list, where)
        return tuple(self._value(wire.element, element, f"{where}[{n}]") for n, element in enumerate(elements))

    def _number(self, wire: Any, given: Any, where: str) -> Any:
        if given is None:
            raise UsageError(f"{where} is missing")
        value = (
            given
            if isinstance(given, int) and not isinstance(given, bool)
            else self._parse_number(wire, given, where)
        )
        if not 0 <= value < 1 << 8 * wire.size:
            raise UsageError(f"{where}: {given} is out of range for {wire.size} bytes")
        return wire.kind(value)

    def _parse_number(self, wire: Any, given: Any, where: str) -> int:
        """Parses `given`: a number, a constant's name, attributes joined by |, a handle's name, or $N.

        For any other value, raises UsageError with the field name `where`.
        """
        text = str(given).strip()
        if text.startswith("$"):
            if (
                text[1:].isdecimal()
                and 0 < int(text[1:]) <= len(self._answers)
                and self._answers[int(text[1:]) - 1]
            ):
                return self._answers[int(text[1:]) - 1]
            raise UsageError(f"{where}: no earlier command returned a handle {text}")
        try:
            return int(text, 0)
        except ValueError:
            pass
        names = issubclass(wire.kind, (IntEnum, IntFlag))
        if not names and type_name(wire).startswith("UINT"):
            raise UsageError(f"{where}: {text!r} is not a number")
        kind = wire.kind if names else TPM_RH  # a handle's type has no class with named constants
        known = {name.replace("_", "").lower(): int(value) for name, value in kind.__members__.items()}
        total = 0
        for word in text.split("|") if issubclass(kind, IntFlag) else [text]:
            plain = word.strip().removeprefix(f"{kind.__name__}_").replace("_", "").lower()
            if plain not in known:
                raise UsageError(
                    f"{where}: {word.strip()!r} is not valid; expected a number, or a name from "
                    f"`tpmwire spec {kind.__name__}`"
                )
            total |= known[plain]
        return total

    def octets(self, given: Any, where: str) -> bytes:
        """Returns the bytes that `given` states as hex, `text:…` or @FILE.

        For any other value, raises UsageError with the field name `where`.
        """
        if not isinstance(given, str):
            raise UsageError(f"{where} needs bytes: hex, text:WORDS or @FILE")
        if given.startswith("@"):
            return read_small(given[1:])
        if given.startswith("text:"):
            return given.removeprefix("text:").encode()
        try:
            return bytes.fromhex(given)
        except ValueError:
            # The message omits the value, which may be a secret in the wrong place.
            raise UsageError(f"{where} is not hex; use text:WORDS for text, @FILE for a file") from None

    def _parse_structure(self, kind: Any, octets: bytes, where: str) -> Any:
        try:
            return kind.parse(octets)
        except DecodeError as error:
            raise UsageError(f"{where} is not a valid {kind.__name__}: {error}") from error


def _template(kind: Any, given: str, where: str) -> Any:
    """Returns the public area that `given` names, such as `template:h2-primary` (see tpmwire.keys.templates)."""
    known = ("h2-primary", "h1-primary", "srk-ecc", "srk-rsa", "ek-ecc", "ek-rsa")
    name = given.removeprefix("template:")
    if kind is not TPMT_PUBLIC or name not in known:
        raise UsageError(f"{where}: unknown template {given!r}; use template: and one of {', '.join(known)}")
    return getattr(templates, name.replace("-", "_"))()


def _yes_no(given: Any, where: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    found = words.get(str(given).lower())
    if found is None:
        raise UsageError(f"{where} is {'missing' if given is None else 'not valid; expected yes or no'}")
    return found


def _json(given: Any, kind: type, where: str) -> Any:
    """Returns `given`, parsed if it is JSON text. Raises UsageError if the result is not of type `kind`."""
    if isinstance(given, str):
        try:
            given = strict_json.loads(given)
        except ValueError:
            given = None
    if not isinstance(given, kind):
        raise UsageError(
            f"{where}: expected a JSON {'list' if kind is list else 'object'}, or its fields as FIELD=VALUE"
        )
    return given
