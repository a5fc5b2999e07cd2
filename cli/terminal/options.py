"""Defines options that several commands share, their types, and a parser with Go's flag syntax."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence

from tpmwire.secret import Secret

from . import messages
from .messages import UsageError, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from tpmwire.spec.structures import TPMS_PCR_SELECTION

__all__ = [
    "SWITCH",
    "Formatter",
    "Once",
    "Parser",
    "Program",
    "TpmSettings",
    "add_tpm_options",
    "auth_from",
    "columns",
    "filled",
    "flag",
    "pcrs_from",
    "persistent_handle",
    "seconds",
    "suggestion",
]

_NEVER_EMPTY = ("FILE", "PATH", "HOSTS", "PEM", "KEYFILE", "PCRS")  # metavars
_warned: set[str] = set()
"""Files of which `secret_file` has warned; a run may read a file several times."""

_PART = 5
"""Minimum length of a part of an option's name for a suggestion, such as `--handle`."""

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class TpmSettings:
    """The values of the options that `add_tpm_options` adds; `timeout` is in seconds, for each wait."""

    tpm_path: str | None
    timeout: float


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviated options, and with one-line error messages."""

    _empty_is_absent = False  # an empty value counts as absent, as in Go

    def __init__(self, **settings: Any) -> None:
        # add_subparsers() also creates a Parser, with arguments that depend on the version of Python.
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **settings)

    def format_help(self) -> str:
        """Returns the text of --help, with environment variables and exit codes at its end."""
        from .help import epilog  # noqa: PLC0415 - for --help only

        self.epilog = epilog(self, columns() - 2)
        return super().format_help()

    def _print_message(self, message: str, file: Any = None) -> None:
        if (stream := file or sys.stderr) is not None:
            stream.write(message)  # argparse would ignore an error

    def error(self, message: str) -> NoReturn:
        hint = ""
        if found := re.match(r"unrecognized arguments: .*?(--?[^\s=]+)", message):
            message = found[0]  # The other arguments may contain a password.
            hint = suggestion(found[1], self._all_options())
        elif found := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            hint = suggestion(found[1], [word.strip(" '") for word in found[2].split(",")])
        if message.startswith("unrecognized") and any(isinstance(action, Program) for action in self._actions):
            hint += "; put -- before the program that it belongs to"
        raise UsageError(f"{message}{hint} (see {self.prog} --help)")

    def _all_options(self) -> list[str]:
        """Returns all long options, including the subcommands' options."""
        found = [name for name in self._option_string_actions if name.startswith("--")]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [name for parser in action.choices.values() for name in parser._all_options()]
        return found

    def action_of(self, name: str) -> argparse.Action | None:
        """Returns the argparse action of an option; ignores hyphens, underscores and capitals in its name."""
        if name in self._option_string_actions or not name.startswith("--"):
            return self._option_string_actions.get(name)
        alike = {
            id(action): action
            for known, action in self._option_string_actions.items()
            if _is_same_name(known, name)
        }
        return next(iter(alike.values())) if len(alike) == 1 else None

    def _canonical(self, word: str) -> str:
        """Returns a command-line argument with its option's declared name.

        For example, returns `--persistentHandle` for `--persistent-handle`.
        """
        name, equals, value = word.partition("=")
        action = self.action_of(name)
        if action is None or name in self._option_string_actions:
            return word
        known = next(each for each in action.option_strings if _is_same_name(each, name))
        return known + equals + value

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parses the arguments into a verb's settings; options may stand between positional arguments."""
        messages.options = messages.options or frozenset(self._all_options())
        between = any(action.nargs == "*" for action in self._get_positional_actions())
        for action in self._get_positional_actions():
            # Python 3.11 and 3.12 restore these values even if a signal interrupts them before they are saved.
            vars(action).update(save_nargs=action.nargs, save_default=action.default)
        parse = self.parse_intermixed_args if between else super().parse_args
        found = parse(args, namespace)
        program = next((action for action in self._actions if isinstance(action, Program)), None)
        if program is not None and args and "--" in args:
            own = list(args[args.index("--") + 1 :])
            if getattr(found, program.dest) != own:
                # argparse would remove the second --, and git checkout FILE differs from git checkout -- FILE.
                self.error("the program's arguments contain --; put another -- before the program")
        return found

    def parse_go_style(self, words: Sequence[str], namespace: Any = None) -> Any:
        """Parses Go's flag syntax: `-flag v`, `--flag=v`, and `-flag` alone as `-flag=true` for a boolean."""
        given: list[str] = []
        rest = iter(words)
        for word in rest:
            name, equals, value = word.partition("=")
            if name.startswith("-") and not name.startswith("--"):
                name = "-" + name
            name = self._canonical(name)
            action = self._option_string_actions.get(name)
            if action is None or equals:
                given.append(name + equals + value)
            elif action.type is flag:
                given.append(f"{name}=true")
            elif action.nargs is None and (following := next(rest, None)) is not None:
                # The next argument is the value even if it begins with a hyphen, as a password may.
                given.append(f"{name}={following}")
            else:
                given.append(name)
        self._empty_is_absent = True
        return self.parse_args(given, namespace)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            # The value "--" is an ordinary one, such as a password; argparse before Python 3.13 drops it.
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        if action.metavar in _NEVER_EMPTY and "" in arg_strings and not self._empty_is_absent:
            # An empty value may come from an unset shell variable: the intended policy, password or PCRs would be
            # lost.
            raise argparse.ArgumentError(action, "the value must not be empty")
        return super()._get_values(action, arg_strings)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parses like argparse, but follows Go for booleans: `--flag` alone is `--flag=true`.

        The argument after such a flag is not its value: in `tpmwire curl --assumeRole URL`, URL is an argument of
        the verb.
        """
        words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)
        words[:end] = map(self._canonical, words[:end])
        for n, word in enumerate(words[:end]):
            action = self._option_string_actions.get(word)
            if action is not None and action.type is flag:
                words[n] = f"{word}=true"
        return super().parse_known_args(words, namespace)


class Once(argparse._StoreAction):
    """An argparse action for an option with one value. Repeating the option with a different value is an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Stores the value; reports an error if the option already has a different value."""
        if getattr(namespace, self.dest, self.default) not in (self.default, values):
            raise argparse.ArgumentError(self, "given twice with different values; give it once")
        setattr(namespace, self.dest, values)


def _is_same_name(one: str, other: str) -> bool:
    """Returns whether two names differ only in hyphens, underscores and capitals."""
    return _squash(one) == _squash(other)


def _squash(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def suggestion(word: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'X'?` for the most similar known word, or an empty text."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a misspelled name only

    names = {_squash(name): name for name in known}
    squashed = _squash(word)
    within = [name for name in names if len(squashed) >= _PART and squashed in name]
    close = within if len(within) == 1 else get_close_matches(squashed, names, 1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


class Program(argparse._StoreAction):
    """An argparse action for a program and its arguments after `--`; its presence adds a hint to errors."""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """A formatter of --help that wraps paragraphs and keeps indented lines.

    It computes the terminal's width itself: argparse would import shutil, zlib, bz2 and lzma. It selects Python
    3.14's colors when it prints, not for each option that a parser defines: they import dataclasses, which takes
    16 ms.
    """

    _color = True

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=columns() - 2)

    def _set_color(self, color: bool) -> None:
        self._color = color

    def __getattr__(self, name: str) -> Any:
        if name not in ("_theme", "_decolor"):
            raise AttributeError(name)
        super()._set_color(self._color)  # type: ignore[misc] # new in Python 3.14
        return getattr(self, name)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from .help import fill  # noqa: PLC0415 - for --help only

        return fill(text, width, indent)

    def _split_lines(self, text: str, width: int) -> list[str]:
        from .help import wrapped  # noqa: PLC0415 - for --help only

        return wrapped(text, width)

    def _format_usage(self, *parts: Any) -> str:
        from .help import narrow  # noqa: PLC0415 - for --help only

        return narrow(super()._format_usage(*parts), self._width)


def columns() -> int:
    """Returns the terminal's width, like shutil.get_terminal_size."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return 80 if sys.__stdout__ is None else os.get_terminal_size(sys.__stdout__.fileno()).columns or 80
    except (ValueError, OSError):
        return 80


