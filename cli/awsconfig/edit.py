"""Edits settings in ~/.aws/config and ~/.aws/credentials; preserves comments, order and whitespace.

Users edit both files by hand, and a parser's output would lose their comments. The grammar is configparser's, as
in botocore and the aws command: indented settings, `name: value`, values on several lines. Each edit is checked by
parsing the new text with configparser itself.
"""

import configparser
import io
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sigv4.config import config_file, credentials_file, parse_config, parse_section
from sigv4.errors import RequestError

from ..terminal.messages import UsageError

__all__ = [
    "config_path",
    "credentials_path",
    "get_setting",
    "has_section",
    "profile_of",
    "remove_settings",
    "section_of",
    "sections",
    "set_settings",
]

_GRAMMAR = configparser.RawConfigParser


@dataclass
class _Setting:
    """A setting: its name in lower case, and the numbers of its lines without comment lines between them."""

    name: str
    lines: list[int]


@dataclass
class _Section:
    """A section: the number of its header line, the number of the line after its end, and its settings."""

    name: str
    start: int
    end: int
    settings: list[_Setting] = field(default_factory=list)


def config_path() -> str:
    """Returns the path of ~/.aws/config, or AWS_CONFIG_FILE. Raises UsageError if there is no home directory."""
    return _check_resolved(config_file(os.environ), "AWS_CONFIG_FILE")


def credentials_path() -> str:
    """Returns the path of ~/.aws/credentials, or AWS_SHARED_CREDENTIALS_FILE.

    Raises UsageError if there is no home directory.
    """
    return _check_resolved(credentials_file(os.environ), "AWS_SHARED_CREDENTIALS_FILE")


def _check_resolved(path: str, variable: str) -> str:
    if path.startswith("~"):
        raise UsageError(f"cannot resolve {path}: no such home directory; set HOME or {variable}")
    return path


def section_of(profile: str) -> str:
    """Returns the name of a profile's section in ~/.aws/config: `profile NAME`, or `default`.

    Raises UsageError if the profile's name is invalid.
    """
    if not re.fullmatch(r"[\w.@+=/:-]([\w.@+=/: -]*[\w.@+=/:-])?", profile, re.ASCII):
        raise UsageError(
            f"{profile!r} is not a valid profile name; use letters, digits, spaces and . _ - @ + = / :"
        )
    return "default" if profile == "default" else f"profile {shlex.quote(profile)}"


def profile_of(section: str) -> str | None:
    """Returns the name of the profile in a section of ~/.aws/config; None if the section is not a profile."""
    kind, name = parse_section(section)
    return name if kind == "profile" else None


def _canonical(section: str) -> str:
    """Returns a section's name as `section_of` writes it, so that names can be compared."""
    profile = profile_of(section)
    if profile is None or profile == "default":
        return profile or section
    return f"profile {shlex.quote(profile)}"


def _split_lines(text: str) -> list[str]:
    """Splits the text into lines that include their line ends.

    `str.splitlines` would also split at other characters, such as form feeds.
    """
    return list(io.StringIO(text, newline=""))


def _find_sections(lines: list[str]) -> list[_Section]:
    """Returns the sections in order.

    As in configparser, a line that is indented deeper than a setting continues the setting's value.
    """
    found: list[_Section] = []
    setting: _Setting | None = None
    depth = 0
    for number, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        indent = len(line) - len(line.lstrip())
        if setting is not None and indent > depth:
            setting.lines.append(number)
            continue
        depth = indent
        if header := _GRAMMAR.SECTCRE.match(bare):
            setting = None
            found.append(_Section(header["header"], number, len(lines)))
            if len(found) > 1:
                found[-2].end = number
        elif found and (option := _GRAMMAR.OPTCRE.match(bare)):
            setting = _Setting(option["option"].rstrip().lower(), [number])
            found[-1].settings.append(setting)
    return found


def _find_section(layout: list[_Section], section: str) -> _Section | None:
    """Returns the section named `section`, or None. Raises UsageError if the section occurs more than once."""
    wanted = _canonical(section)
    found = [each for each in layout if _canonical(each.name) == wanted]
    if len(found) > 1:
        raise UsageError(f"the section [{section}] occurs more than once; merge its copies first")
    return found[0] if found else None


