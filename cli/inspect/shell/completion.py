"""Completes lines of the shell: commands, fields, constants, templates, results, files."""

import os
import re
from collections.abc import Iterator, Sequence
from enum import IntEnum, IntFlag
from typing import Any

from tpmwire.record import Struct
from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_CC
from tpmwire.spec.names import constant_name, field_name
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.wires import Number, Select, SizedRecord, YesNo, wire_of

from .authorize import SESSIONS
from .directives import DIRECTIVES
from .help import TOPICS
from .numbers import find_command, is_handle, names_of, plain
from .positions import OPTIONS, field_paths, loose_order, python_name
from .shorthand import SHORT_TEMPLATES
from .values import Outcome, Values

__all__ = ["complete"]

_TEMPLATES = (
    *SHORT_TEMPLATES,
    *("ecc", "ecc:ecdsa-sha256", "ecc384", "ecc521", "rsa2048", "rsa2048:rsassa-sha256", "rsa2048:rsapss-sha256"),
    *("rsa3072", "aes128cfb", "aes256cfb", "hmac", "keyedhash", "attestation", "signing", "decryption", "storage"),
)
_SCHEMES = (
    "null",
    "rsassa-sha256",
    "rsapss-sha256",
    "ecdsa-sha256",
    "ecdsa-sha384",
    "oaep",
    "rsaes",
    "hmac-sha256",
)
_CIPHERS = ("null", "aes128cfb", "aes256cfb", "xor:sha256")
_HIERARCHIES = ("owner", "endorsement", "platform", "lockout", "null")
_STEPS = (
    "pcr:sha256:",
    "auth-value",
    "password",
    "command-code:",
    "secret:",
    "locality:",
    "nv-written",
    "or:",
    "@",
)


def complete(text: str, values: Values, directory: str = ".") -> tuple[str, list[str]]:
    """Returns (last word so far, its completions) for the text before the cursor.

    `values` are the results so far. Names of files after @ are those in `directory`.
    """
    command = re.split(r"(?:^|\s)\+\s", text)[-1]
    words = command.split()
    last = "" if not command or command[-1].isspace() else words.pop()
    if len(words) >= 2 and words[1] == "=":
        words = words[2:]
    found = sorted(set(_candidates(words, last, values, directory)), key=lambda word: (word.lower(), word))
    start = last.lower()
    return last, [word for word in found if word.lower().startswith(start) and word != last]


def _candidates(words: Sequence[str], last: str, values: Values, directory: str) -> Iterator[str]:
    prefix, value = _split_value(last)
    if value.startswith("$"):
        yield from (prefix + name for name in _results(value, values))
    elif value.startswith("@"):
        yield from (f"{prefix}@{name}" for name in _files(value[1:], directory))
    elif not words:
        name, equals, _ = last.partition("=")
        yield from ((name + equals if equals else "") + command for command in _commands())
        yield from DIRECTIVES
    elif words[0].lower() in DIRECTIVES:
        yield from _directive_words(words[0].lower(), values)
    elif (kind := find_command(words[0])) is not None:
        yield from _command_words(kind, words[1:], last, values)


def _split_value(last: str) -> tuple[str, str]:
    """Splits a word into (text before the value, value): `keyHandle=$k` into (`keyHandle=`, `$k`)."""
    match = re.match(r"(.*[=,|])?(.*)", last, re.DOTALL)
    assert match is not None
    return match[1] or "", match[2]


def _commands() -> Iterator[str]:
    yield from (code.name for code in TPM_CC if command_class(code) is not None)


def _results(value: str, values: Values) -> Iterator[str]:
    """Yields completions of a result: its name, or after a dot its fields."""
    head, dot, _ = value.rpartition(".")
    if not dot:
        yield from (f"${name}" for name in values.names)
        yield from (f"${number}" for number in range(1, len(values.outcomes) + 1))
        return
    try:
        found = values.find(head, "")
    except Exception:  # noqa: BLE001 - a wrong result has no completions
        return
    if isinstance(found, Outcome):
        names = [*found.named(), *(["handle"] if found.has_handle else [])]
        yield from (f"{head}.{name}" for name in names)
    elif hasattr(found, "fields"):
        yield from (f"{head}.{field_name(name)}" for name, _ in found.fields())


def _files(start: str, directory: str) -> Iterator[str]:
    folder = os.path.dirname(start)
    try:
        names = os.listdir(os.path.join(directory, folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        yield path + "/" if os.path.isdir(os.path.join(directory, path)) else path


def _directive_words(name: str, values: Values) -> Iterator[str]:
    if name in ("help", "?"):
        yield from (*TOPICS, *_commands())
    elif name == "explain":
        yield "last"
    elif name == "session":
        yield from SESSIONS
    elif name == "secrets":
        yield from ("show", "hide")
    elif name in ("show", "save"):
        yield from _results("$", values)


def _command_words(kind: Any, words: Sequence[str], last: str, values: Values) -> Iterator[str]:
    name, equals, _ = last.partition("=")
    if equals:
        prefix, _ = _split_value(last)
        yield from (prefix + word for word in _value_words(kind, name, values))
        return
    given = {plain(word.partition("=")[0]) for word in words if "=" in word}
    for path in field_paths(kind):
        if plain(path) not in given:
            yield f"{path}="
    yield from (f"{option}=" for option in OPTIONS)
    yield from (f"{field_name(name)}=@" for name, _ in kind.Response.fields())
    for path in loose_order(kind):
        if plain(path) not in given:
            yield from _value_words(kind, path, values)


def _value_words(kind: Any, path: str, values: Values) -> Iterator[str]:
    """Yields values of the field at a path, or of an option."""
    last = path.rpartition(".")[2]
    if last == "policy":
        yield from _STEPS
        return
    if last == "session":
        yield from (*SESSIONS, *_results("$", values))
        return
    wire = _wire_at(kind, path.split("."))
    if isinstance(wire, Struct):
        yield from _structure_words(wire.record)
    elif isinstance(wire, YesNo):
        yield from ("yes", "no")
    elif isinstance(wire, Number) and is_handle(wire):
        yield from (*_HIERARCHIES, *_results("$", values))
    elif isinstance(wire, Number) and issubclass(wire.kind, IntFlag):
        yield from names_of(wire.kind)
    elif isinstance(wire, Number) and issubclass(wire.kind, IntEnum):
        yield from (member.name for member in wire.kind)
        yield from (constant_name(member) for member in wire.kind)


def _structure_words(record: Any) -> Iterator[str]:
    names = [name for name, _ in record.fields()]
    if record is TPMT_PUBLIC:
        yield from _TEMPLATES
    elif names[0] == "scheme":
        yield from _SCHEMES
    elif names[0] == "algorithm":
        yield from _CIPHERS


def _wire_at(kind: Any, parts: Sequence[str]) -> Any:
    """Returns the type of the field at a path; None if there is no such field."""
    wire: Any = None
    for part in parts:
        try:
            wire = wire_of(dict(kind.fields())[python_name(kind, part)])
        except (KeyError, AttributeError):
            return None
        while isinstance(wire, SizedRecord):
            wire = wire.inner
        kind = wire.record if isinstance(wire, Struct) else None
    return None if isinstance(wire, Select) else wire
