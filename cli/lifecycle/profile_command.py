"""Parses a profile's credential_process line, uses its key, and rewrites the line for a new key."""

import os
import time

from sigv4.config import configured_region, load_config
from sigv4.signer import Signer
from sigv4.times import timestamp
from tpmwire.use.hmac import HmacKey

from ..awsconfig.profiles import endpoint_options, existing_profile
from ..credentials.key import ask_tpm, key_from
from ..credentials.options import given_options, parse_run, run_parser
from ..credentials.role_chain import process_words
from ..credentials.settings import RunSettings
from ..keys.location import Place
from ..terminal.messages import UsageError
from .process_line import join_line

__all__ = ["ProfileCommand"]

_REPLACED = ("aws_access_key_id", "persistentHandle", "credential_file", "key_name")


class ProfileCommand:
    """A credential_process line that runs this program with an access key id. Raises UsageError for other lines.

    `key_id` is the access key id in the line, `place` the handle or file of the key. `profile` is the name of the
    profile that has the line, or None. If the line has no password, the caller can set one on `key`.
    """

    def __init__(self, text: str, profile: str | None = None) -> None:
        self.text = text
        self._start, self._options = process_words(text)
        settings = parse_run(self._options)
        self.profile = profile
        self.key_id: str = settings.aws_access_key_id or ""
        if not self.key_id:
            # An access key id of the environment does not count, since it may differ when the line runs.
            where = f", but --profile {settings.profile}; give that profile" if settings.profile else "; add it"
            raise UsageError(f"the profile's credential_process has no --aws-access-key-id{where}")
        self.settings = _with_profile(settings, settings.profile) if settings.profile else settings
        file = settings.credential_file
        self.place = Place(file=file).absolute if file else Place(handle=settings.persistentHandle)
        self._key: HmacKey | None = None

    @property
    def key(self) -> "HmacKey":
        """The HMAC key that the command line uses.

        Raises KeyFileError for an invalid key file, UsageError for invalid options.
        """
        if self._key is None:
            self._key = key_from(self.settings)
        return self._key

    def hmac(self, message: bytes) -> bytes:
        """Returns the key's HMAC of `message`, for which it opens the TPM. Raises the errors of `HmacKey.hmac`."""
        return ask_tpm(self.settings, self.key, message)

    def signer(self) -> "Signer":
        """Returns a signer for requests with the key. The TPM computes one HMAC per UTC day, the first one now."""
        signer = Signer(self.key_id, self.hmac)
        signer.prime(timestamp(time.time())[:8])
        return signer

    def rewrite(self, key_id: str, place: Place, name: bytes) -> str:
        """Returns the command line with another key of the same TPM; all other options are preserved.

        `key_id`, `place` and `name` are the other key's access key id, location and Name.
        """
        new = [f"--aws-access-key-id={key_id}"]
        if place.handle is None:
            new.append(f"--credential-file={place.file}")
        else:
            new += [f"--persistentHandle=0x{place.handle:08x}", f"--key-name={name.hex()}"]
        return join_line([*self._start, *new, *self._other_options(), *self._endpoint_options()])

    def _endpoint_options(self) -> list[str]:
        """Returns options for the profile's endpoint settings that the command line does not contain yet."""
        if self.profile is None or self.settings.profile:
            return []
        options = endpoint_options(self.settings.aws_region, existing_profile(self.profile))
        present = given_options(self._options)
        return [option for option in options if option[2:].partition("=")[0].replace("-", "_") not in present]

    def _other_options(self) -> list[str]:
        parser = run_parser()
        kept: list[str] = []
        rest = iter(self._options)
        for word in rest:
            option, equals, _ = word.lstrip("-").partition("=")
            action = parser.action_of(f"--{option}")
            group = [word]
            if not equals and action is not None and action.nargs is None:
                # The next word may be the value of this option.
                group += [following] if (following := next(rest, None)) is not None else []
            if action is None or action.dest not in _REPLACED:
                kept += group
        return kept


def _with_profile(settings: RunSettings, name: str) -> RunSettings:
    """Returns a copy of a credential_process line's settings, with the profile `name` read from ~/.aws/config.

    If the settings have no region, the copy has the region of the environment or of the profile.
    """
    found = settings.copy()
    found.aws_profile = load_config(os.environ).profile(name)
    found.aws_region = settings.aws_region or configured_region(os.environ, found.aws_profile)
    return found
