"""Edits of ~/.aws/config and ~/.aws/credentials that leave everything else as it is: comments, order, blanks.

Both are text that people write by hand; a parser's own output would lose that. A section is its header line and
all up to the next header; a setting is its line and the indented ones below it.
"""

import os
import re
from collections.abc import Iterable

from .messages import UsageError

__all__ = [
    "config_path",
    "credentials_path",
    "get_setting",
    "has_section",
    "header",
    "remove_settings",
    "set_settings",
]

_HEADER = re.compile(r"\[\s*(.*?)\s*\]\s*([#;].*)?")


def config_path() -> str:
    """~/.aws/config, or what AWS_CONFIG_FILE names."""
    return os.path.expanduser(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config")


def credentials_path() -> str:
    """~/.aws/credentials, or what AWS_SHARED_CREDENTIALS_FILE names."""
    return os.path.expanduser(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")


def section_of(profile: str) -> str:
    """The section of ~/.aws/config that a profile is: `default` stands without the word. Raises UsageError."""
    if not re.fullmatch(r"[\w.@+=/:-]([\w.@+=/: -]*[\w.@+=/:-])?", profile, re.ASCII):
        raise UsageError(f"{profile!r} is no name for a profile: letters, digits, blanks and . _ - @ + = / :")
    return "default" if profile == "default" else f"profile {profile}"


def header(line: str) -> str | None:
    """The section that a line begins, blanks inside made single."""
    found = _HEADER.fullmatch(line.strip()) if line[:1] not in (" ", "\t") else None
    return " ".join(found[1].split()) if found else None


def _bounds(lines: list[str], section: str) -> tuple[int, int] | None:
    """The lines of a section, its header first. Raises UsageError where it is there twice."""
    starts = [number for number, line in enumerate(lines) if header(line) == section]
    if not starts:
        return None
    if len(starts) > 1:
        raise UsageError(f"the section [{section}] is there more than once: make it one first")
    rest = (number for number in range(starts[0] + 1, len(lines)) if header(lines[number]) is not None)
    return starts[0], next(rest, len(lines))


def _settings(lines: list[str], bounds: tuple[int, int]) -> Iterable[tuple[str, int, int]]:
    """Names of a section's settings, with their lines."""
    number = bounds[0] + 1
    while number < bounds[1]:
        line = lines[number]
        name, equals, _ = line.partition("=")
        end = number + 1
        if equals and line[:1] not in (" ", "\t", "#", ";"):
            while end < bounds[1] and lines[end][:1] in (" ", "\t") and lines[end].strip():
                end += 1
            yield name.strip().lower(), number, end
        number = end


def has_section(text: str, section: str) -> bool:
    """Whether there is such a section."""
    return _bounds(text.splitlines(keepends=True), section) is not None


def get_setting(text: str, section: str, name: str) -> str | None:
    """The value of a setting, on its first line; None where there is none."""
    lines = text.splitlines(keepends=True)
    bounds = _bounds(lines, section)
    for found, start, _ in _settings(lines, bounds) if bounds else ():
        if found == name:
            return lines[start].partition("=")[2].strip()
    return None


def set_settings(text: str, section: str, values: dict[str, str]) -> str:
    """The text with these settings in a section, which is added at the end where it is not there."""
    for name, value in values.items():
        if "\n" in name + value or "\r" in name + value:
            raise UsageError(f"{name} has a line break in it")
    lines = text.splitlines(keepends=True)
    bounds = _bounds(lines, section)
    if bounds is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
    if not lines[bounds[1] - 1].endswith("\n"):
        lines[bounds[1] - 1] += "\n"
    present = {name: (start, end) for name, start, end in _settings(lines, bounds)}
    new = [f"{name} = {value}\n" for name, value in values.items() if name not in present]
    for name, (start, end) in sorted(present.items(), key=lambda item: -item[1][0]):
        if name in values:
            lines[start:end] = [f"{name} = {values[name]}\n"]
    lines[bounds[0] + 1 : bounds[0] + 1] = new
    return "".join(lines)


def remove_settings(text: str, section: str, names: Iterable[str]) -> str:
    """The text without these settings; a section that has none left goes too, comments in it stay."""
    lines = text.splitlines(keepends=True)
    bounds = _bounds(lines, section)
    if bounds is None:
        return text
    wanted = set(names)
    settings = list(_settings(lines, bounds))
    for name, start, end in reversed(settings):
        if name in wanted:
            del lines[start:end]
    if all(name in wanted for name, _, _ in settings):
        del lines[bounds[0]]
    return "".join(lines)
