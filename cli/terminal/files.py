"""Reads files that the user names, with a size limit, and writes files atomically."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterable

from sigv4.files import open_input

from .messages import UsageError, note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpmwire.keys.keyfile import KeyFile

__all__ = [
    "check_outputs",
    "check_regular",
    "read_input",
    "read_key_file",
    "read_small",
    "read_stdin",
    "remove_drafts",
    "temporary_beside",
    "write_whole",
]

_LONGEST_WRITE = 60.0  # seconds
LIMIT = 1 << 20
"""Bytes; no key file, public area or certificate bundle is nearly as large."""


def read_small(path: str, limit: int = LIMIT) -> bytes:
    """Returns the content of a file of at most `limit` bytes.

    Raises UsageError if the file is larger or cannot be read.
    """
    try:
        with open_input(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise UsageError(f"{path} is larger than {limit} bytes; check the file name")
    return data


def read_input(path: str, limit: int = LIMIT) -> bytes:
    """Returns the content of a file, or of standard input for `-`, of at most `limit` bytes.

    Raises UsageError if the input is larger or cannot be read.
    """
    if path != "-":
        return read_small(path, limit)
    if sys.stdin is None:  # None if the parent process closed it
        raise UsageError("standard input is closed; redirect it from a file or program")
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"standard input is larger than {limit} bytes; check its source")
    return data


def read_key_file(path: str) -> KeyFile:
    """Reads a TSS2 PRIVATE KEY file, and prints a note of unknown fields.

    Raises UsageError if the file cannot be read, KeyFileError if it is not valid.
    """
    from tpmwire.errors import KeyFileError  # noqa: PLC0415 - other files need nothing of the TPM
    from tpmwire.keys.keyfile import parse  # noqa: PLC0415 - likewise

    try:
        file = parse(read_small(path))
    except KeyFileError as error:
        error.args = (f"{path}: {error}",)
        raise
    if file.unknown:
        note(f"tpmwire: note: {path} has fields of a later format ({', '.join(file.unknown)}), which are ignored")
    return file


def read_stdin(limit: int) -> str:
    """Reads up to `limit` bytes from standard input, as text. Raises UsageError if standard input is closed."""
    if sys.stdin is None:  # None if the parent process closed it
        raise UsageError("cannot read the request: standard input is closed; redirect it from a file or program")
    return sys.stdin.buffer.read(limit).decode("utf-8", "replace")


def temporary_beside(path: str) -> str:
    """Returns an unused path with an unpredictable name, in the directory of `path`."""
    return f"{path}.{os.urandom(8).hex()}.tmp"


def remove_drafts(path: str) -> None:
    """Removes temporary files that killed runs left beside `path`.

    The files may contain a secret that the user has removed.
    """
    directory, name = os.path.split(path)
    draft = re.compile(rf"{re.escape(name)}\.[0-9a-f]+\.tmp")
    with contextlib.suppress(OSError), os.scandir(directory or ".") as entries:
        for entry in filter(lambda entry: draft.fullmatch(entry.name), entries):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _LONGEST_WRITE:
                os.unlink(entry.path)


def check_regular(path: str) -> None:
    """Raises UsageError if a file that is not a regular file, such as /dev/null, exists at the path."""
    # As root, a rename would replace /dev/null or /dev/stdout.
    if not path or (os.path.exists(path) and (not os.path.isfile(path) or path.startswith("/dev/"))):
        raise UsageError(f"{path!r} is not a regular file; choose another path")


def check_outputs(paths: Iterable[str | None], *, force: bool) -> None:
    """Checks the output paths before anything is done, so that no result is lost because a path is not usable.

    Raises UsageError if two paths are the same, or if a file exists and `force` is false. Ignores absent paths.
    """
    given = [path for path in paths if path]
    if len({os.path.realpath(path) for path in given}) < len(given):
        raise UsageError("two output files have the same name; give each a different name")
    for path in given:
        check_regular(path)
        if not force and os.path.lexists(path):
            raise UsageError(f"{path} exists; --force replaces it")


def write_whole(path: str, data: bytes, *, force: bool = False, durable: bool = True) -> None:
    """Writes a file atomically, readable by its owner only.

    An existing file is replaced only with `force`. Without `durable`, a crash of the machine may still lose the
    new content. Raises UsageError if the file exists, OSError if writing fails.
    """
    check_regular(path)
    temporary = temporary_beside(path)
    try:
        # In the block that removes it: Ctrl-C can end the run as soon as the file exists.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if force:
            os.replace(temporary, path)
        else:
            try:
                os.link(temporary, path)  # fails if the path exists, unlike a rename
            except FileExistsError as error:
                raise UsageError(f"{path} exists; --force replaces it") from error
    except OSError as error:
        error.filename = path  # the file that the user knows
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
