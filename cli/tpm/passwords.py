"""Passwords of keys and hierarchies, from a file, a prompt, an environment variable or the command line."""

import os

from tpmwire.secret import Secret

from ..terminal.messages import UsageError, warn
from ..terminal.options import auth_from
from ..terminal.prompts import ask_secret
from .options import VARIABLES, EndorsementSettings, KeySettings, OwnerSettings, ParentSettings

__all__ = ["endorsement_auth", "key_auth", "new_key_auth", "owner_auth", "parent_auth"]


def owner_auth(args: OwnerSettings) -> Secret:
    """Returns the owner's password, from the options or TPM_OWNER_AUTH; empty by default.

    Raises UsageError if the password cannot be read.
    """
    if args.owner_auth_prompt:
        return _ask("password of the owner")
    return auth_from(args.owner_auth, args.owner_auth_file, VARIABLES["owner"])


def endorsement_auth(args: EndorsementSettings) -> Secret:
    """Returns the endorsement hierarchy's password, from the options or TPM_ENDORSEMENT_AUTH.

    The default is empty. Raises UsageError if the password cannot be read.
    """
    if args.endorsement_auth_prompt:
        return _ask("password of the endorsement hierarchy")
    return auth_from(args.endorsement_auth, args.endorsement_auth_file, VARIABLES["endorsement"])


def parent_auth(args: ParentSettings) -> Secret:
    """Returns the parent's password, from the options or TPM_PARENT_AUTH; empty by default.

    Raises UsageError if the password cannot be read.
    """
    if args.parent_auth_prompt:
        return _ask("password of the parent")
    return auth_from(args.parent_auth, args.parent_auth_file, VARIABLES["parent"])


def key_auth(args: KeySettings) -> Secret:
    """Returns a key's password, from the options or TPM_KEY_AUTH; empty by default.

    Raises UsageError if the password cannot be read.
    """
    if args.key_auth_prompt:
        return _ask("password of the key")
    return auth_from(args.key_auth, args.key_auth_file, VARIABLES["key"])


def new_key_auth(args: KeySettings) -> Secret:
    """Returns the password for a new key; a prompt asks for the password twice.

    Raises UsageError if the two inputs differ, the password cannot be read, or no TPM accepts it.
    """
    auth = key_auth(args)
    if not auth and VARIABLES["key"] in os.environ:
        warn(f"{VARIABLES['key']} is set but empty; the key gets no password")
    if args.key_auth_prompt and _ask("password of the key, again") != auth:
        raise UsageError("the two passwords differ; nothing was done")
    # An authValue is at most as long as the digest of the key's nameAlg, SHA-256 (Part 1, §19.6.4.3).
    if len(auth.reveal()) > 32:
        raise UsageError("the key's password is longer than 32 bytes, the maximum for a key; choose a shorter one")
    if auth.reveal().endswith(b"\0"):
        raise UsageError("the key's password ends in zero bytes, which a TPM removes; choose a different password")
    return auth


def _ask(what: str) -> Secret:
    found = ask_secret(what, "give it in a file")
    if not found:
        raise UsageError(f"the {what} is empty; nothing was done")
    return Secret(found)
