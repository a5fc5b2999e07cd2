"""Writes credentials as a profile of ~/.aws/credentials (`--format credentials-file`); keeps all other text."""

import os

from sigv4.sts import Credentials

from ..terminal.messages import UsageError
from .edit import credentials_path, get_setting, has_section, remove_settings, section_of, set_settings
from .files import check_writable, edit_file, read_text

__all__ = ["check", "write_credentials"]

_SETTINGS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_account_id": "account_id",
    # SDKs ignore this setting; users and other tools read it.
    "expiration": "expiration",
}


def check(profile: str, *, overwrite: bool) -> None:
    """Checks that the profile can be written to the credentials file.

    Called before the TPM is opened. Raises UsageError for an invalid profile name, if the file is not writable, or
    if a long-term key would be lost and `overwrite` is False.
    """
    section_of(profile)  # rejects a name that cannot be a section's
    path = _path()
    _check_section(profile, read_text(path), overwrite=overwrite)
    check_writable(path)


def write_credentials(profile: str, credentials: "Credentials", *, overwrite: bool) -> str:
    """Writes the credentials as a profile of the credentials file, atomically, and returns the file's path.

    `overwrite` allows replacing a long-term key. A lock makes concurrent runs take turns. Only the owner can read
    the new file. Raises UsageError if a long-term key would be lost or a value cannot be stored, OSError if
    writing fails.
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
        # An earlier run may have written settings that these credentials lack, such as a session token.
        return remove_settings(text, profile, set(values) - set(given))

    edit_file(path, edited)
    return path


def _path() -> str:
    """Returns the path of the credentials file. Symbolic links are resolved, so that they are not replaced."""
    return os.path.realpath(credentials_path())


def _check_section(profile: str, text: str, *, overwrite: bool) -> None:
    """Raises UsageError if writing the profile would replace a long-term key and `overwrite` is False."""
    if overwrite or not has_section(text, profile):
        return
    if any(get_setting(text, profile, name) for name in ("aws_access_key_id", "aws_secret_access_key")) and not (
        get_setting(text, profile, "aws_session_token")
    ):
        raise UsageError(
            f"the profile [{profile}] in {_path()} has a long-term key, which would be lost; choose "
            "another profile, or give --credentials-overwrite"
        )