def sections(text: str) -> list[str]:
    """Returns the names of all sections, in order."""
    return [section.name for section in _find_sections(_split_lines(text))]


def has_section(text: str, section: str) -> bool:
    """Returns whether the text has the given section. Raises UsageError if the section occurs more than once."""
    return _find_section(_find_sections(_split_lines(text)), section) is not None


def get_setting(text: str, section: str, name: str) -> str | None:
    """Returns the value of a setting as botocore parses it, or None. Raises UsageError if the text is invalid."""
    if not has_section(text, section):
        return None
    return _parse_text(text, section)[_canonical(section)].get(name)


def set_settings(text: str, section: str, values: Mapping[str, str]) -> str:
    """Returns the text with the settings `values` (name to value) in a section, appended if it is missing.

    Raises UsageError if AWS's programs cannot read the text, before or after the edit.
    """
    for name, value in values.items():
        if "\n" in name + value or "\r" in name + value:
            raise UsageError(f"{name} contains a line break; remove the line break")
    lines = _split_lines(text)
    found = _find_section(_find_sections(lines), section)
    if found is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        new = text + gap + f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
        return _check_edit(text, new, section, values)
    if not lines[found.end - 1].endswith(("\n", "\r")):
        lines[found.end - 1] += "\n"
    # A deeper indented line after the new one would continue it.
    following = found.settings[0].lines[0] if found.settings else found.end
    indent = _indent(lines[following]) if following < len(lines) else ""
    present = {setting.name: setting for setting in found.settings}
    added = [f"{indent}{name} = {value}\n" for name, value in values.items() if name not in present]
    for name, setting in present.items():
        if name in values:
            first, *others = setting.lines
            lines[first] = f"{_indent(lines[first])}{name} = {values[name]}\n"
            for number in others:
                lines[number] = ""
    lines[found.start + 1 : found.start + 1] = added
    return _check_edit(text, "".join(lines), section, values)


def remove_settings(text: str, section: str, names: Iterable[str]) -> str:
    """Returns the text without the named settings; removes a section that becomes empty, but not its comments.

    Raises UsageError if AWS's programs cannot read the text, or if a setting is inherited from [DEFAULT].
    """
    lines = _split_lines(text)
    found = _find_section(_find_sections(lines), section)
    if found is None:
        return text
    wanted = set(names)
    for setting in found.settings:
        if setting.name in wanted:
            for number in setting.lines:
                lines[number] = ""
    # Without this header, an indented line below it would continue the section above.
    needed = found.end < len(lines) and _indent(lines[found.end])
    # Settings inherited from [DEFAULT] count: without the header the profile would not exist.
    if not needed and not set(_parse_text(text, section)[_canonical(section)]) - wanted:
        lines[found.start] = ""
    return _check_edit(text, "".join(lines), section, dict.fromkeys(wanted))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _check_edit(before: str, after: str, section: str, values: Mapping[str, str | None]) -> str:
    """Verifies that an edit changed only the settings `values` of the section, and returns the new text `after`.

    Raises UsageError if the edit also changed other settings.
    """
    wanted, got = _parse_text(before, section), _parse_text(after, section)
    changed = wanted[_canonical(section)]
    for name, value in values.items():
        changed.pop(name, None)
        if value is not None:
            changed[name] = value.strip()
    if got != wanted:
        names = ", ".join(values)
        raise UsageError(
            f"cannot change {names} of [{section}] without changing other settings, such as settings of "
            "[DEFAULT]; edit the file by hand"
        )
    return after


def _parse_text(text: str, section: str) -> dict[str, dict[str, str]]:
    """Returns the settings of each section as botocore parses them; adds an empty `section` if it is missing.

    Raises UsageError if the text is not valid; the message never quotes a line of the text.
    """
    try:
        parser = parse_config(text)
    except RequestError as error:
        raise UsageError(str(error)) from None
    found = {_canonical(name): dict(parser.items(name)) for name in parser.sections()}
    return {_canonical(section): dict(parser.defaults()), **found}
