"""Words of a command: FIELD=VALUE, values without a field name, and the options of one command."""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tpmwire.record import Struct
from tpmwire.spec.constants import TPM_CC, TPM_HT, TPM_RH
from tpmwire.spec.names import field_name, type_name
from tpmwire.wires import Number, SizedRecord, wire_of

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from .numbers import is_handle, plain
from .reader import BASE, Reader
from .scope import ScriptScope

__all__ = [
    "OPTIONS",
    "PSEUDO",
    "Plan",
    "check_result_name",
    "field_paths",
    "loose_order",
    "place_loose",
    "python_name",
    "split_words",
]

_ORDER = {
    "Create": "parentHandle inPublic inSensitive.data",
    "CreatePrimary": "primaryHandle inPublic inSensitive.data",
    "CreateLoaded": "parentHandle inPublic inSensitive.data",
    "Load": "parentHandle keyFile inPublic inPrivate",
    "LoadExternal": "inPublic inPrivate hierarchy",
    "Sign": "keyHandle message inScheme validation",
    "VerifySignature": "keyHandle signature message",
    "NV_DefineSpace": "authHandle publicInfo.nvIndex publicInfo.dataSize publicInfo.attributes",
    "PolicyPCR": "policySession pcrs pcrDigest",
    "EvictControl": "auth persistentHandle objectHandle",
    "Quote": "signHandle pcrSelect qualifyingData inScheme",
    "EncryptDecrypt": "keyHandle inData decrypt mode ivIn",
    "HierarchyControl": "enable state authHandle",
    "StartAuthSession": "sessionType tpmKey bind symmetric authHash",
    "ActivateCredential": "activateHandle keyHandle credentialFile credentialBlob secret",
    "PolicySigned": "authObject policySession auth nonceTPM cpHashA policyRef expiration",
    "PolicyNV": "authHandle nvIndex policySession operandB operation offset",
    "Import": "parentHandle keyFile objectPublic duplicate inSymSeed encryptionKey symmetricAlg",
}
"""The order in which values without a field name are assigned, where it is not the standard's order."""

_USUAL_REFUSALS = (
    *(
        "is not hex",
        "expected a number",
        "is not a number",
        "expected yes or no",
        "context file",
        "is not a valid TPM",
    ),
    *("out of range", "has no TPM", "expected an unencrypted"),
)
"""Parts of messages that only say that a value belongs to another field."""

PSEUDO = {
    ("Sign", "message"): "digest",
    ("VerifySignature", "message"): "digest",
    ("ActivateCredential", "credentialFile"): "credentialBlob",
    ("Import", "keyFile"): "duplicate",
    ("Load", "keyFile"): "inPrivate",
}
"""Names that are not fields of the command, and the fields that they set."""

OPTIONS = ("auth", "policy", "session")
"""Options of a handle: `keyHandle.auth=@FILE`; without the handle's name, of the first handle that needs one."""

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)=(.*)", re.ASCII | re.DOTALL)

_RESULT_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)


def check_result_name(name: object) -> None:
    """Raises UsageError unless `name` can be the name of a result."""
    if not (isinstance(name, str) and _RESULT_NAME.fullmatch(name)):
        raise UsageError(
            f"{name!r} is not a valid name for a result; use a letter (A-Z, a-z) or _, and up to 63 more of them "
            "or digits"
        )


class Plan(NamedTuple):
    """A command to send, as typed.

    `values` maps field names to values, `loose` contains the values without a field name. `handles` maps the field
    name of a handle to its options; the field name "" stands for the first handle that needs one. `outputs` maps
    names of response fields to files. `save` is the name of the result; `lasting` is true if it was given as
    `--save` or save=NAME. `message` is hashed for the command's digest.
    """

    kind: Any
    values: dict[str, Any]
    loose: tuple[str, ...] = ()
    handles: Mapping[str, dict[str, list[Any]]] = MappingProxyType({})
    outputs: Mapping[str, str] = MappingProxyType({})
    save: str = ""
    message: Any = None
    lasting: bool = False

    @property
    def label(self) -> str:
        """The command's name in messages."""
        return f"TPM2_{self.kind.code.name}"


