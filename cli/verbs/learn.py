"""Teaches TPM 2.0 in short lessons with tasks, on a TPM in Python: no root, no hardware, nothing to install.

  tpmwire learn
  tpmwire learn 7
  tpmwire learn --list
  tpmwire learn 3 -f my.tpm
  tpmwire learn 9 --tpm-path 127.0.0.1:2321

Without LESSON, continues the first unsolved lesson. A lesson is a page of text and some tasks. Type
commands as in `tpmwire shell` at the prompt, for example `GetRandom bytesRequested=8`. The tasks are checked after
each line. Other commands at the prompt:

  hint       a hint for the next task
  tasks      the tasks, and what is missing
  solution   lines that solve the lesson
  wire       each byte of the last commands and responses
  python     the same bytes as values for Python
  page       the page of the lesson again
  skip       leave this lesson for later
  quit       end; Ctrl-D does the same

Each lesson starts with a new soft TPM, whose random values are the same for every learner. The TPM is a file in
$XDG_DATA_HOME/tpmwire, and the first line shows its path: other programs can use the TPM at the same time.
Solved lessons are recorded in $XDG_STATE_HOME/tpmwire/learn.json. With -f, the lines come from a file, and the
exit code is 1 unless they solve the lesson.
"""

import argparse

from ..terminal.files import read_input
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, seconds, timeout

__all__ = ["Settings", "configure", "run"]

UNSOLVED = 1
"""Exit code if the lines of -f do not solve the lesson."""


class Settings(TpmSettings):
    """The verb's options."""

    lesson: str | None
    list: bool
    reset: bool
    file: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("lesson", nargs="?", metavar="LESSON", help="number or title of a lesson in --list")
    parser.add_argument("--list", action="store_true", help="print a line for each lesson: number, title, state")
    parser.add_argument(
        "--reset", action="store_true", help="forget that LESSON is solved; without LESSON, forget all progress"
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="read the lines from FILE, or from standard input if FILE is -, and check them; needs LESSON",
    )
    parser.add_argument(
        "--tpm-path",
        metavar="PATH",
        help="TPM to use instead of a new soft TPM (see `tpmwire send --help`); some lessons refuse a device, "
        "since they lock or clear the TPM",
    )
    parser.add_argument(
        "--timeout",
        type=timeout,
        default=seconds("60s"),
        metavar="TIME",
        help="longest wait for each response, such as 2s or 1m (default: 60s)",
    )


def run(args: Settings) -> int:
    """Runs lessons until the user quits; returns the exit code."""
    try:
        from ..lessons import lecture  # noqa: PLC0415 - the single file does not have it
    except ModuleNotFoundError as error:
        if error.name != "cli.lessons":
            raise  # a package is missing
        raise UsageError("the single-file tpmwire does not include lessons; install tpmwire with pip") from None
    if args.list + args.reset + (args.file is not None) > 1 or (args.list and args.lesson is not None):
        raise UsageError("--list, --reset and -f cannot be combined; give one of them")
    if args.list:
        lecture.print_list()
    elif args.reset:
        lecture.reset(args.lesson)
    elif args.file is None:
        lecture.teach(args.lesson, args.tpm_path, args.timeout)
    elif args.lesson is None:
        raise UsageError("-f needs the number of a lesson, as in: tpmwire learn 3 -f my.tpm")
    else:
        lines = read_input(args.file).decode("utf-8", "replace").splitlines()
        return 0 if lecture.check_lines(args.lesson, lines, args.tpm_path, args.timeout) else UNSOLVED
    return 0
