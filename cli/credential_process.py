"""`aws-tpm-process-credential`: an AWS credential_process whose secret key stays in the TPM.

options → key file → TPM: one HMAC, the day's signing key → TPM closed → STS → JSON on stdout.
"""

import sys

from .credentials.options import PROGRAM, run_parser
from .terminal.messages import UsageError, guarded

__all__ = ["main", "run"]


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(PROGRAM, lambda: run(words))


def run(words: list[str]) -> int:
    """Runs the command; returns the exit code. Raises what `guarded` turns into a line."""
    args = run_parser().parse_go_style(words)
    if args.version:
        from tpmwire import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    if sys.stdout is None:
        raise UsageError("stdout is closed; open it, so that the credentials can be written")
    from .credentials.output import put_out
    from .credentials.sts import obtain

    if args.profile is not None:
        from .credentials.options import given_options
        from .credentials.role_chain import profile_args

        args = profile_args(args.profile, given_options(words))
    put_out(args, lambda: obtain(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
