"""Switches profiles of ~/.aws/config to the new key of a rotation."""

import os
from collections.abc import Callable

from ..awsconfig.edit import config_path, get_setting, profile_of, sections, set_settings
from ..awsconfig.files import edit_file
from ..credentials.settings import PROGRAM
from ..terminal.messages import UsageError
from .profile_command import ProfileCommand

__all__ = ["switch_profiles"]


def switch_profiles(
    old_id: str, rewrite: Callable[[ProfileCommand], str], profile: str | None = None
) -> list[str]:
    """Rewrites all profiles of ~/.aws/config that use access key `old_id`, in one write; returns their sections.

    `rewrite` returns the new credential_process line for an old one. `profile` is the rotated profile: only its
    ProfileCommand has a profile name, so only its line gets the profile's endpoint settings.
    """
    path = os.path.realpath(config_path())
    switched: list[str] = []

    def edited(text: str) -> str | None:
        text, sections = _switch_sections(text, path, old_id, rewrite, profile)
        switched.extend(sections)
        return text if sections else None

    edit_file(path, edited)
    return switched


def _switch_sections(
    text: str, path: str, old_id: str, rewrite: Callable[[ProfileCommand], str], profile: str | None
) -> tuple[str, list[str]]:
    switched: list[str] = []
    for section in sections(text):
        value = get_setting(text, section, "credential_process")
        # Command lines that run other programs or use other keys need not be valid.
        if value is None or PROGRAM not in value or old_id not in value:
            continue
        try:
            command = ProfileCommand(value, profile if profile_of(section) == profile else None)
        except UsageError as error:
            raise UsageError(f"[{section}] in {path}: {error}") from error
        if command.key_id == old_id:
            text = set_settings(text, section, {"credential_process": rewrite(command)})
            switched.append(section)
    return text, switched
