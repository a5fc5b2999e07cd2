"""Splits lines into commands, and commands into names, fields and options."""

import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from tpmwire.spec.constants import TPM_CC

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from .numbers import find_command, plain
from .positions import Plan, check_result_name, split_words

__all__ = ["command_kind", "parse_plan", "split_commands", "split_line"]


def split_line(line: str) -> list[list[str]]:
    """Splits a line into commands, each a list of words. `+` separates commands, and # begins a comment.

    Words are quoted as in a shell. Raises UsageError for a missing quote or command.
    """
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"{str(error).lower()}; check the quotes") from None
    return split_commands(words) if words else []


def split_commands(words: Sequence[str]) -> list[list[str]]:
    """Splits words into commands at `+`. Raises UsageError if a command is missing."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "+":
            commands.append([])
        else:
            commands[-1].append(word)
    if not all(commands):
        raise UsageError("missing command before or after +")
    return commands


def parse_plan(words: Sequence[str]) -> Plan:
    """Parses the words of one command: [NAME =] COMMAND [FIELD=VALUE | VALUE | --OPTION VALUE]...

    Raises UsageError for an unknown command or option.
    """
    rest, save = list(words), ""
    if len(rest) > 2 and rest[1] == "=":
        save, rest = rest[0], rest[2:]
    elif "=" in rest[0] and find_command(rest[0].partition("=")[2]) is not None:
        save, _, rest[0] = rest[0].partition("=")
    kind = command_kind(rest[0])
    if save:
        check_result_name(save)
    return split_words(kind, list(_join_options(rest[1:])), save)


def command_kind(name: str) -> Any:
    """Returns the class of the command that `name` names or begins. Raises UsageError if there is none."""
    kind = find_command(name)
    if kind is None:
        names = [code.name for code in TPM_CC]
        if name.startswith("$"):
            raise UsageError(f"unknown command {name!r}; `show {name}` prints a result")
        raise UsageError(f"unknown command {name!r}{_did_you_mean(name, names)}")
    return kind


def _did_you_mean(name: str, names: list[str]) -> str:
    known = {plain(each): each for each in names}
    close = get_close_matches(plain(name).removeprefix("tpm2"), known, 2)
    return f"; did you mean {' or '.join(known[each] for each in close)}?" if close else suggestion(name, names)


_OPTIONS = {"--save": "save=", "--auth-file": "auth=@", "--auth-env": "auth=env:", "--auth": "auth="}
_OPTIONS |= {"--policy": "policy=", "--session": "session="}


def _join_options(words: list[str]) -> Iterator[str]:
    """Yields the words with `--save NAME` and the like as `save=NAME`."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in _OPTIONS:
            if word.startswith("--"):
                raise UsageError(f"unknown option {name!r}; use {', '.join(_OPTIONS)}{suggestion(name, _OPTIONS)}")
            yield word
            continue
        found = value if equals else next(rest, None)
        if found is None:
            raise UsageError(f"{name} needs a value")
        yield _OPTIONS[name] + found
