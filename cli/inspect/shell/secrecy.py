"""Decides whether a line may contain a secret, so that the history does not store the line."""

import re
from typing import Any

from tpmwire.record import Struct, is_secret
from tpmwire.wires import SizedRecord, wire_of

from ...terminal.messages import UsageError
from .directives import find
from .lines import parse_plan, split_line
from .numbers import plain
from .positions import Plan

__all__ = ["has_secret"]

_SUSPICIOUS = re.compile(r"auth|pass|data|secret|credential|private|sensitive|text:", re.IGNORECASE)


def has_secret(line: str) -> bool:
    """Returns whether a line may contain a password or another secret, rather than the name of a file.

    A line with a mistake counts if a word in it suggests a secret.
    """
    try:
        commands = split_line(line)
        if not commands or find(commands) is not None:
            return False
        return any(_plan_has_secret(parse_plan(words)) for words in commands)
    except UsageError:
        return _SUSPICIOUS.search(line) is not None


def _plan_has_secret(plan: Plan) -> bool:
    for options in plan.handles.values():
        if any(_is_literal(word) for word in options.get("auth", [])):
            return True
        if any("auth=" in str(step) for step in options.get("policy", [])):
            return True
    secret_fields = _has_secret_field(plan.kind)
    if secret_fields and any(_is_literal(word) for word in plan.loose if not _is_name(word)):
        return True
    return _values_have_secret(plan.kind, plan.values)


def _is_literal(word: Any) -> bool:
    return bool(str(word)) and not str(word).startswith(("@", "$", "env:"))


def _is_name(word: str) -> bool:
    """Returns whether a word is a template, a hierarchy or a small number rather than bytes."""
    if word.startswith("text:"):
        return False
    return len(word) < 4 or re.fullmatch(r"(?:[0-9a-fA-F]{2})+", word) is None


def _has_secret_field(kind: Any) -> bool:
    for _, annotation in kind.fields():
        inner = _inner(annotation)
        if is_secret(annotation) or (isinstance(inner, Struct) and _has_secret_field(inner.record)):
            return True
    return False


def _values_have_secret(kind: Any, values: dict[str, Any]) -> bool:
    for name, annotation in kind.fields():
        value = next((found for given, found in values.items() if plain(given) == plain(name)), None)
        if value is None:
            continue
        inner = _inner(annotation)
        if is_secret(annotation) and _is_literal(value):
            return True
        if isinstance(inner, Struct):
            if isinstance(value, dict) and _values_have_secret(inner.record, value):
                return True
            if isinstance(value, str) and _has_secret_field(inner.record) and _is_literal(value):
                return True
    return False


def _inner(annotation: Any) -> Any:
    wire = wire_of(annotation)
    while isinstance(wire, SizedRecord):
        wire = wire.inner
    return wire
