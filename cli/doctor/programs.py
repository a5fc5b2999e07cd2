"""Finds the programs of credential_process lines as SDKs find them."""

import os
import shutil
from collections.abc import Sequence

from sigv4.config import Profile
from sigv4.files import open_input

from .finding import Finding

__all__ = ["find_line_fault"]

_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"
_ABSOLUTE = "write its absolute path into the credential_process line"


def find_line_fault(profile: Profile, words: Sequence[str]) -> Finding | None:
    """Returns a finding if SDKs cannot run `words`, or None.

    `words` are the part of a credential_process up to this program's name. The first word can be an interpreter or
    `env`.
    """
    fault = _find_fault(profile, words[0])
    if fault is not None or len(words) == 1:
        return fault
    if os.path.basename(words[0]) == "env":
        return _find_fault(profile, words[-1])
    scripts = [word for word in words[1:] if "/" in word and not word.startswith("-")]
    if missing := next((word for word in scripts if not os.path.isfile(word)), None):
        return Finding.error(f"{profile}: {missing} is not found", f"install it, or {_ABSOLUTE}")
    if relative := next((word for word in scripts if not os.path.isabs(word)), None):
        return Finding.error(f"{profile}: {relative} depends on the working directory of each program", _ABSOLUTE)
    return None


def _find_fault(profile: Profile, word: str) -> Finding | None:
    if "=" in word and "/" not in word.partition("=")[0]:
        variable = word.partition("=")[0]
        return Finding.error(
            f"{profile}: the line sets {variable}, which SDKs do not support", "use an option instead"
        )
    if word.startswith(("~", "$")):
        return Finding.error(f"{profile}: not every SDK expands {word}", _ABSOLUTE)
    if "/" in word and not os.path.isabs(word):
        return Finding.error(f"{profile}: {word} depends on the working directory of each program", _ABSOLUTE)
    path = shutil.which(word)
    if path is None or not os.path.isfile(path):
        what = "is not executable" if os.path.isfile(word) else "is not found"
        step = f"run chmod +x {word}" if os.path.isfile(word) else f"install it, or {_ABSOLUTE}"
        return Finding.error(f"{profile}: {word} {what}", step)
    if (missing := _interpreter(path)) is not None:
        return Finding.error(f"{profile}: {path} needs {missing}, which does not exist", "install tpmwire again")
    if not os.path.isabs(word) and shutil.which(word, path=_USUAL_PATH) is None:
        return Finding.warning(
            f"{profile}: {word} is found only in {os.path.dirname(path)}, which services do not search", _ABSOLUTE
        )
    return None


def _interpreter(path: str) -> str | None:
    """Returns the missing interpreter that the first line of the script at `path` names, or None."""
    try:
        with open_input(path) as file:
            line = file.readline(300)
    except OSError:  # a program may be executable without being readable
        return None
    if not line.startswith(b"#!") or not (words := line[2:].split()):
        return None
    name = os.fsdecode(words[0])
    return None if os.path.exists(name) else name
