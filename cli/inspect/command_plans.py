"""Reads the commands of `tpmwire send` from JSON."""

import json
from typing import Any

from tpmwire.policy import strict_json

from ..terminal.messages import UsageError
from .shell.lines import command_kind
from .shell.numbers import plain
from .shell.positions import OPTIONS, Plan, check_result_name
from .shell.reader import BASE
from .shell.sources import Files

__all__ = ["plans_from_json"]


def plans_from_json(files: Files, path: str) -> list[Plan]:
    """Parses commands from a JSON file (-: standard input).

    For invalid JSON, raises UsageError with a message that quotes no secrets.
    """
    data = files.read(path)
    if path == "-" and not data.strip():
        raise UsageError("standard input is empty; expected commands in JSON")
    try:
        given = strict_json.loads(data)
    except ValueError as error:
        why = str(error)
        if isinstance(error, json.JSONDecodeError):
            why = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{path} is not valid JSON ({why})") from None
    plans = [_plan(path, item) for item in (given if isinstance(given, list) else [given])]
    if not plans:
        raise UsageError(f"{path} contains no command")
    return plans


def _plan(path: str, item: Any) -> Plan:
    if not isinstance(item, dict) or not isinstance(item.get("command"), str):
        raise UsageError(f'{path}: expected each command as an object such as {{"command": "GetRandom", ...}}')
    values = dict(item)
    kind = command_kind(values.pop("command"))
    passwords, policy, save = (values.pop(name, []) for name in ("passwords", "policy", "save"))
    if not isinstance(passwords, list):
        raise UsageError(f"{path}: expected passwords as a list, one for each handle that needs a password")
    if not isinstance(policy, list) or not all(isinstance(step, str) for step in policy):
        raise UsageError(f'{path}: expected policy as a list of steps, such as ["pcr:sha256:7"]')
    if save:
        check_result_name(save)
    loose: dict[str, list[Any]] = {"auth": passwords, "policy": policy}
    if not any(plain(name) == "session" for name, _ in kind.fields()) and "session" in values:
        loose["session"] = _as_list(values.pop("session"))
    handles = {"": {name: found for name, found in loose.items() if found}}
    roles = {plain(name) for name, _ in kind.handle_fields()}
    for name, value in list(values.items()):
        if plain(name) in roles and isinstance(value, dict):
            options = dict(value)
            values[name] = options.pop("handle", options.pop(BASE, None))
            handles[name] = {option: _as_list(options.pop(option)) for option in OPTIONS if option in options}
            if options:
                raise UsageError(
                    f"{path}: {name} has an unknown field {min(options)!r}; expected handle, {', '.join(OPTIONS)}"
                )
    return Plan(kind, values, handles={name: found for name, found in handles.items() if found}, save=save or "")


def _as_list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
