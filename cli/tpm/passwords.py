"""Passwords of keys and hierarchies: options that verbs share. Best from a file, a prompt or a variable."""

import argparse
import os

from tpmwire.secret import Secret

from ..terminal.messages import UsageError, warn
from ..terminal.options import auth_from, filled
from ..terminal.prompts import ask_secret

__all__ = [
    "KeySettings",
    "OwnerSettings",
    "ParentSettings",
    "add_auth_options",
    "key_auth",
    "new_key_auth",
    "owner_auth",
    "parent_auth",
]

VARIABLES = {"key": "TPM_KEY_AUTH", "parent": "TPM_PARENT_AUTH", "owner": "TPM_OWNER_AUTH"}
"""Environment variables by the option's first word."""


class OwnerSettings:
    """The options of `add_auth_options(parser, "owner", ...)`."""

    owner_auth: str | None
    owner_auth_file: str | None
    owner_auth_prompt: bool


class ParentSettings:
    """The options of `add_auth_options(parser, "parent", ...)`."""

    parent_auth: str | None
    parent_auth_file: str | None
    parent_auth_prompt: bool


class KeySettings:
    """The options of `add_auth_options(parser, "key", ...)`."""

    key_auth: str | None
    key_auth_file: str | None
    key_auth_prompt: bool


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


def owner_auth(args: OwnerSettings) -> Secret:
    """Returns the owner's password: from the options, else TPM_OWNER_AUTH, else empty. Raises UsageError."""
    if args.owner_auth_prompt:
        return _asked("password of the owner")
    return auth_from(args.owner_auth, args.owner_auth_file, VARIABLES["owner"])


def parent_auth(args: ParentSettings) -> Secret:
    """Returns the parent's password: from the options, else TPM_PARENT_AUTH, else empty. Raises UsageError."""
    if args.parent_auth_prompt:
        return _asked("password of the parent")
    return auth_from(args.parent_auth, args.parent_auth_file, VARIABLES["parent"])


def key_auth(args: KeySettings) -> Secret:
    """Returns a key's password: from the options, else TPM_KEY_AUTH, else empty. Raises UsageError."""
    if args.key_auth_prompt:
        return _asked("password of the key")
    return auth_from(args.key_auth, args.key_auth_file, VARIABLES["key"])


def new_key_auth(args: KeySettings) -> Secret:
    """The password for a new key, asked for twice. Raises UsageError also for one that no TPM takes."""
    auth = key_auth(args)
    if not auth and VARIABLES["key"] in os.environ:
        warn(f"{VARIABLES['key']} is set and empty: the key gets no password")
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