def flag(text: str) -> bool:
    """Parses a boolean in Go's syntax, such as `true`, `t` or `1`. Raises ArgumentTypeError for any other text."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected true or false")


SWITCH: dict[str, Any] = {"type": flag, "nargs": "?", "const": True, "default": False, "metavar": "BOOL"}
"""Arguments of `add_argument` for a boolean option, which may have a value as in Go."""


def seconds(text: str) -> float:
    """Parses a duration such as `2`, `2s`, `500ms`, `1m` or `1h`, and returns the seconds.

    Raises ArgumentTypeError for any other text.
    """
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit)
        if (not unit or number != text) and number.replace(".", "", 1).isdecimal() and number.isascii():
            return float(number) * factor
    raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 2, 2s, 500ms or 1m")


def timeout(text: str) -> float:
    """Parses a duration from 1 ms to 24 h, such as `2s`, and returns the seconds.

    Raises ArgumentTypeError for any other text.
    """
    value = seconds(text)
    if not 0.001 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"a timeout of {text} is not between 1ms and 24h")
    return value


def persistent_handle(text: str) -> int:
    """Parses a persistent handle in decimal or hex (TPM 2.0 Part 2, §7.5: 0x81000000 to 0x81FFFFFF).

    Raises ArgumentTypeError for any other text.
    """
    try:
        value = int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; a handle looks like 0x81010020") from None
    if value >> 24 != 0x81:
        hint = f"; did you mean 0x{text}?" if re.fullmatch("81[0-9]{6}", text) else ""
        raise argparse.ArgumentTypeError(f"{text} is not a persistent handle (0x81000000 to 0x81ffffff){hint}")
    return value


def add_tpm_options(parser: argparse._ActionsContainer, patience: str = "2s") -> None:
    """Adds --tpm-path and --timeout; `patience` is the default timeout, such as "2s"."""
    parser.add_argument(
        "--tpm-path",
        metavar="PATH",
        help="the TPM: /dev/tpmrm0, /dev/tpm0, HOST:PORT, path of a socket, swtpm:host=H,port=P, "
        "swtpm:path=SOCKET, mssim:host=H,port=P, device:PATH, or soft:[FILE] for a TPM in Python (env: "
        "TPMWIRE_TPM_PATH, TPM2TOOLS_TCTI; default: /dev/tpmrm0 if it exists, else /dev/tpm0)",
    )
    parser.add_argument(
        "--timeout",
        type=timeout,
        default=seconds(patience),
        metavar="TIME",
        help=f"longest wait for each response, such as 2s, 500ms or 1m (default: {patience})",
    )


def filled(text: str) -> str:
    """Returns the text unchanged. Raises ArgumentTypeError for an empty text, such as an unset shell variable."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the value is empty; give a value, or remove the option")
    return text


