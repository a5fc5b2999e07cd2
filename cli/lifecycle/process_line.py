"""Writes credential_process lines that every SDK can run: the program's path, and quoted arguments.

botocore splits the line by the shell's rules (`shlex`) and starts the program; the other SDKs pass it to `sh -c`.
Some of them end a value of ~/.aws/config at a space followed by # or ;, even within quotes.
"""

import os
import re
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator

from ..credentials.settings import PROGRAM
from ..terminal.messages import UsageError

__all__ = ["find_program", "join_line"]

# Line ends and other control characters, and bytes that are not UTF-8, which would make the file unreadable.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def join_line(words: Iterable[str]) -> str:
    """Returns a command line of these words, quoted so that every SDK splits it into the same words.

    Raises UsageError for a word that a config file cannot contain.
    """
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    if _UNFIT.search(word):
        raise UsageError(f"{word!a} has characters that ~/.aws/config cannot contain; use another path")
    # Two quotes between the space and the #: the shell removes them, and no SDK sees the start of a comment.
    return re.sub(r"(\s)([#;])", r"\1''\2", shlex.quote(word))


def find_program(program: str = PROGRAM) -> tuple[list[str], str | None]:
    """Returns (command that runs `program` from any directory, problem with the command or None).

    `program` is aws-tpm-process-credential or tpmwire. Searches the directory of the running program, the
    directory of this Python, and PATH. If the single-file tpmwire is running and the first directory has no
    `program`, the command is the single-file tpmwire with that name as its first argument.
    """
    running = os.path.abspath(shutil.which(sys.argv[0]) or sys.argv[0])
    beside = [os.path.dirname(running), os.path.dirname(os.path.realpath(running))]
    if path := _executable(program, beside):
        return [path], None
    if zipfile.is_zipfile(running):
        start = [running] if os.access(running, os.X_OK) else [sys.executable, running]
        return [*start, program], None
    if path := _executable(program, [os.path.dirname(sys.executable), *filter(os.path.isabs, os.get_exec_path())]):
        return [path], None
    if path := next(filter(os.path.isfile, _candidates(program, beside)), None):
        return [path], f"{path} is not executable; run chmod +x on it"
    return [program], (
        f"cannot find {program} beside this program or on PATH; install it, or write its absolute path "
        "into the credential_process line"
    )


def _executable(program: str, folders: Iterable[str]) -> str | None:
    paths = _candidates(program, folders)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def _candidates(program: str, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        yield from (os.path.join(folder, name) for name in (program, f"{program}.pyz"))
