"""Programs of credential_process lines, found as SDKs find them."""

import os
import shutil

from sigv4.config import Profile

from .finding import Finding

__all__ = ["find_program_fault"]

_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"


def find_program_fault(profile: Profile, word: str) -> Finding | None:
    """Returns why SDKs cannot run the first word of a credential_process, or None."""
    absolute = "write its absolute path into the credential_process line"
    if "=" in word and "/" not in word.partition("=")[0]:
        variable = word.partition("=")[0]
        return Finding.error(f"{profile}: the line sets {variable}, which no SDK does", "use an option instead")
    if word.startswith(("~", "$")):
        return Finding.error(f"{profile}: not every SDK expands {word}", absolute)
    if "/" in word and not os.path.isabs(word):
        return Finding.error(f"{profile}: {word} depends on the working directory of each program", absolute)
    path = shutil.which(word)
    if path is None or not os.path.isfile(path):
        what = "is not executable" if os.path.isfile(word) else "is not found"
        step = f"run chmod +x {word}" if os.path.isfile(word) else f"install it, or {absolute}"
        return Finding.error(f"{profile}: {word} {what}", step)
    if (missing := _interpreter(path)) is not None:
        return Finding.error(f"{profile}: {path} needs {missing}, which does not exist", "install tpmwire again")
    if not os.path.isabs(word) and shutil.which(word, path=_USUAL_PATH) is None:
        return Finding.warning(
            f"{profile}: {word} is found in {os.path.dirname(path)} only, which services do not search", absolute
        )
    return None


def _interpreter(path: str) -> str | None:
    """Returns the interpreter that a script's first line names if the interpreter is missing, else None."""
    with open(path, "rb") as file:
        line = file.readline(300)
    if not line.startswith(b"#!") or not (words := line[2:].split()):
        return None
    name = os.fsdecode(words[0])
    return None if os.path.exists(name) else name