def auth_from(value: str | None, file: str | None, *variables: str) -> Secret:
    """Returns the authValue from the option, the file, or the first variable that is set; empty without any.

    `value` is the option's value, `file` the path of a file with the password, `variables` are names of
    environment variables. Raises UsageError if the file cannot be read or is empty.
    """
    if value:
        return Secret(value.encode())
    if file is not None:
        return Secret(password_file(file))
    for variable in variables:
        if os.environ.get(variable):
            return Secret(os.environ[variable].encode())
    return Secret(b"")


def pcrs_from(text: str) -> tuple[TPMS_PCR_SELECTION, ...]:
    """Parses a PCR selection such as `23`, `7,23` or `sha256:7,23`. Raises UsageError for any other text."""
    from tpmwire.errors import PolicyError  # noqa: PLC0415 - most keys have no PCRs
    from tpmwire.policy.pcr_selection import parse_pcrs  # noqa: PLC0415 - likewise

    try:
        return parse_pcrs(text)
    except PolicyError as error:
        raise UsageError(str(error)) from error


def password_file(path: str) -> bytes:
    """Returns the password in a file. Raises UsageError if the file cannot be read or the password is empty."""
    if not path:
        raise UsageError("the name of the password file is empty; give a name, or remove the option")
    found = secret_file(path)
    if not found:
        raise UsageError(f"{path} is empty; write the password into it, or remove the option")
    return found


def secret_file(path: str) -> bytes:
    """Returns the content of a file with a secret, without a final line end; warns if others can read the file.

    Raises UsageError if the file cannot be read or is larger than 4096 bytes.
    """
    from sigv4.files import open_input  # noqa: PLC0415 - most secrets are in no file

    try:
        with open_input(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(4097)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(data) > 4096:
        raise UsageError(f"{path} is too large for a password file; check its path")
    if mode & 0o077 and mode & 0o170000 == 0o100000 and path not in _warned:
        _warned.add(path)
        warn(f"{path} can be read by other users; run chmod 600 on it")
    return data.removesuffix(b"\n").removesuffix(b"\r")
