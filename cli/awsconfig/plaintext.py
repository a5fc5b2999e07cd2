"""Finds a profile's plaintext secret key in ~/.aws/config and ~/.aws/credentials, and removes it."""

import os
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sigv4.config import load_config

from ..terminal.messages import UsageError, note, warn
from .edit import config_path, credentials_path, get_setting, profile_of, remove_settings, section_of, sections
from .files import edit_file, read_setting, read_text

__all__ = [
    "Plaintext",
    "check_removable",
    "find_plaintext",
    "find_plaintext_keys",
    "remove_plaintext",
    "sections_with",
]

_SETTINGS = ("aws_access_key_id", "aws_secret_access_key")


class Plaintext(NamedTuple):
    """A static key: its file, id, secret and session token. The repr hides the secret."""

    path: str
    key_id: str
    secret: str
    token: str | None

    def __repr__(self) -> str:
        return f"<Plaintext {self.key_id} in {self.path}>"


def _places(profile: str) -> "Iterator[tuple[str, str]]":
    """Yields (file, section) for the places of the profile's key, in the order in which SDKs search."""
    yield os.path.realpath(credentials_path()), profile
    yield os.path.realpath(config_path()), section_of(profile)


def find_plaintext(profile: str) -> Plaintext | None:
    """Returns the profile's plaintext key, or None. Raises UsageError if only the id or only the secret is set."""
    for path, section in _places(profile):
        key_id, secret = (read_setting(path, section, name) for name in _SETTINGS)
        if key_id and secret:
            return Plaintext(path, key_id, secret, read_setting(path, section, "aws_session_token"))
        if key_id or secret:
            missing, present = _SETTINGS if secret else reversed(_SETTINGS)
            raise UsageError(
                f"[{section}] in {path} has {present} but not {missing}; add {missing}, or remove {present}"
            )
    return None


def find_plaintext_keys() -> dict[str, Plaintext]:
    """Returns a mapping from profile to long-term plaintext key; prints a note about each unusable key."""
    found = {}
    for name in load_config(os.environ):
        try:
            key = find_plaintext(name)
        except UsageError as error:
            note(f"profile {name}: {error}")
            continue
        if key is not None and key.token is None:
            found[name] = key
    return found


def check_removable(profile: str) -> None:
    """Raises UsageError if the key's lines cannot be removed, for example if they are in [DEFAULT]."""
    for path, section in _places(profile):
        if read_setting(path, section, _SETTINGS[1]) is not None:
            remove_settings(read_text(path), section, _SETTINGS)


def remove_plaintext(profile: str, key: Plaintext) -> None:
    """Removes the key's lines from both files, and checks that AWS's programs no longer find a key.

    Warns of other copies of the secret. Raises UsageError if a file cannot be changed.
    """
    for path, section in _places(profile):
        if not os.path.exists(path):
            continue
        removed: list[str] = []
        edit_file(path, partial(_remove_key_lines, section, key.secret, removed))
        for gone in removed:
            note(f"removed the plaintext key of [{gone}] from {path}")
        if key.secret in read_text(path):
            warn(f"{path} contains the same secret elsewhere; remove it by hand")
    if (left := find_plaintext(profile)) is not None:
        raise UsageError(
            f"{left.path} still has the key {left.key_id} in the profile {profile}, which AWS programs "
            "use before its credential_process; remove it by hand"
        )


def _remove_key_lines(section: str, secret: str, removed: list[str], text: str) -> str | None:
    """Returns the text without the section's key, and appends the section to `removed`.

    Returns None if the section's secret differs from `secret`.
    """
    if get_setting(text, section, "aws_secret_access_key") != secret:
        return None
    removed.append(section)
    return remove_settings(text, section, _SETTINGS)


def sections_with(key_id: str) -> "Iterator[tuple[str, str, str | None]]":
    """Yields (file, section, profile or None) for each section of ~/.aws files with the access key id `key_id`."""
    for path, in_config in ((credentials_path(), False), (config_path(), True)):
        for section in sections(read_text(path)):
            if read_setting(path, section, _SETTINGS[0]) == key_id:
                yield path, section, profile_of(section) if in_config else section
