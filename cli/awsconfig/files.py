"""~/.aws/config and ~/.aws/credentials: read as they are, and changed so that no run loses another's change."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator

from sigv4.config import read_config_file

from ..terminal.files import remove_drafts, write_whole
from ..terminal.messages import UsageError
from .edit import get_setting

__all__ = ["change", "check_writable", "read", "read_setting"]

_PATIENCE = 10.0  # seconds; another run holds the lock for as long as it takes to write a small file
_PAUSE = 0.02  # seconds


def read(path: str) -> str:
    """The text; empty where there is no file. Raises UsageError.

    Each octet of it survives a `change`: line ends of other systems, and comments that are no UTF-8.
    """
    # Before it is opened: a named pipe would wait for its other end.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a regular file; correct AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE")
    return read_config_file(path).decode(errors="surrogateescape")


def read_setting(path: str, section: str, name: str) -> str | None:
    """The value of a setting as AWS's programs read it; None where there is none. Raises UsageError."""
    with _named(path):
        return get_setting(read(path), section, name)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Names the file in an error about its content."""
    try:
        yield
    except UsageError as error:
        if path in str(error):
            raise
        raise UsageError(f"{path}: {error}") from error


def check_writable(path: str) -> None:
    """Finds out what would fail at the end before the TPM is asked. Raises UsageError."""
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


def change(path: str, edit: Callable[[str], str | None]) -> None:
    """Gives the file the text that `edit` makes of its text; nobody else's change goes lost in between.

    The file is whole at any time, and private to its owner afterwards; where `edit` gives None, it is left alone.
    A symbolic link stays one. Raises UsageError, OSError, and what `edit` raises.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with _alone(directory):
        with _named(path):
            text = edit(read(path))
        if text is not None:
            write_whole(path, text.encode(errors="surrogateescape"), force=True)
        remove_drafts(path)


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Holds the directory's lock, so that no run writes what another has just changed. Raises UsageError.

    The directory's, since the file is replaced with each write. The kernel lets go of it where we die.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{directory} is still locked by another program after {_PATIENCE:g} seconds; wait "
                    "for that program or end it"
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks: the file is whole all the same.
        return True
    return True
