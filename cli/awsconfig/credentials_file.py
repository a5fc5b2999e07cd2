"""`--format credentials-file`: the credentials as a profile of ~/.aws/credentials, and all else left as it is."""

import os

from sigv4.sts import Credentials

from ..terminal.messages import UsageError
from .edit import credentials_path, get_setting, has_section, remove_settings, section_of, set_settings
from .files import change, check_writable, read

__all__ = ["check", "write"]

_SETTINGS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_account_id": "account_id",
    # No SDK reads it; people do, and so do other tools that write here.
    "expiration": "expiration",
}


def check(profile: str, *, overwrite: bool) -> None:
    """Finds out what would fail at the end before the TPM is asked. Raises UsageError."""
    section_of(profile)  # a name that has no section
    path = _path()
    _check_section(profile, read(path), overwrite=overwrite)
    check_writable(path)


def write(profile: str, credentials: "Credentials", *, overwrite: bool) -> str:
    """Puts the credentials into the file, which is whole at any time, and returns its path.

    `overwrite` lets it replace a long-term key. Runs at once take turns; the file is private to its owner
    afterwards. Raises UsageError, OSError.
    """
    path = _path()
    values = {name: getattr(credentials, field) or "" for name, field in _SETTINGS.items()}
    given = {name: value for name, value in values.items() if value}
    if not "".join(given.values()).isprintable():
        raise UsageError(
            "the credentials contain characters that an AWS credentials file cannot hold; use --format export"
        )

    def edited(text: str) -> str:
        _check_section(profile, text, overwrite=overwrite)
        text = set_settings(text, profile, given)
        # What an earlier run knew, and this one does not.
        return remove_settings(text, profile, set(values) - set(given))

    change(path, edited)
    return path


def _path() -> str:
    """The file itself where its name is a symbolic link, which so stays one."""
    return os.path.realpath(credentials_path())


def _check_section(profile: str, text: str, *, overwrite: bool) -> None:
    """Raises UsageError where the profile has a key that does not expire, which nobody could bring back."""
    if overwrite or not has_section(text, profile):
        return
    if any(get_setting(text, profile, name) for name in ("aws_access_key_id", "aws_secret_access_key")) and not (
        get_setting(text, profile, "aws_session_token")
    ):
        raise UsageError(
            f"the profile [{profile}] in {_path()} has a long-term key, which would be lost; choose "
            "another profile, or give --credentials-overwrite"
        )
