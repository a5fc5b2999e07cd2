"""Finds the profiles of AWS's files whose credential_process runs this program, and the keys that they use."""

import os
import shlex
from difflib import SequenceMatcher
from itertools import takewhile
from typing import NamedTuple

from sigv4.config import Config, Profile
from sigv4.errors import RequestError

from ..credentials.options import given_options, parse_run, totp_place
from ..credentials.role_chain import fetch_arguments, process_words
from ..credentials.roles_anywhere.options import helper_arguments
from ..credentials.settings import PROGRAM, RunSettings
from ..keys.location import Place
from ..terminal.messages import UsageError
from ..tpm.path import absolute_tpm_path

__all__ = ["ProfileKey", "find_profile_keys", "is_misspelled", "is_own_line"]

_CLOSE = 0.93
"""Ratio of a misspelled name to the right one: above aws-kms-process-credential, below one wrong letter."""


class ProfileKey(NamedTuple):
    """A profile whose credential_process runs this program.

    `start` lists the words of the credential_process line up to and including the program's name, `options` the
    words after the name. `settings` are the parsed options. If the options are invalid, `settings` is None and
    `problem` is the reason. `given` lists the names of the options in the line.
    """

    profile: Profile
    start: list[str]
    options: list[str]
    settings: RunSettings | None
    given: frozenset[str] = frozenset()
    problem: str | None = None

    @property
    def place(self) -> Place | None:
        """The handle or file of the key; None if the options are invalid or name another profile."""
        settings = self.settings
        if settings is None or (settings.profile and not self.given & {"persistentHandle", "credential_file"}):
            return None
        file = settings.credential_file
        return Place(file=os.path.expanduser(file)).absolute if file else Place(settings.persistentHandle)

    @property
    def totp_place(self) -> Place | None:
        """The handle or file of the TOTP key that computes MFA codes; None if the line uses no such key."""
        if self.settings is None or not self.settings.mfa_totp:
            return None
        place = totp_place(self.settings)
        return Place(place) if isinstance(place, int) else Place(file=place).absolute

    @property
    def tpm_path(self) -> str | None:
        """The path of the TPM in the credential_process line, or None."""
        path = self.settings and self.settings.tpm_path
        return absolute_tpm_path(path) if path else None

    def uses_tpm(self, path: str) -> bool:
        """Returns whether the credential_process line names the TPM at `path`, or no TPM."""
        return self.tpm_path is None or _file_of(self.tpm_path) == _file_of(absolute_tpm_path(path))


def _file_of(path: str) -> str:
    """Returns a --tpm-path without its prefix, such as `device:` or `swtpm:path=`."""
    for prefix in ("swtpm:path=", "device:"):
        path = path.removeprefix(prefix)
    return path


def find_profile_keys(config: Config) -> list[ProfileKey]:
    """Returns the profiles with a line of `is_own_line` as credential_process, in the order of the files."""
    texts = {name: config.profile(name).get("credential_process") or "" for name in config}
    return [_read_line(config.profile(name), text) for name, text in texts.items() if is_own_line(text)]


def is_own_line(text: str) -> bool:
    """Returns whether a credential_process names this program or misspells its name.

    Lines that run `tpmwire fetch` or `roles-anywhere credential-process` are not such lines.
    """
    if PROGRAM in text:
        return True
    if fetch_arguments(text) is not None or helper_arguments(text) is not None:
        return False
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return any(map(is_misspelled, takewhile(lambda word: not word.startswith("-"), words)))


def is_misspelled(word: str) -> bool:
    """Returns whether the file name in `word` is almost this program's name, also with its parts reordered."""
    names = (os.path.basename(word).removesuffix(".pyz"), PROGRAM)
    one, other = ("-".join(sorted(name.lower().replace("_", "-").split("-"))) for name in names)
    return names[0] != PROGRAM and SequenceMatcher(None, one, other).ratio() > _CLOSE


def _read_line(profile: Profile, text: str) -> ProfileKey:
    start: list[str] = []
    options: list[str] = []
    try:
        start, options = process_words(text)
        settings, given = parse_run(options), frozenset(given_options(options))
    except (UsageError, RequestError) as error:
        return ProfileKey(profile, start, options, None, problem=str(error))
    return ProfileKey(profile, start, options, settings, given)
