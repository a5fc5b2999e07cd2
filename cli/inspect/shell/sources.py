"""Bytes in a command: from hex, text, standard input, or files, including those of tpm2-tools."""

import os
from typing import Any, Protocol

from tpmwire.errors import DecodeError, TpmwireError
from tpmwire.keys.bridges import parse_public
from tpmwire.keys.tools_files import MAGIC, CredentialFile
from tpmwire.record import Record
from tpmwire.spec.names import type_name

from ...terminal.files import read_input, write_whole
from ...terminal.messages import UsageError
from ...terminal.options import secret_file

__all__ = [
    "DiskFiles",
    "Files",
    "is_context",
    "parse_bytes",
    "parse_credential",
    "parse_password",
    "parse_structure",
    "remove_size",
]

WITH_SIZE = ("TPM2B_PRIVATE", "TPM2B_ENCRYPTED_SECRET", "TPM2B_ID_OBJECT", "TPM2B_PUBLIC", "TPM2B_NV_PUBLIC")
"""Types that tpm2-tools writes to files with their size field."""


class Files(Protocol):
    """Reads and writes the files that a script names. Raises UsageError or OSError if that fails."""

    def read(self, path: str) -> bytes:
        """Returns the content of a file; `-` is standard input."""

    def read_secret(self, path: str) -> bytes:
        """Returns a password: the content of a file without the line end."""

    def write(self, path: str, data: bytes) -> None:
        """Writes or replaces a file."""


class DiskFiles:
    """The files of the file system."""

    def read(self, path: str) -> bytes:
        """Returns the content of a file; `-` is standard input. Raises UsageError if it cannot be read."""
        return read_input(path)

    def read_secret(self, path: str) -> bytes:
        """Returns a password: the content of a file without the line end.

        Raises UsageError if the file cannot be read or is not suitable.
        """
        return secret_file(path)

    def write(self, path: str, data: bytes) -> None:
        """Writes or replaces a file, readable by its owner only. Raises UsageError or OSError if that fails."""
        write_whole(path, data, force=True, durable=False)


def parse_bytes(files: Files, text: str, where: str) -> bytes:
    """Returns the bytes that `text` states as hex, `text:WORDS` or @FILE. Raises UsageError for other text."""
    if text.startswith("@"):
        return files.read(text[1:])
    if text.startswith("text:"):
        return text.removeprefix("text:").encode()
    digits = text.removeprefix("hex:")
    if len(digits) % 2 == 0:
        digits = digits.removeprefix("0x")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        # The message omits the value, which may be a secret in the wrong place.
        raise UsageError(f"{where} is not hex; use text:WORDS for text, @FILE for a file") from None


def parse_password(files: Files, text: str, *, public: bool) -> bytes:
    """Returns the password that `text` states as @FILE, env:NAME, text:WORDS or hex.

    If other users can read the text (`public`), raises UsageError for words and hex, which they would see.
    """
    if text.startswith("@"):
        return files.read_secret(text[1:])
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if name not in os.environ:
            raise UsageError(f"the environment variable {name} of --auth-env is not set")
        return os.fsencode(os.environ[name])
    if public:
        raise UsageError("other users can see a password on the command line; give auth=@FILE or --auth-file FILE")
    return parse_bytes(files, text, "a password")


def remove_size(wire: Any, data: bytes) -> bytes:
    """Returns the content of a file of tpm2-tools without the size field that the type's files have."""
    if type_name(wire) in WITH_SIZE and len(data) >= 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
        return data[2:]
    return data


def parse_structure(kind: Any, data: bytes, where: str) -> Any:
    """Returns the structure of class `kind` in `data`, with or without a size field.

    A public area can also be PEM, DER, JWK or an SSH key. Raises UsageError if `data` is not valid.
    """
    sized = len(data) >= 2 and int.from_bytes(data[:2], "big") == len(data) - 2
    for candidate in (data[2:], data) if sized else (data,):
        try:
            return kind.parse(candidate)
        except DecodeError as error:
            problem: Exception = error
    if kind.__name__ == "TPMT_PUBLIC":
        try:
            return parse_public(data)
        except TpmwireError:
            pass
        raise UsageError(
            f"{where} is not a valid public area: {problem}; give a TPMT_PUBLIC, or a key in PEM, DER, JWK or SSH "
            "format"
        ) from None
    raise UsageError(f"{where} is not a valid {kind.__name__}: {problem}") from None


def is_context(data: bytes) -> bool:
    """Returns whether a file can be a context file of tpm2-tools."""
    return data[:4] == MAGIC


def parse_credential(data: bytes, where: str) -> tuple[bytes, bytes]:
    """Returns (credentialBlob, secret) of a file of tpm2_makecredential. Raises UsageError for another file."""
    try:
        if data[:4] != MAGIC:
            raise DecodeError("the magic number is missing", 0, len(data))
        file: Any = CredentialFile.parse(data)
    except DecodeError as error:
        raise UsageError(f"{where} is not a file of tpm2_makecredential: {error}") from None
    blob: Record = file.credential_blob
    return blob.build(), file.secret
