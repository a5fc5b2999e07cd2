"""`--format credentials-file`: the credentials as a profile of ~/.aws/credentials, and all else left as it is."""

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from .aws_config import credentials_path, get_setting, has_section, remove_settings, section_of, set_settings
from .files import LIMIT, write_whole
from .messages import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sigv4.sts import Credentials

__all__ = ["check", "write"]

_PATIENCE = 10.0  # seconds; another run holds the lock for as long as it takes to write a small file
_PAUSE = 0.02  # seconds

_SETTINGS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_account_id": "account_id",
    # No SDK reads it; people do, and so do other tools that write here.
    "expiration": "expiration",
}


def check(args: "argparse.Namespace") -> None:
    """Finds out what would fail at the end before the TPM is asked. Raises UsageError."""
    if not args.credentials_profile:
        raise UsageError("--format credentials-file needs --credentials-profile, the profile to write")
    section_of(args.credentials_profile)  # a name that has no section
    path = _path()
    _check_section(args, _read(path))
    directory = _nearest(os.path.dirname(path))
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(f"{directory} is not writable, where {path} is to be: AWS_SHARED_CREDENTIALS_FILE")


def write(args: "argparse.Namespace", credentials: "Credentials") -> str:
    """Puts the credentials into the file, which is whole at any time, and returns its path.

    Runs at once take turns; the file is private to its owner afterwards. Raises UsageError, OSError.
    """
    path = _path()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    values = {name: getattr(credentials, field) or "" for name, field in _SETTINGS.items()}
    given = {name: value for name, value in values.items() if value}
    if not "".join(given.values()).isprintable():
        raise UsageError(
            "the credentials have characters that a file of settings cannot hold: --format export can"
        )
    with _alone(os.path.dirname(path)):
        text = _read(path)
        _check_section(args, text)
        text = set_settings(text, args.credentials_profile, given)
        # What an earlier run knew, and this one does not.
        text = remove_settings(text, args.credentials_profile, set(values) - set(given))
        write_whole(path, text.encode(errors="surrogateescape"), force=True)
    return path


def _path() -> str:
    """The file itself where its name is a symbolic link, which so stays one."""
    return os.path.realpath(credentials_path())


def _read(path: str) -> str:
    """The text, each octet of which survives: line ends of other systems, and comments that are no UTF-8."""
    try:
        # Before it is opened: a named pipe would wait for its other end.
        if os.path.exists(path) and not os.path.isfile(path):
            raise UsageError(f"{path} is no ordinary file: AWS_SHARED_CREDENTIALS_FILE names another")
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > LIMIT:
        raise UsageError(f"{path} is larger than {LIMIT} octets: it is no file of AWS's credentials")
    return data.decode(errors="surrogateescape")


def _check_section(args: "argparse.Namespace", text: str) -> None:
    """Raises UsageError where the profile has a key that does not expire, which nobody could bring back."""
    profile = args.credentials_profile
    if args.credentials_overwrite or not has_section(text, profile):
        return
    if any(get_setting(text, profile, name) for name in ("aws_access_key_id", "aws_secret_access_key")) and not (
        get_setting(text, profile, "aws_session_token")
    ):
        raise UsageError(
            f"the profile [{profile}] in {_path()} has a long-term key, which would be lost: take another name, "
            "or --credentials-overwrite"
        )


def _nearest(directory: str) -> str:
    """The directory, or the first one above it that is there."""
    while not os.path.isdir(directory) and os.path.dirname(directory) != directory:
        directory = os.path.dirname(directory)
    return directory


@contextlib.contextmanager
def _alone(directory: str) -> "Iterator[None]":
    """Holds the directory's lock, so that no run writes what another has just changed. Raises UsageError.

    The directory's, since the file is replaced with each write. The kernel lets go of it where we die.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{directory} has been locked by another program for {_PATIENCE:g} seconds: see why"
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
