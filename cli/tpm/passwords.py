"""Passwords of keys and hierarchies: options that verbs share. Best from a file, a prompt or a variable."""

import argparse
import os

from tpmwire.secret import Secret

from ..terminal.messages import UsageError, note
from ..terminal.options import auth_from, filled
from ..terminal.prompts import ask_secret

__all__ = ["add_auth_options", "auth_of", "key_auth_of"]

VARIABLES = {"key": "TPM_KEY_AUTH", "parent": "TPM_PARENT_AUTH", "owner": "TPM_OWNER_AUTH"}
"""Environment variables by the option's first word."""


def add_auth_options(parser: "argparse.ArgumentParser", whose: str, what: str) -> None:
    """--WHOSE-auth-file, --WHOSE-auth-prompt and --WHOSE-auth, of which one may be given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        f"--{whose}-auth-file", type=filled, metavar="FILE", help=f"file with {what} (or {VARIABLES[whose]})"
    )
    group.add_argument(f"--{whose}-auth-prompt", action="store_true", help="ask for it on the terminal")
    group.add_argument(
        f"--{whose}-auth", type=filled, metavar="PASSWORD", help="the password itself, which other users can see"
    )


def auth_of(args: "argparse.Namespace", whose: str) -> "Secret":
    """The password that the options give, else the variable's, else the empty one. Raises UsageError."""
    given = vars(args)
    if given[f"{whose}_auth_prompt"]:
        return _asked(f"password of the {whose}")
    return auth_from(given[f"{whose}_auth"], given[f"{whose}_auth_file"], VARIABLES[whose])


def key_auth_of(args: "argparse.Namespace") -> "Secret":
    """The password for a new key, asked for twice. Raises UsageError also for one that no TPM takes."""
    auth = auth_of(args, "key")
    if not auth and VARIABLES["key"] in os.environ:
        note(f"warning: {VARIABLES['key']} is set and empty: the key gets no password")
    if args.key_auth_prompt and _asked("the same again") != auth:
        raise UsageError("the two passwords differ; nothing was done")
    # An authValue is at most as long as the digest of the key's nameAlg, SHA-256 (Part 1, §19.6.4.3).
    if len(auth.reveal()) > 32:
        raise UsageError("the key's password has more than the 32 octets that a TPM takes")
    if auth.reveal().endswith(b"\0"):
        raise UsageError("the key's password ends in zero octets, which a TPM takes away: choose another")
    return auth


def _asked(what: str) -> "Secret":
    found = ask_secret(what, "give it in a file")
    if not found:
        raise UsageError(f"the {what} is empty; nothing was done")
    return Secret(found)
