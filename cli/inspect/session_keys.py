"""Parses the salts and authValues that the user gives for a recording's sessions."""

import re
from typing import NamedTuple

from tpmwire.secret import Secret

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import secret_file

__all__ = ["SessionKeys", "session_keys"]


class SessionKeys(NamedTuple):
    """The salts and authValues of recorded sessions, in the order of the options."""

    salts: "list[Secret]"
    auths: "list[Secret]"


def session_keys(salts: list[str], salt_files: list[str], auths: list[str], auth_files: list[str]) -> SessionKeys:
    """Parses the values of --salt, --salt-file, --auth and --auth-file. Raises UsageError for an invalid value."""
    known = [_hex(text, "--salt") for text in salts]
    known += [_salt_in(path) for path in salt_files]
    passwords = [_auth(text) for text in auths]
    passwords += [secret_file(path) for path in auth_files]
    return SessionKeys([Secret(salt) for salt in known], [Secret(auth) for auth in passwords])


def _auth(text: str) -> bytes:
    return text.removeprefix("text:").encode() if text.startswith("text:") else _hex(text, "--auth")


def _hex(text: str, option: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        # The message omits the value, which is a secret.
        words = ", or text:WORD" if option == "--auth" else ""
        raise UsageError(f"{option}: expected hex{words}") from None


def _salt_in(path: str) -> bytes:
    """Reads a salt from a file, in hex or binary."""
    data = read_small(path)
    text = re.sub(rb"\s", b"", data)
    return bytes.fromhex(text.decode()) if re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", text) else data
