"""Builds commands from fields as text or JSON: `hashAlg=SHA256`, `inPublic.type=ECC`, `parentHandle=$1`."""

from typing import Any

from tpmwire.errors import PolicyError
from tpmwire.policy import strict_json
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.record import Record, Struct, is_secret
from tpmwire.spec.constants import TPM_CC, TPM_HT, TPMA_OBJECT
from tpmwire.spec.names import field_name, type_name
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
from tpmwire.spec.versioned import Versioned
from tpmwire.wires import Counted, Empty, Fixed, Number, Rest, Select, Sized, SizedRecord, YesNo, wire_of

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from . import defaults, shorthand
from .numbers import is_handle, parse_number, plain
from .scope import ScriptScope
from .sources import is_context, parse_bytes, parse_structure, remove_size
from .values import UNKNOWN, Outcome

__all__ = ["BASE", "Reader"]

BASE = ""
"""The key of a structure's own text among its fields: `inPublic=ecc inPublic.nameAlg=sha384`."""

PCR_BANKS = ("sha1", "sha256", "sha384", "sha512")


class Reader:
    """Reads the fields of one command.

    With `trial`, nothing is sent to the TPM: the reader only finds out whether a field accepts a text.
    """

    def __init__(self, scope: ScriptScope, *, trial: bool = False) -> None:
        self._scope = scope
        self._trial = trial
        self._primary = self._with_data = False  # of the object that the command creates

    def command(self, kind: Any, given: dict[str, Any]) -> Any:
        """Builds a command of class `kind` from its fields. Raises UsageError for an invalid field."""
        where = f"TPM2_{kind.code.name}"
        self._primary = kind.code == TPM_CC.CreatePrimary
        return self.record(kind, given, where, defaults.CommandDefaults(kind, self._scope, given))

    def record(self, kind: Any, given: Any, where: str, base: Any = None) -> Any:
        """Builds a structure of class `kind` from its fields; `where` names the structure in errors.

        `given` is the fields, a short form such as a template's name, or the structure's bytes. `base`
        supplies the fields that are missing: a structure of the same class, or defaults.
        """
        explicit = False  # whether a template's name states the attributes
        if isinstance(given, dict) and BASE in given:
            given = dict(given)
            explicit = ";" in str(given[BASE])
            base = self.record(kind, given.pop(BASE), where, base)
            if not given or base is UNKNOWN:
                return base
        if isinstance(given, str) and given[:1] != "{":
            return self._from_text(kind, given, where)
        given = _json(given, dict, where)
        left = {plain(name): (name, value) for name, value in given.items()}
        strangers = set(left) - {plain(name) for name, _ in kind.fields()}
        if strangers:
            names = [field_name(name) for name, _ in kind.fields()]
            name = left[min(strangers)][0]
            raise UsageError(
                f"{where} has no field {name!r}; its fields: {', '.join(names) or 'none'}{suggestion(name, names)}"
            )
        if base is None and kind is TPMT_PUBLIC:
            base = defaults.public_base(given, primary=self._primary, with_data=self._with_data)
        if isinstance(base, TPMT_PUBLIC) and not explicit and any(plain(name) == "authpolicy" for name in given):
            # An object with a policy is authorized by its policy only, as in tpm2_create.
            base = base.replace(object_attributes=base.object_attributes & ~TPMA_OBJECT.USER_WITH_AUTH)
        values: dict[str, Any] = {}
        for name, annotation in kind.fields():
            _, value = left.pop(plain(name), ("", None))
            values[name] = self._field(kind, name, annotation, value, values, where, base)
        return UNKNOWN if UNKNOWN in _flat(values) and not hasattr(kind, "code") else kind(**values)

    def _field(
        self, kind: Any, name: str, annotation: Any, value: Any, values: dict[str, Any], where: str, base: Any
    ) -> Any:
        wire, place = wire_of(annotation), f"{where}.{field_name(name)}"
        selector = ""
        if isinstance(wire, Select):
            selector, member = wire.selector, wire.member(values)
            if member is None:
                raise UsageError(
                    f"{place}: this field is not allowed if {field_name(wire.selector)} is "
                    f"{values[wire.selector]!r}"
                )
            wire = member
        if is_secret(annotation):
            self._refuse_secret(value, place)
        if name == "in_public":
            self._with_data = bool(getattr(values.get("in_sensitive"), "data", b""))
        inner = base.of(name, values) if isinstance(base, defaults.CommandDefaults) else getattr(base, name, None)
        if selector and isinstance(base, Record) and getattr(base, selector) != values[selector]:
            inner = None
        if value is None:
            if isinstance(inner, str):
                return self.value(wire, inner, place, values)
            if inner is not None and (not isinstance(inner, Record) or _fits(wire, inner)):
                return inner
            if hasattr(kind, name):
                return getattr(kind, name)
            if isinstance(wire, Number | YesNo):
                value = defaults.leaf(name, kind, values)
        if isinstance(value, dict):
            inner_base = inner if isinstance(inner, Record) and _fits(wire, inner) else None
            return self.value(wire, value, place, values, inner_base)
        if name == "auth_policy" and isinstance(value, str):
            digest = self._scope.policy_digest(value, place)
            if digest is not None:
                return digest
        return self.value(wire, value, place, values)

    def check_secret(self, kind: Any, path: str, text: str, where: str) -> None:
        """Raises UsageError if the field at `path` is a secret on the command line, which other users can read."""
        for part in path.split("."):
            annotation = next(found for name, found in kind.fields() if plain(name) == plain(part))
            if is_secret(annotation):
                self._refuse_secret(text, where)
            inner = wire_of(annotation)
            inner = inner.inner if isinstance(inner, SizedRecord) else inner
            kind = inner.record if isinstance(inner, Struct) else kind

    def _refuse_secret(self, value: Any, where: str) -> None:
        if self._scope.public and isinstance(value, str) and value and value[0] not in "@$":
            raise UsageError(
                f"{where} is a secret, which other users can see on the command line; give @FILE, or use --json"
            )

    def value(
        self, wire: Any, given: Any, where: str, values: dict[str, Any] | None = None, base: Any = None
    ) -> Any:
        """Returns the value of a field with the type `wire`. Raises UsageError if `given` is not valid.

        `values` contains the preceding fields of the structure.
        """
        several = isinstance(wire, Counted) and "," in str(given)
        if isinstance(given, str) and given.startswith("$") and not several:
            return self._result(wire, self._scope.values.find(given, where), given, where)
        match wire:
            case Struct():
                return self.record(wire.record, {} if given is None else given, where, base)
            case SizedRecord():
                if given is None and wire.optional:
                    return None
                return self.value(wire.inner, given, where, values, base)
            case Number():
                return self._number(wire, given, where, values or {})
            case YesNo():
                return _yes_no(given, where)
            case Counted():
                return self._list(wire, given, where)
            case Versioned():
                older = isinstance(given, dict) or str(given).startswith("{")
                return self.value(wire.older if older else wire.newer, given, where, values, base)
            case Fixed() | Sized() | Rest():
                return self._bytes(wire, given, where)
            case Empty():
                if given is not None:
                    raise UsageError(f"{where}: must be empty for this selector")
                return None
        raise UsageError(f"{where} is not allowed here")

    def _result(self, wire: Any, value: Any, text: str, where: str) -> Any:
        """Returns `value`, an earlier result or a part of one, as a value of the type `wire`."""
        if isinstance(value, Outcome):
            value = self._of_entry(wire, value, text, where)
        if isinstance(wire, SizedRecord) and not isinstance(value, bytes):
            wire = wire.inner
        if value is UNKNOWN:
            return 0x80000000 if isinstance(wire, Number) else UNKNOWN
        if isinstance(wire, Number) and isinstance(value, int):
            return wire.kind(value)
        if isinstance(wire, YesNo) and isinstance(value, int):
            return value
        if isinstance(wire, Struct | SizedRecord):
            kind = wire.record if isinstance(wire, Struct) else wire.inner.record
            if isinstance(value, kind):
                return value
            if isinstance(value, bytes | Record):
                return parse_structure(kind, value if isinstance(value, bytes) else value.build(), where)
        if isinstance(wire, Fixed | Sized | Rest) and isinstance(value, bytes | Record):
            return value if isinstance(value, bytes) else value.build()
        if isinstance(wire, Counted) and isinstance(value, tuple):
            return value
        if isinstance(wire, Counted):
            return (self._result(wire.element, value, text, where),)
        raise UsageError(f"{where}: {text} is not a {type_name(wire) or 'value of this type'}")

    def _of_entry(self, wire: Any, outcome: Outcome, text: str, where: str) -> Any:
        if isinstance(wire, Number):
            if is_handle(wire) and outcome.has_handle:
                return outcome.handle
        elif type_name(wire) == "TPM2B_NAME" and outcome.name is not None:
            return outcome.name
        elif type_name(wire) == "TPM2B_NAME" and outcome.has_handle:
            return self._scope.name_of(outcome.handle)
        element = wire.element if isinstance(wire, Counted) else wire
        found = outcome.of_type(wire)
        found = outcome.of_type(element) if found is None else found
        if found is None and type_name(wire) in ("TPM2B_PUBLIC", "TPMT_PUBLIC", "TPM2B_TEMPLATE"):
            found = outcome.public
        if found is None and isinstance(wire, Sized | Rest) and not isinstance(wire, SizedRecord):
            found = outcome.only_bytes()
        if found is None:
            fields = ", ".join(f"{text}.{name}" for name in outcome.named()) or "no values"
            raise UsageError(f"{where}: {text} has no {type_name(wire) or 'such value'}; it has {fields}")
        return found

    def _from_text(self, kind: Any, text: str, where: str) -> Any:
        """Returns the structure that a word states: a short form, an earlier result, or bytes."""
        if text.startswith("$"):
            wire = wire_of(kind)
            return self._result(wire, self._scope.values.find(text, where), text, where)
        made: Any
        if kind is TPMT_PUBLIC:
            made = shorthand.named_template(text, primary=self._primary, with_data=self._with_data, where=where)
        else:
            made = shorthand.from_word(kind, text)
        if made is not None:
            return made
        if kind.__name__.startswith("TPMT_TK") and text.lower() == "null":
            return self.record(kind, {}, where)
        data = parse_bytes(self._scope.files, text, where)
        return parse_structure(kind, data, where)

    def _list(self, wire: Any, given: Any, where: str) -> Any:
        pcrs = isinstance(wire.element, Struct) and wire.element.record is TPMS_PCR_SELECTION
        if pcrs and isinstance(given, str) and given[:1] != "[":
            return _parse_pcrs(given, where)
        if isinstance(given, str) and given[:1] not in "[{" and given:
            given = given.split(",")
        if given is None:
            raise UsageError(f"{where} is missing; give {where.rpartition('.')[2]}=VALUE,VALUE")
        elements = [] if given == "" else _json(given, list, where)
        return tuple(self.value(wire.element, element, f"{where}[{n}]") for n, element in enumerate(elements))

    def _number(self, wire: Any, given: Any, where: str, values: dict[str, Any]) -> Any:
        if given is None or given is UNKNOWN:
            raise UsageError(f"{where} is missing; {_advice(wire, where)}")
        if isinstance(given, int) and not isinstance(given, bool):
            number = int(given)
        elif is_handle(wire):
            number = self._handle(wire, str(given).strip(), where, values)
        else:
            number = parse_number(wire, str(given).strip(), where, values)
        if type_name(wire) in ("TPMI_RH_NV_INDEX", "TPMI_RH_NV_AUTH") and number < TPM_HT.NV_INDEX << 24:
            number |= TPM_HT.NV_INDEX << 24  # as in tpm2-tools, an index is an offset
        if not 0 <= number < 1 << 8 * wire.size:
            raise UsageError(f"{where}: {given} is out of range for {wire.size} bytes")
        return wire.kind(number)

    def _handle(self, wire: Any, text: str, where: str, values: dict[str, Any]) -> int:
        if text.startswith("@"):
            data = self._scope.files.read(text[1:])
            if not self._trial:
                return self._scope.load(data, f"{where}: {text[1:]}")
            if not is_context(data):
                raise UsageError(f"{where}: {text[1:]} is not a valid context file of tpm2-tools")
            return 0x80000000
        if len(text) in (44, 68, 100, 132):  # a Name: the algorithm and a digest
            try:
                name = bytes.fromhex(text)
            except ValueError:
                pass
            else:
                return 0x80000000 if self._trial else self._scope.find_name(name, where)
        return parse_number(wire, text, where, values)

    def _bytes(self, wire: Any, given: Any, where: str) -> bytes:
        if given is None:
            return b""
        if not isinstance(given, str):
            raise UsageError(f"{where} needs bytes: hex, text:WORDS or @FILE")
        if type_name(wire) == "TPM2B_NAME" and given[:2] == "0x" and len(given) == len("0x81000001"):
            found: bytes = self._scope.name_of(int(given, 16))
            return found
        if type_name(wire) == "TPM2B_TEMPLATE" and not given.startswith("@"):
            public = self.record(TPMT_PUBLIC, given, where)
            template: bytes = public.build()
            return template
        data = parse_bytes(self._scope.files, given, where)
        return remove_size(wire, data) if given.startswith("@") else data


