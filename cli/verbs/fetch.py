"""Prints the credentials of a running `tpmwire serve --process`, as a credential_process.

  credential_process = tpmwire fetch

It takes a fraction of the time of a run that uses the TPM. The server must belong to the same user or to root. If
the server has no credentials, fetch prints the server's error and ends with its exit code. docs/serve.md has user
units for systemd, which start the server at the first request.
"""

import argparse

from ..serving.client import TIMEOUT, default_socket, fetch_and_print
from ..terminal.options import timeout

__all__ = ["Settings", "configure", "run"]


class Settings:
    """The verb's options."""

    path: str | None
    timeout: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="path of the server's unix socket (default: $XDG_RUNTIME_DIR/tpmwire.sock)",
    )
    parser.add_argument(
        "--timeout",
        type=timeout,
        default=TIMEOUT,
        metavar="DURATION",
        help=f"time limit for the whole request (default: {TIMEOUT:g}s)",
    )


def run(args: Settings) -> int:
    """Prints the credentials from the server's socket, and returns the exit code."""
    return fetch_and_print(default_socket() if args.path is None else args.path, args.timeout)
