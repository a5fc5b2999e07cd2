"""The AWS secret access key, from where the user has it, as an HMAC key: "AWS4" in front, never in argv."""

import os
import sys
from typing import TYPE_CHECKING

from .messages import UsageError, note

if TYPE_CHECKING:
    import argparse

    from tpmwire.secret import Secret

__all__ = ["add_secret_options", "key_id_of", "key_octets", "read_key"]

PREFIX = b"AWS4"
USUAL = 40
"""Characters of a secret access key."""

LONGEST = 124
"""Characters that TPMs take as an HMAC key beside the prefix: they hold at most 128 octets of sensitive data."""


def add_secret_options(parser: "argparse._ActionsContainer") -> None:
    """--from-profile; without it the secret comes from standard input."""
    parser.add_argument(
        "--from-profile",
        metavar="NAME",
        help="take the secret from this profile of ~/.aws/credentials (default: standard input, or a prompt)",
    )


def read_key(args: "argparse.Namespace") -> "Secret":
    """The HMAC key of the secret that the options name. Raises UsageError."""
    if args.from_profile:
        return key_octets(_of_profile(args.from_profile))
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no standard input to read the secret from; --from-profile takes a profile's")
    if sys.stdin.isatty():
        from .prompts import ask_secret

        return key_octets(ask_secret("AWS secret access key", "give it on standard input, or --from-profile"))
    return key_octets(sys.stdin.buffer.read(4096))


def key_octets(secret: bytes) -> "Secret":
    """ "AWS4" and the secret. A secret that has the prefix already is taken as it is. Raises UsageError."""
    from tpmwire.secret import Secret

    secret = secret.removesuffix(b"\n").removesuffix(b"\r")
    if secret.startswith(PREFIX + PREFIX):
        raise UsageError("the secret begins with AWS4 twice: give it without, the prefix is added here")
    if secret.startswith(PREFIX) and len(secret) != USUAL:
        note("the secret begins with AWS4 already: taken as it is")
        secret = secret.removeprefix(PREFIX)
    if not secret:
        raise UsageError("there is no secret: give it on standard input, without a line before it")
    if not secret.isascii() or any(octet <= 0x20 or octet == 0x7F for octet in secret):
        raise UsageError("the secret has blanks, line breaks or other characters that no AWS secret has")
    if len(secret) > LONGEST:
        raise UsageError(f"the secret has {len(secret)} characters; an AWS secret access key has {USUAL}")
    if len(secret) != USUAL:
        note(f"warning: the secret has {len(secret)} characters; an AWS secret access key usually has {USUAL}")
    return Secret(PREFIX + secret)


def key_id_of(profile: str) -> str:
    """The access key id beside a profile's secret. Raises UsageError."""
    return _setting(profile, "aws_access_key_id")


def _of_profile(name: str) -> bytes:
    return _setting(name, "aws_secret_access_key").encode()


def _setting(profile: str, setting: str) -> str:
    import configparser

    path = os.path.expanduser(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError):
        # The parser's own message quotes the line, which may be the secret's. So does its traceback.
        raise UsageError(f"{path} cannot be read as AWS's credentials file") from None
    value: str = parser.get(profile, setting, fallback="")
    if not value:
        raise UsageError(f"{path} has no {setting} in a profile [{profile}]")
    return value
