"""Prints the completion script of a shell, for tpmwire and aws-tpm-process-credential.

  source <(tpmwire completion bash)     # in ~/.bashrc
  source <(tpmwire completion zsh)      # in ~/.zshrc, after compinit
  tpmwire completion fish | source      # in ~/.config/fish/config.fish

The script completes verbs, options and their values: files, key files, AWS profiles and persistent handles. For
the last two it runs `tpmwire completion --list`. TPMWIRE_TPM_PATH names the TPM.
"""

import argparse
import contextlib
import os
import pkgutil

from sigv4.config import load_config
from sigv4.errors import SigV4Error
from tpmwire.errors import TpmwireError
from tpmwire.tpm import Tpm

from ..credentials.settings import PROGRAM
from ..terminal.messages import UsageError
from ..tpm.inventory import list_handles
from ..tpm.path import connect

__all__ = ["Settings", "configure", "run"]

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("tpmwire", PROGRAM)
_PATIENCE = 0.5  # seconds; short, because the user has just pressed a key


class Settings:
    """The verb's options."""

    shell: str | None
    program: str | None
    list: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="shell that runs the script")
    parser.add_argument("--program", choices=PROGRAMS, help="print the script of this program only")
    parser.add_argument(
        "--list",
        choices=("profiles", "handles"),
        help="print the names of profiles or the TPM's persistent handles, one per line",
    )


def run(args: Settings) -> int:
    """Prints a shell's completion script, or a list of values to complete.

    Raises UsageError if the arguments name neither a shell nor a list, and if the single file lacks the script.
    """
    if args.list:
        # Errors are ignored: without profiles or a TPM, no values can be completed.
        with contextlib.suppress(TpmwireError, SigV4Error, OSError):
            print(
                "".join(f"{value}\n" for value in (_profiles if args.list == "profiles" else _handles)()), end=""
            )
        return 0
    if args.shell is None:
        raise UsageError(f"missing shell; give {', '.join(SHELLS[:-1])} or {SHELLS[-1]}")
    for program in [args.program] if args.program else PROGRAMS:
        try:
            script = pkgutil.get_data("cli", f"completions/{program}.{args.shell}")
        except OSError:
            raise UsageError(
                f"the single-file tpmwire has completions of {program} for bash only; install tpmwire with pip or "
                "as a package"
            ) from None
        assert script is not None
        print(script.decode(), end="")
    return 0


def _profiles() -> list[str]:
    return sorted(load_config(os.environ))


def _handles() -> list[str]:
    with Tpm(connect(None, _PATIENCE)) as tpm:
        return [f"0x{handle:08x}" for handle in list_handles(tpm, "persistent")]
