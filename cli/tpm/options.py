"""Defines the options for the passwords of a key, its parent and the owner."""

import argparse

from ..terminal.options import filled

__all__ = [
    "VARIABLES",
    "EndorsementSettings",
    "KeySettings",
    "OwnerSettings",
    "ParentSettings",
    "add_auth_file_options",
    "add_auth_options",
]

VARIABLES = {
    "key": "TPM_KEY_AUTH",
    "parent": "TPM_PARENT_AUTH",
    "owner": "TPM_OWNER_AUTH",
    "endorsement": "TPM_ENDORSEMENT_AUTH",
}
"""Environment variables by the first word of the option."""


class OwnerSettings:
    """The values of the options that `add_auth_options(parser, "owner", ...)` adds."""

    owner_auth: str | None
    owner_auth_file: str | None
    owner_auth_prompt: bool


class ParentSettings:
    """The values of the options that `add_auth_options(parser, "parent", ...)` adds."""

    parent_auth: str | None
    parent_auth_file: str | None
    parent_auth_prompt: bool


class KeySettings:
    """The values of the options that `add_auth_options(parser, "key", ...)` adds."""

    key_auth: str | None
    key_auth_file: str | None
    key_auth_prompt: bool


class EndorsementSettings:
    """The values of the options that `add_auth_options(parser, "endorsement", ...)` adds."""

    endorsement_auth: str | None
    endorsement_auth_file: str | None
    endorsement_auth_prompt: bool


def add_auth_options(parser: "argparse.ArgumentParser", whose: str, what: str) -> None:
    """Adds --WHOSE-auth-file, --WHOSE-auth-prompt and --WHOSE-auth, which cannot be combined.

    `whose` is "key", "parent", "owner" or "endorsement". `what` describes the password in the help texts.
    """
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        f"--{whose}-auth-file",
        type=filled,
        metavar="FILE",
        help=f"file with {what} (env: {VARIABLES[whose]} contains the password)",
    )
    group.add_argument(f"--{whose}-auth-prompt", action="store_true", help=f"ask on the terminal for {what}")
    group.add_argument(
        f"--{whose}-auth",
        type=filled,
        metavar="PASSWORD",
        help=f"{what}, visible to other users in the process list",
    )


def add_auth_file_options(parser: "argparse.ArgumentParser") -> None:
    """Adds --key-auth-file and --parent-auth-file, for the passwords of a key file's key and of its parent."""
    parser.add_argument(
        "--key-auth-file",
        metavar="FILE",
        help="file with the key's password (env: TPM_KEY_AUTH contains the password)",
    )
    parser.add_argument(
        "--parent-auth-file",
        metavar="FILE",
        help="file with the password of the key's parent, or of the parent's hierarchy (env: TPM_PARENT_AUTH "
        "contains the password)",
    )
