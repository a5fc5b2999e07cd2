"""The AWS config and credentials files: profiles and their settings, as botocore reads them, without SSO.

Source: "Shared config and credentials files" in the AWS SDKs and Tools Reference Guide, and botocore's
configloader.py. Both files are optional.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from os.path import expanduser, expandvars
from typing import TYPE_CHECKING

from .errors import RequestError
from .files import open_input

if TYPE_CHECKING:
    from configparser import RawConfigParser

__all__ = [
    "Config",
    "Profile",
    "config_file",
    "configured_region",
    "credentials_file",
    "load_config",
    "parse_config",
    "parse_section",
    "profile_name",
    "read_config_file",
]

_MAX_SIZE = 1 << 20  # bytes of a file
_MAX_CHAIN = 10  # profiles in a source_profile chain
Values = dict[str, "str | dict[str, str]"]


class Profile:
    """A profile: `name`, and its settings by lower-case key. repr and str show the name only.

    Settings of the credentials file take precedence over settings of the config file, as in botocore.
    """

    __slots__ = ("_services", "_values", "name")

    def __init__(self, name: str, values: Values, services: Mapping[str, Values]) -> None:
        self.name = name
        self._values = values
        self._services = services

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"

    def __str__(self) -> str:
        return f"profile {self.name if self.name.isprintable() else ascii(self.name)}"

    def get(self, key: str) -> str | None:
        """Returns setting `key`, such as role_arn; None if it is missing or has nested settings."""
        value = self._values.get(key)
        return value if isinstance(value, str) else None

    def section(self, key: str) -> dict[str, str]:
        """Returns the settings nested under `key`, such as the settings under s3; {} if there are none."""
        return _get_section(self._values, key)

    def service(self, name: str) -> dict[str, str]:
        """Returns the settings of a service in the profile's services section; {} if there are none.

        `name` is the service id in snake case, such as sts. Raises RequestError if the services section that the
        profile names is missing or empty.
        """
        section = self.get("services")
        if section is None:
            return {}
        if not self._services.get(section):
            raise RequestError(
                f"{self} has services = {section!r}, but the config file has no such [services ...] section, "
                "or an empty one; add the section, or remove the setting"
            )
        return _get_section(self._services[section], name)

    def integer(self, key: str) -> int | None:
        """Returns setting `key` as an int; None if it is missing.

        Raises RequestError if the setting is not a whole number.
        """
        text = self.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise RequestError(f"{key} of {self} is {text!r}; use a whole number")
        return int(text)


class Config:
    """The profiles of the config file and the credentials file. `files` contains the paths of both."""

    def __init__(
        self, profiles: Mapping[str, Values], services: Mapping[str, Values], *, files: Sequence[str] = ()
    ) -> None:
        self._profiles = profiles
        self._services = services
        self._files = files

    def __contains__(self, name: str) -> bool:
        return name in self._profiles

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def profile(self, name: str | None = None) -> Profile:
        """Returns the profile `name`. Raises RequestError if the profile is missing.

        Without `name`, returns the profile "default", which has no settings if it is missing.
        """
        if name is not None and name not in self._profiles:
            places = " or ".join(self._files) or "the AWS config files"
            raise RequestError(
                f"profile {name!r} not found in {places}; available profiles: {self._known_names()}"
            )
        name = name or "default"
        return Profile(name, self._profiles.get(name, {}), self._services)

    def chain(self, name: str | None = None) -> list[Profile]:
        """Returns the profile and its source_profile chain. The last profile's own key signs.

        A profile that is its own source uses its own key. Raises RequestError for a missing profile, a loop, or a
        chain of more than 10 profiles.
        """
        profile = self.profile(name)
        chain = [profile]
        while (source := profile.get("source_profile")) is not None and profile.get("role_arn") is not None:
            if source == profile.name:
                break
            if source in (earlier.name for earlier in chain) or len(chain) == _MAX_CHAIN:
                raise RequestError(
                    f"the source_profile chain of {profile} has a loop or more than {_MAX_CHAIN} profiles; "
                    "end the chain at a profile with its own key"
                )
            if source not in self._profiles:
                raise RequestError(
                    f"{profile} has source_profile = {source!r}, which is not in the AWS config files; "
                    "add that profile"
                )
            profile = self.profile(source)
            chain.append(profile)
        return chain

    def _known_names(self) -> str:
        if any(path.startswith("~") for path in self._files) and not self._profiles:
            return "none, because the user has no home directory (set HOME or AWS_CONFIG_FILE)"
        names = [name if name.isprintable() else ascii(name) for name in sorted(self._profiles)]
        return ", ".join(names[:10]) + (" ..." if len(names) > 10 else "") if names else "none"


def profile_name(environ: Mapping[str, str]) -> str | None:
    """Returns AWS_DEFAULT_PROFILE, else AWS_PROFILE (botocore's order); None if neither is set."""
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or None


def configured_region(environ: Mapping[str, str], profile: Profile | None = None) -> str | None:
    """Returns AWS_REGION, AWS_DEFAULT_REGION or the profile's region; None if none is set."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return region or (None if profile is None else profile.get("region"))


def config_file(environ: Mapping[str, str]) -> str:
    """Returns the path of the config file; the path begins with ~ if the user has no home directory."""
    return _expand(environ.get("AWS_CONFIG_FILE") or "~/.aws/config", environ)


def credentials_file(environ: Mapping[str, str]) -> str:
    """Returns the path of the credentials file; the path begins with ~ if the user has no home directory."""
    return _expand(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", environ)


def load_config(environ: Mapping[str, str]) -> Config:
    """Reads AWS_CONFIG_FILE (~/.aws/config) and AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials).

    Raises RequestError if an existing file cannot be read or parsed; the message quotes no line of the file.
    """
    profiles: dict[str, Values] = {}
    services: dict[str, Values] = {}
    for section, values in _read_sections(config_file(environ)).items():
        kind, name = parse_section(section)
        if kind == "profile":
            profiles[name] = values
        elif kind == "services":
            services[name] = values
    for name, values in _read_sections(credentials_file(environ)).items():
        profiles[name] = profiles.get(name, {}) | values
    return Config(profiles, services, files=(config_file(environ), credentials_file(environ)))


def parse_section(section: str) -> tuple[str, str]:
    """Returns (kind, name) of a section of the config file.

    The kind is "profile" or "services". For any other section, the kind is "" and the name is the whole text.
    """
    if section == "default":
        return "profile", section
    kind = next((one for one in ("profile", "services") if section.startswith(one)), None)
    if kind is None:
        return "", section
    import shlex  # late: most runs read no config file

    try:
        words = shlex.split(section)
    except ValueError:
        return "", section
    return (kind, words[1]) if len(words) == 2 else ("", section)


def _read_sections(path: str) -> dict[str, Values]:
    if path.startswith("~"):
        return {}  # without a home directory, the path would stay "~", a directory relative to the current one
    data = read_config_file(path)
    if data.startswith(b"\xef\xbb\xbf"):
        # The aws command refuses such a file too.
        raise RequestError(f"{path} begins with a byte order mark; save it as UTF-8 without one")
    try:
        parser = parse_config(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise RequestError(f"{path} is not valid UTF-8; save it as UTF-8") from None
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None
    return {
        name: {key: _parse_value(path, value) for key, value in parser.items(name)} for name in parser.sections()
    }


def read_config_file(path: str) -> bytes:
    """Returns the content of a config or credentials file; empty if the file is missing or a directory.

    Raises RequestError if the file cannot be read, or is larger than 1 MiB.
    """
    try:
        with open_input(path) as file:
            data = file.read(_MAX_SIZE + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return b""
    except TimeoutError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; use a regular file") from None
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    if len(data) > _MAX_SIZE:
        raise RequestError(f"{path} is larger than {_MAX_SIZE} bytes; check that it is an AWS config file")
    return data


def parse_config(text: str) -> "RawConfigParser":
    """Returns the sections and settings of a config or credentials file, as the aws command reads them.

    Raises RequestError for an invalid file; the message quotes no line of the text.
    """
    import configparser  # late: most runs read no config file

    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        # Not chained: the parser's error quotes the line, which may contain the secret.
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), None)
        where = f"line {line or '?'}: {_reason(error)}"
    except AttributeError:
        # CPython before 3.13 raises AttributeError for an indented line after a key without a value.
        where = "a key without a value"
    else:
        return parser
    raise RequestError(f"not a valid AWS config file ({where}); correct it first")


def _reason(error: Exception) -> str:
    return {
        "DuplicateSectionError": "duplicate section",
        "DuplicateOptionError": "duplicate key",
        "MissingSectionHeaderError": "text before the first [section]",
    }.get(type(error).__name__, "expected KEY = VALUE")


def _parse_value(path: str, text: str | None) -> str | dict[str, str]:
    if text is None or not text.startswith("\n"):
        return text or ""
    nested = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        if not equals:
            raise RequestError(
                f"{path}: not a valid AWS config file (an indented line without =); correct it first"
            )
        nested[key.strip()] = value.strip()
    return nested


def _get_section(values: Values, key: str) -> dict[str, str]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _expand(path: str, environ: Mapping[str, str]) -> str:
    """Returns the path with ~, ~USER and variables expanded; ~ is $HOME of `environ`."""
    path = expandvars(path)
    home = environ.get("HOME")
    return home + path[1:] if home and (path == "~" or path.startswith("~/")) else expanduser(path)
