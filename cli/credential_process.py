"""`aws-tpm-process-credential`: an AWS credential_process whose secret key stays in the TPM.

options → key file → TPM: one HMAC, the day's signing key → TPM closed → STS → JSON on stdout.
"""

import os
import sys
from typing import NoReturn

from .messages import UsageError, guarded
from .run_options import PROGRAM, run_parser

__all__ = ["main", "script"]


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(PROGRAM, lambda: _run(words))


def script(argv: list[str] | None = None) -> NoReturn:
    """`main` as a program of its own."""
    import gc

    # A run is over before garbage matters: collecting it, and freeing one by one what the kernel frees at once,
    # takes a fifth of its time. All output is flushed by then.
    gc.disable()
    os._exit(main(argv))


def _run(words: list[str]) -> int:
    args = run_parser().parse_go_style(words)
    if args.version:
        from tpmwire import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    if sys.stdout is None:
        raise UsageError("stdout is closed, so that the credentials have nowhere to go; leave it open")
    from .obtain import obtain, profile_args
    from .output import put_out

    if args.profile is not None:
        from .run_options import given_options

        args = profile_args(args.profile, given_options(words))
    put_out(args, lambda: obtain(args))
    return 0
