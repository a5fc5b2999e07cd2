"""A token's key: its secret from where the user has it, its place in the TPM, and AWS's code of now."""

import sys
from typing import TYPE_CHECKING

from ..terminal.messages import UsageError
from ..terminal.options import Untyped, persistent_handle

if TYPE_CHECKING:
    from tpmwire.use.hmac import HmacKey

    from .totp import Token

__all__ = ["aws_code", "key_at", "place", "read_token"]


def place(text: str) -> int | str:
    """A persistent handle, or the path of a key file. Raises ArgumentTypeError."""
    return persistent_handle(text) if text[:2].lower() == "0x" else text


def read_token(path: str | None) -> "Token":
    """The token whose secret is in the file, on standard input, or typed at a prompt. Raises UsageError."""
    from ..terminal.options import secret_file
    from .totp import parse_token

    if path:
        return parse_token(secret_file(path))
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no standard input to read the secret from; --secret-file takes a file's")
    if sys.stdin.isatty():
        from ..terminal.prompts import ask_secret

        return parse_token(ask_secret("token's base32 secret or otpauth:// URI", "--secret-file takes a file's"))
    return parse_token(sys.stdin.buffer.read(4096))


def key_at(where: int | str) -> "HmacKey":
    """The token's key, without password. Raises UsageError, KeyFileError."""
    from tpmwire.use.hmac import HmacKey

    if isinstance(where, int):
        return HmacKey(handle=where)
    from ..terminal.files import read_key_file

    return HmacKey(file=read_key_file(where))


def aws_code(args: Untyped) -> str:
    """The code of now for a run's --mfa-totp: one HMAC, and the TPM given back.

    The key is asked as the run's own key is: same session encryption, same salt key, same passwords where the
    key's file says that it has one. Raises UsageError, KeyFileError; what `HmacKey.hmac` does.
    """
    import time

    from ..terminal.options import auth_from
    from .key import ask_tpm
    from .totp import code_of, step_at

    key = key_at(place_of(args))
    if key.file is not None:
        if not key.file.empty_auth:
            key.auth = auth_from(args.keyPass, args.keyPass_file, "TPM_KEY_AUTH")
        key.parent_auth = auth_from(args.parentPass, args.parentPass_file, "TPM_PARENT_AUTH")
    key.protected = not args.no_session_encryption
    if args.tpm_session_encrypt_with_name or args.tpm_session_encrypt_with_public:
        from ..tpm.pins import pin_from

        key.pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    from tpmwire.errors import TpmError

    try:
        mac = ask_tpm(args, key, step_at(time.time()))
    except TpmError as error:
        # Of the two keys of the run, the other one is thought of first.
        error.add_note("this is about the key of --mfa-totp")
        raise
    if len(mac) != 20:
        raise UsageError("--mfa-totp: AWS's codes are of SHA-1, which this key is not for: is it the token's?")
    return code_of(mac)


def place_of(args: Untyped) -> int | str:
    """Where the key of --mfa-totp is. Raises UsageError."""
    import argparse

    try:
        return place(args.mfa_totp)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--mfa-totp: {error}") from None
