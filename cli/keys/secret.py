"""Reads the AWS secret access key, never from argv, and returns it as an HMAC key with the prefix "AWS4"."""

import os
import re
import sys

from tpmwire.secret import Secret

from ..awsconfig.edit import credentials_path
from ..awsconfig.plaintext import Plaintext, find_plaintext
from ..terminal.messages import UsageError, note, warn
from ..terminal.prompts import ask_secret

__all__ = ["check_key_id", "hmac_key_of", "key_id_of", "parse_secret", "read_key"]

PREFIX = b"AWS4"
USUAL = 40
"""Length of a secret access key in characters."""

LONGEST = 124
"""Maximum length in characters, beside the prefix: TPMs hold at most 128 bytes of sensitive data."""


def read_key(profile: str | None, *, force: bool) -> Secret:
    """Returns the HMAC key from a profile's secret or, without a profile, from standard input or a prompt.

    Raises UsageError if the profile or standard input contains no secret, and the errors of `parse_secret`.
    """
    return parse_secret(_read_secret(profile), force=force)


def parse_secret(secret: bytes, *, force: bool) -> "Secret":
    """Returns the HMAC key for a secret access key: "AWS4" and the secret.

    Raises UsageError for a secret that AWS would not issue; with `force`, warns instead.
    """
    key = hmac_key_of(secret)
    if problem := _find_problem(key.reveal().removeprefix(PREFIX).decode("ascii")):
        if not force:
            raise UsageError(f"{problem}; --force accepts it anyway, for services that are not AWS")
        warn(problem)
    return key


def _read_secret(profile: str | None) -> bytes:
    if profile:
        return _read_plaintext(profile).secret.encode(errors="surrogateescape")
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("standard input is closed; redirect it, or use --from-profile")
    if sys.stdin.isatty():
        return ask_secret("AWS secret access key", "give it on standard input, or use --from-profile")
    return sys.stdin.buffer.read(4096)


def _find_problem(secret: str) -> str | None:
    """Returns why AWS would not issue this secret access key, or None. The text does not quote the secret."""
    if re.fullmatch(r"A[A-Z]{3}[A-Z2-7]{12,28}", secret):
        return "this is an access key id, not its secret access key; give the secret"
    if secret[0] in "\"'" or secret[-1] in "\"'":
        return "the secret is in quotes; remove them"
    if len(secret) != USUAL:
        return f"the secret has {len(secret)} characters; an AWS secret access key has {USUAL}"
    if not re.fullmatch(r"[A-Za-z0-9/+=]+", secret):
        return "the secret contains characters that an AWS secret access key cannot have"
    return None


def check_key_id(key_id: str, *, force: bool) -> None:
    """Raises UsageError if `key_id` is evidently not the id of a long-term key; with `force`, warns instead.

    The message does not quote `key_id`, which may be the secret.
    """
    if key_id.startswith("ASIA"):
        problem = "the access key id belongs to temporary credentials; use the id of a long-term key"
    elif len(key_id) == USUAL and not key_id.isupper():
        problem = "the access key id looks like a secret access key: they may be swapped"
    elif not re.fullmatch("[A-Za-z0-9_]+", key_id):
        problem = "the access key id is not valid: expected letters, digits or _, such as AKIA..."
    else:
        return
    if not force:
        raise UsageError(f"{problem}; --force accepts it anyway")
    warn(problem)


def hmac_key_of(secret: bytes) -> "Secret":
    """Returns the HMAC key: "AWS4" and the secret, which may already have the prefix.

    Raises UsageError for an invalid secret.
    """
    secret = secret.removesuffix(b"\n").removesuffix(b"\r")
    if secret.startswith(PREFIX + PREFIX):
        raise UsageError("the secret begins with AWS4 twice; give the secret without the prefix")
    if secret.startswith(PREFIX) and len(secret) != USUAL:
        note("the secret already begins with AWS4; using it unchanged")
        secret = secret.removeprefix(PREFIX)
    if not secret:
        raise UsageError(
            "the secret is empty; give it on the first line of standard input (< FILE), or use --from-profile NAME"
        )
    if not secret.isascii() or any(octet <= 0x20 or octet == 0x7F for octet in secret):
        raise UsageError(
            "the secret contains spaces, line breaks or characters that an AWS secret cannot have; copy it again"
        )
    if len(secret) > LONGEST:
        raise UsageError(f"the secret has {len(secret)} characters; an AWS secret access key has {USUAL}")
    return Secret(PREFIX + secret)


def key_id_of(profile: str) -> str:
    """Returns the access key id of a profile's plaintext key. Raises UsageError if the profile has none."""
    return _read_plaintext(profile).key_id


def _read_plaintext(profile: str) -> Plaintext:
    found = find_plaintext(profile)
    if found is None:
        if not os.path.exists(credentials_path()):
            raise UsageError(f"{credentials_path()}: No such file or directory; set AWS_SHARED_CREDENTIALS_FILE")
        raise UsageError(
            f"{credentials_path()} has no aws_access_key_id in the profile [{profile}]; choose another profile"
        )
    return found
