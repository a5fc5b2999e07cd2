"""Prints the credentials of a running `tpmwire serve --process`, as a credential_process.

  credential_process = tpmwire fetch
  credential_process = tpmwire fetch --profile backup

It takes a fraction of the time of a run that uses the TPM. The server must belong to the same user or to root. If
the server has no credentials, fetch prints the server's error and ends with its exit code. docs/serve.md has user
units for systemd, which start the server at the first request.
"""

import argparse

from ..serving.client import default_socket, fetch_and_print
from ..serving.options import FetchSettings, add_fetch_options

__all__ = ["Settings", "configure", "run"]


class Settings(FetchSettings):
    """The verb's options."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_fetch_options(parser)


def run(args: Settings) -> int:
    """Prints the credentials from the server's socket, and returns the exit code."""
    path = default_socket() if args.path is None else args.path
    return fetch_and_print(path, args.timeout, args.profile)
