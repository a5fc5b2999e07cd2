"""The options of `tpmwire fetch`, which `tpmwire doctor` also parses in the command lines of profiles."""

import argparse

from ..terminal.options import filled, timeout
from .client import TIMEOUT

__all__ = ["FetchSettings", "add_fetch_options"]


class FetchSettings:
    """The options of `tpmwire fetch`. `timeout` is in seconds."""

    profile: str | None
    path: str | None
    timeout: float


def add_fetch_options(parser: argparse.ArgumentParser) -> None:
    """Adds the server's PATH argument, and the options --profile and --timeout."""
    parser.add_argument(
        "--profile", type=filled, metavar="P", help="profile to fetch (default: the server's first profile)"
    )
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
