"""Reads ~/.aws/config and ~/.aws/credentials, and changes them without losing concurrent changes."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator

from sigv4.config import read_config_file

from ..terminal.files import remove_drafts, write_whole
from ..terminal.messages import UsageError
from .edit import get_setting

__all__ = ["check_writable", "edit_file", "read_setting", "read_text"]

_PATIENCE = 10.0  # seconds to wait for the lock, which other runs hold only while they write a small file
_PAUSE = 0.02  # seconds


def read_text(path: str) -> str:
    """Returns the text of a file, or "" if the file does not exist.

    Line ends and bytes that are not UTF-8 are preserved, so that `edit_file` writes them back unchanged. Raises
    UsageError if the path is not a regular file, RequestError if the file cannot be read or is larger than 1 MiB.
    """
    # Checked before the file is opened, since opening a named pipe would block.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a regular file; correct AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE")
    return read_config_file(path).decode(errors="surrogateescape")


def read_setting(path: str, section: str, name: str) -> str | None:
    """Returns the value of a setting in a file as botocore parses it, or None.

    Raises UsageError if the file is not valid, and the errors of `read_text`.
    """
    with _add_file_name(path):
        return get_setting(read_text(path), section, name)


@contextlib.contextmanager
def _add_file_name(path: str) -> Iterator[None]:
    """Context manager that adds the file's path to the message of a UsageError raised in its block."""
    try:
        yield
    except UsageError as error:
        if path in str(error):
            raise
        raise UsageError(f"{path}: {error}") from error


def check_writable(path: str) -> None:
    """Checks, before the TPM is opened, that the file is writable, and raises UsageError otherwise."""
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory) or not os.access(directory, os.W_OK | os.X_OK):
        what = "writable" if os.path.isdir(directory) else "a directory"
        raise UsageError(
            f"cannot write {path}: {directory} is not {what}; choose another path with AWS_CONFIG_FILE or "
            "AWS_SHARED_CREDENTIALS_FILE"
        )


def edit_file(path: str, edit: Callable[[str], str | None]) -> None:
    """Replaces the file's text with `edit(text)`; concurrent changes are not lost.

    The file is replaced atomically, and only its owner can read it afterwards. If `edit` returns None, the file is
    not changed. A symbolic link is preserved. Raises UsageError if the directory stays locked, OSError if writing
    fails, and the errors of `read_text` and `edit`.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with _directory_lock(directory):
        with _add_file_name(path):
            text = edit(read_text(path))
        if text is not None:
            write_whole(path, text.encode(errors="surrogateescape"), force=True)
        remove_drafts(path)


@contextlib.contextmanager
def _directory_lock(directory: str) -> Iterator[None]:
    """Context manager that locks the directory, so that runs do not overwrite each other's changes.

    The file itself cannot be locked, since each write replaces it. The kernel releases the lock if the process
    dies. Raises UsageError if the directory cannot be locked.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{directory} is still locked by another program after {_PATIENCE:g} seconds; wait "
                    "for that program, or stop it"
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # On a file system without locks the write is still atomic.
        return True
    return True
