"""Parses the commands of `tpmwire send`, from arguments or JSON."""

import json
import sys
from difflib import get_close_matches
from typing import Any, NamedTuple

from tpmwire.policy import strict_json
from tpmwire.spec.command import Command, command_class
from tpmwire.spec.constants import TPM_CC

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from .command_fields import nest_fields

__all__ = ["CommandPlan", "plans_from_json", "plans_from_words"]


class CommandPlan(NamedTuple):
    """A command to send: its class, values by field name, passwords and policy steps."""

    kind: "type[Command]"
    values: dict[str, Any]
    passwords: list[Any]
    policy: list[str]


def plans_from_words(words: list[str]) -> list[CommandPlan]:
    """Parses `NAME FIELD=VALUE ...`, with + between commands. Raises UsageError for invalid words."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "+":
            commands.append([])
        else:
            commands[-1].append(word)
    if not all(commands):
        raise UsageError("missing command before or after +")
    return [CommandPlan(_kind(name), nest_fields(fields), [], []) for name, *fields in commands]


def plans_from_json(path: str) -> list[CommandPlan]:
    """Parses commands from a JSON file (-: standard input).

    For invalid JSON, raises UsageError with a message that quotes no secrets.
    """
    data = _read_stdin() if path == "-" else read_small(path)
    try:
        given = strict_json.loads(data)
    except ValueError as error:
        why = str(error)
        if isinstance(error, json.JSONDecodeError):
            why = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{path} is not valid JSON ({why})") from None
    plans = []
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
            raise UsageError(f'{path}: expected each command as an object such as {{"command": "GetRandom", ...}}')
        values = dict(entry)
        passwords, policy = values.pop("passwords", []), values.pop("policy", [])
        if not isinstance(passwords, list):
            raise UsageError(f"{path}: expected passwords as a list, one for each handle that needs a password")
        if not isinstance(policy, list) or not all(isinstance(step, str) for step in policy):
            raise UsageError(f'{path}: expected policy as a list of steps, such as ["pcr:sha256:7"]')
        plans.append(CommandPlan(_kind(values.pop("command")), values, passwords, policy))
    if not plans:
        raise UsageError(f"{path} contains no command")
    return plans


def _read_stdin() -> bytes:
    if sys.stdin is None:  # None if the parent process closed it
        raise UsageError("standard input is closed; redirect it from a file or program")
    data = sys.stdin.buffer.read(1 << 20)
    if not data.strip():
        raise UsageError("standard input is empty; expected commands in JSON")
    return data


def _kind(name: str) -> "type[Command]":
    wanted = name.lower().removeprefix("tpm2_").removeprefix("tpm_cc_")
    names = {code.name.lower(): code for code in TPM_CC}
    found = command_class(names[wanted]) if wanted in names else None
    if found is None:
        close = " or ".join(names[key].name for key in get_close_matches(wanted, names, 2))
        raise UsageError(f"unknown command {name!r}" + (f"; did you mean {close}?" if close else ""))
    return found
