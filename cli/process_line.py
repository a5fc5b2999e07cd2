"""A credential_process line, as every SDK will run it: the program's path, and words quoted for all of them.

botocore splits the line by the shell's rules (`shlex`) and starts the program; the other SDKs give it to `sh -c`.
Some of them end a value of ~/.aws/config at a blank and # or ;, even within quotes.
"""

import os
import re
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator

from .messages import UsageError
from .run_options import PROGRAM

__all__ = ["absolute_tpm_path", "find_program", "join_line"]

# Line ends and other control characters; and what is not UTF-8 would make the whole file unreadable.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def join_line(words: Iterable[str]) -> str:
    """One line of these words. Raises UsageError for a word that a config file cannot hold."""
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    if _UNFIT.search(word):
        raise UsageError(f"{word!a} has characters that ~/.aws/config cannot hold: use another path")
    # Between the blank and the # two quotes: the shell joins what they separate.
    return re.sub(r"(\s)([#;])", r"\1''\2", shlex.quote(word))


def find_program() -> tuple[list[str], str | None]:
    """The words that run aws-tpm-process-credential from any folder, and what is wrong with them, if anything.

    Looks beside the program that is running, beside this Python, and on PATH; the single file runs itself.
    """
    running = os.path.abspath(shutil.which(sys.argv[0]) or sys.argv[0])
    found = [path for path in _candidates(running) if os.path.isfile(path)]
    if path := next((path for path in found if os.access(path, os.X_OK)), None):
        return [path], None
    if zipfile.is_zipfile(running):
        start = [running] if os.access(running, os.X_OK) else [sys.executable, running]
        return [*start, PROGRAM], None
    if found:
        return [found[0]], f"{found[0]} is not executable: chmod +x it"
    return [PROGRAM], (
        f"cannot find {PROGRAM} beside this program or on PATH: install it, or write its absolute path into the "
        "credential_process line"
    )


def _candidates(running: str) -> Iterator[str]:
    folders = [
        os.path.dirname(running),
        os.path.dirname(os.path.realpath(running)),
        os.path.dirname(sys.executable),
    ]
    folders += filter(os.path.isabs, os.get_exec_path())
    for name in (PROGRAM, f"{PROGRAM}.pyz"):
        for folder in folders:
            yield os.path.join(folder, name)


def absolute_tpm_path(path: str) -> str:
    """The same --tpm-path for a program that runs in another folder."""
    for start in ("device:", "swtpm:path="):
        if path.startswith(start):
            return start + os.path.abspath(path.removeprefix(start))
    return os.path.abspath(path) if os.path.exists(path) else path