def split_words(kind: Any, words: Sequence[str], save: str = "") -> Plan:
    """Sorts the words after a command's name into fields, options, outputs and values without a name.

    Raises UsageError for an unknown field, or one that is given twice.
    """
    values: dict[str, Any] = {}
    handles: dict[str, dict[str, list[Any]]] = {}
    outputs: dict[str, str] = {}
    loose: list[str] = []
    message, lasting = None, False
    for word in words:
        match = _NAME.fullmatch(word)
        if match is None or match[1].lower() in ("sha1", "sha256", "sha384", "sha512"):
            loose.append(word)
            continue
        name, value = match.groups()
        parts, role = _resolve(kind, name)
        if role == "save":
            check_result_name(value)
            save, lasting = value, True
        elif role == "output":
            if not value.startswith("@") or len(value) == 1:
                raise UsageError(f"{name} is a value of the response; {name}=@FILE writes it to a file")
            outputs[parts[0]] = value[1:]
        elif role == "message":
            message = value
        elif role in OPTIONS:
            handles.setdefault(parts[0] if len(parts) > 1 else "", {}).setdefault(role, []).append(value)
        else:
            _nest(values, parts, value, name)
    return Plan(kind, values, tuple(loose), handles, outputs, save, message, lasting)


def _nest(values: dict[str, Any], parts: list[str], value: str, name: str) -> None:
    """Stores `value` in the nested fields `values`. Raises UsageError if the field already has a value."""
    *outer, last = parts
    for part in outer:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = values[part] = {BASE: inner}
        values = inner
    if isinstance(values.get(last), dict) and BASE not in values[last]:
        values[last][BASE] = value
        return
    if last in values:
        raise UsageError(f"{name} is given twice")
    values[last] = value


def _resolve(kind: Any, name: str) -> tuple[list[str], str]:
    """Returns (path of the field, role) of a name before `=`. The role is "" for a field of the command."""
    parts = name.split(".")
    top = {plain(field): field_name(field) for field, _ in kind.fields()}
    roles = {field_name(field): role for field, role in kind.handle_fields()}
    first = top.get(plain(parts[0]))
    if first is not None:
        if len(parts) == 2 and first in roles and parts[1] in OPTIONS:
            return [first, parts[1]], parts[1]
        return [first, *parts[1:]], ""
    if name in OPTIONS or name == "save":
        return [name], name
    if (kind.code.name, name) in PSEUDO:
        return [name], "message"
    outputs = {plain(field): field_name(field) for field, _ in kind.Response.fields()}
    outputs |= {"context": "context", "credentialfile": "credentialFile"}
    if plain(name) in outputs:
        return [outputs[plain(name)]], "output"
    paths = [path for path in field_paths(kind) if "." in path]
    wanted = plain(parts[0])
    for found in (
        [path for path in paths if plain(path.rpartition(".")[2]) == wanted],
        [path for path in [*top.values(), *paths] if plain(path.rpartition(".")[2]).startswith(wanted)],
    ):
        if len(found) == 1:
            return [*found[0].split("."), *parts[1:]], ""
    fields = [*top.values()]
    raise UsageError(
        f"TPM2_{kind.code.name} has no field {name!r}; its fields: {', '.join(fields) or 'none'}"
        f"{suggestion(name, [*fields, *(path.rpartition('.')[2] for path in paths)])}"
    )


def field_paths(kind: Any, above: str = "") -> Iterator[str]:
    """Yields the paths of a command's or structure's fields, such as `inPublic.nameAlg`; not those in unions."""
    for name, annotation in kind.fields():
        path = above + field_name(name)
        yield path
        inner = wire_of(annotation)
        while isinstance(inner, SizedRecord):
            inner = inner.inner
        if isinstance(inner, Struct) and path.count(".") < 2:
            yield from field_paths(inner.record, f"{path}.")


def loose_order(kind: Any) -> list[str]:
    """Returns the fields of a command in the order in which values without a name are assigned."""
    order = _ORDER.get(kind.code.name, "").split() or [field_name(name) for name, _ in kind.fields()]
    if "nvIndex" in order and "authHandle" in order:  # NV_Read 1 names the index
        order.remove("nvIndex")
        order.insert(order.index("authHandle"), "nvIndex")
    return order