def _fits(wire: Any, record: Record) -> bool:
    while isinstance(wire, SizedRecord):
        wire = wire.inner
    return not isinstance(wire, Struct) or type(record) is wire.record


def _advice(wire: Any, where: str) -> str:
    """Returns what to do about a missing number."""
    name = where.rpartition(".")[2]
    if is_handle(wire) and not type_name(wire).startswith(("TPMI_DH_PCR", "TPMI_RH_NV")):
        return f"no earlier command returned a handle that suits; give {name}=HANDLE"
    return f"give {name}=VALUE"


def _flat(values: dict[str, Any]) -> list[Any]:
    return [value for value in values.values() if value is UNKNOWN]


def _parse_pcrs(text: str, where: str) -> Any:
    """Parses a PCR selection; `all` stands for all PCRs of a bank."""
    whole = ",".join(map(str, range(24)))
    parts = [f"sha256:{part}" if part.strip() == "all" else part for part in text.split("+")]
    parts = [
        f"{part}:{whole}" if part.strip().lower() in PCR_BANKS else part.replace(":all", f":{whole}")
        for part in parts
    ]
    try:
        return parse_pcrs("+".join(parts))
    except PolicyError as error:
        raise UsageError(str(error)) from error


def _yes_no(given: Any, where: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "set": True, "s": True}
    words |= {"no": False, "false": False, "0": False, "clear": False, "c": False}
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
