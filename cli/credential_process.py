"""`aws-tpm-process-credential`: an AWS credential_process whose secret key stays in the TPM.

options → key file → TPM: one HMAC, the SigV4 date key (kDate) → TPM closed → STS → JSON on stdout.
"""

import sys

from tpmwire import __version__

from .credentials.options import given_options, parse_run
from .credentials.settings import PROGRAM
from .terminal.messages import UsageError, guarded

__all__ = ["main", "run"]


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(PROGRAM, lambda: run(words))


def run(words: list[str]) -> int:
    """Runs the command with the arguments `words`, and returns the exit code. `guarded` prints its errors."""
    settings = parse_run(words)
    if settings.version:
        print(f"{PROGRAM} {__version__}")
        return 0
    if sys.stdout is None:
        raise UsageError(
            "cannot write the credentials: standard output is closed; redirect it to a file or program"
        )
    from .credentials.output import put_out  # noqa: PLC0415 - --help needs none of it
    from .credentials.sts import obtain  # noqa: PLC0415 - --help needs neither the TPM nor AWS

    if settings.profile is not None:
        from .credentials.role_chain import profile_settings  # noqa: PLC0415 - most runs name no profile

        settings = profile_settings(settings.profile, given_options(words))
    put_out(settings, lambda: obtain(settings), settings.profile_region)
    return 0


if __name__ == "__main__":
    sys.exit(main())