def place_loose(plan: Plan, scope: ScriptScope) -> tuple[dict[str, Any], Any]:
    """Returns (fields, message): the plan's, with each loose value in the first field that accepts it.

    Raises UsageError for a value that no field accepts.
    """
    kind, message = plan.kind, plan.message
    order = loose_order(kind)
    values = copy.deepcopy(plan.values)
    reader = Reader(scope, trial=True)
    taken: dict[str, Any] = {}
    for name, value in values.items():
        with contextlib.suppress(UsageError, KeyError):
            taken[python_name(kind, name)] = reader.value(_wire(kind, name), value, f"{plan.label}.{name}", taken)
    for text in plan.loose:
        if text.startswith("$") and "," not in text:
            scope.values.find(text, plan.label)
        problem: UsageError | None = None
        reason: UsageError | None = None
        numbers: list[UsageError] = []  # refusals of numbers that are out of range
        bytes_expected = False
        for path in order:
            if (kind.code.name, path) in PSEUDO:
                if message is None and "digest" not in values and _is_message(kind, text, scope):
                    message = text
                    break
                continue
            if _is_given(values, path):
                continue
            try:
                found = _try(reader, kind, path, text, f"{plan.label}.{path}", taken)
            except UsageError as error:
                if text.startswith("text:") and "is a secret" in str(error):
                    raise  # the next field with bytes would accept it
                usual = any(words in str(error) for words in _USUAL_REFUSALS)
                numbers += [error] * ("is out of range" in str(error))
                bytes_expected = bytes_expected or "is not hex" in str(error)
                if problem is None and not usual:
                    problem = error
                elif text.startswith(("@", "$")):
                    useful = "not a valid TPM" in str(error) or text.startswith("$")
                    reason = reason or (error if useful else None)
                continue
            if not found:
                continue
            _nest(values, path.split("."), text, path)
            break
        else:
            names = ", ".join(path for path in order if not _is_given(values, path))
            raise (
                problem
                or reason
                or (numbers[0] if len(numbers) == 1 else None)
                or UsageError(
                    f"{plan.label}: {_quote(text)} fits no field"
                    + (f"; remaining fields: {names}" if names else ", and all fields are given")
                    + " (bytes are hex, text:WORDS or @FILE)" * bytes_expected
                    + suggestion(text, [f"{path}=" for path in order])
                )
            )
    return values, message


def _is_message(kind: Any, text: str, scope: ScriptScope) -> bool:
    """Returns whether a value without a name can be that of the command's name in `PSEUDO`."""
    if kind.code != TPM_CC.Load:
        return True
    return text.startswith("@") and text != "@-" and b"TSS2 PRIVATE KEY" in scope.files.read(text[1:])


def _quote(text: str) -> str:
    return repr(text if len(text) < 40 else text[:37] + "...")


def python_name(kind: Any, name: str) -> str:
    """Returns the Python name of a field by its name in the standard. Raises KeyError for an unknown field."""
    found: dict[str, str] = {plain(known): known for known, _ in kind.fields()}
    return found[plain(name)]


def _wire(kind: Any, path: str) -> Any:
    """Returns the type of the field at a path such as `inSensitive.data`."""
    wire: Any = None
    for part in path.split("."):
        annotation = dict(kind.fields())[python_name(kind, part)]
        wire = wire_of(annotation)
        while isinstance(wire, SizedRecord):
            wire = wire.inner
        kind = wire.record if isinstance(wire, Struct) else None
    return wire


def _is_given(values: dict[str, Any], path: str) -> bool:
    for part in path.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return not isinstance(values, dict) or BASE in values


def _try(reader: Reader, kind: Any, path: str, text: str, where: str, taken: dict[str, Any]) -> bool:
    """Returns whether the field at `path` accepts `text`, and records its value in `taken`."""
    wire = _wire(kind, path)
    if text.startswith("$") and isinstance(wire, Number) and not is_handle(wire):
        return False
    reader.check_secret(kind, path, text, where)
    value = reader.value(wire, text, where, taken)
    if isinstance(wire, Number):
        if is_handle(wire) and not _is_plausible(type_name(wire), value):
            return False
        if wire.kind is not int and text[:1].isdecimal():
            return False  # a constant has a name here
    if "." not in path:
        taken[python_name(kind, path)] = value
    return True


def _is_plausible(name: str, handle: int) -> bool:
    """Returns whether a handle field of the type `name` can have this handle."""
    kind = handle >> 24
    if name == "TPMI_DH_PCR":
        return kind == TPM_HT.PCR
    if name == "TPMI_RH_NV_INDEX":
        return kind == TPM_HT.NV_INDEX
    if name.startswith("TPMI_RH"):
        return kind == TPM_HT.PERMANENT
    if name == "TPMI_DH_PERSISTENT":
        return kind == TPM_HT.PERSISTENT
    if name.startswith("TPMI_SH"):
        return kind in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION)
    if name == "TPMI_DH_OBJECT":
        return kind in (TPM_HT.TRANSIENT, TPM_HT.PERSISTENT) or handle == TPM_RH.NULL
    return True
