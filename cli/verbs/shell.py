"""Runs TPM commands interactively: results are values, Tab completes, and each response can be explained.

  tpmwire shell
  tpmwire shell --tpm-path soft:
  tpmwire shell --tpm-path soft:seed=word --secrets
  tpmwire shell < lesson.tpm

The syntax is that of `tpmwire send`:

  tpm> GetRandom 8
  tpm> key = CreatePrimary ecc:ecdsa-sha256
  tpm> Sign $key text:hello
  tpm> explain last

`help` shows the syntax, `help NAME` a command with its fields and their defaults. Ctrl-C discards the line, and
Ctrl-D or `quit` ends the shell. At the end, transient objects and sessions that the commands created are flushed,
unless --keep is given.

Completion and history need the extra tpmwire[shell]. The history is in $XDG_STATE_HOME/tpmwire/shell_history,
readable by its owner only. Lines with passwords or other secrets are not stored; @FILE keeps a secret off the
screen, too. Without a terminal, lines are read from standard input, and the shell exits at the first error.
"""

import argparse
import sys

from tpmwire.errors import TpmwireError
from tpmwire.tpm import Tpm

from ..inspect.line_input import line_reader
from ..inspect.script import Script
from ..inspect.send_output import WaitingTransport
from ..inspect.shell.authorize import SESSIONS
from ..inspect.shell.saved import SavedResults
from ..terminal.messages import UsageError, explain_error
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.path import connect

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    session: str
    keep: bool
    secrets: bool


_REFUSED = 4
"""Exit code if the TPM refuses a command of a script."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, patience="60s")
    parser.add_argument(
        "--session",
        choices=list(SESSIONS),
        default="none",
        help="session for the commands; the line `session NAME` changes it (default: none)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="do not flush the objects and sessions that the commands create"
    )
    parser.add_argument("--secrets", action="store_true", help="show secret values in results")


def run(args: Settings) -> int:
    """Reads and runs lines until the end of the input; returns the exit code."""
    transport = WaitingTransport(connect(args.tpm_path, args.timeout))
    tpm = Tpm(transport)  # type: ignore[arg-type]
    try:
        with Script(
            tpm, session=args.session, secrets=args.secrets, keep=args.keep, saved=SavedResults()
        ) as script:
            return _loop(script, interactive=sys.stdin is not None and sys.stdin.isatty())
    finally:
        if args.keep:
            transport.close()
        else:
            tpm.close()


def _loop(script: Script, *, interactive: bool) -> int:
    read = line_reader("tpm> ", script.values)
    if interactive:
        print("Type a TPM command, such as GetRandom 8, or help. Tab completes, Ctrl-D ends.", flush=True)
    number = 0
    while True:
        try:
            line = read()
        except EOFError:
            if interactive:
                print()
            return 0
        except KeyboardInterrupt:
            print(flush=True)
            continue
        number += 1
        if line.strip().lower() in ("quit", "exit"):
            return 0
        code = _run_line(script, line, interactive=interactive, number=number)
        if code:
            return code


def _run_line(script: Script, line: str, *, interactive: bool, number: int) -> int:
    """Runs a line, and prints the result or the error. Returns an exit code if an error ends a script, else 0."""
    try:
        result = script.run(line)
    except (UsageError, TpmwireError, OSError) as error:
        if not interactive:
            if isinstance(error, UsageError):
                raise UsageError(f"line {number}: {error}") from error
            raise
        print(explain_error(error)[1])
        return 0
    if result.text:
        print(result.text, flush=True)
    return _REFUSED if result.code and not interactive else 0
