"""Reads, checks and writes profiles of ~/.aws/config whose credential_process uses a key in the TPM."""

import os

from sigv4.config import Profile, configured_region, load_config
from sigv4.endpoints import configured_url, is_enabled

from ..terminal.messages import UsageError
from .edit import config_path, section_of, set_settings
from .files import check_writable, edit_file, read_setting
from .overrides import check_overrides, warn_of_environment

__all__ = [
    "check_profile",
    "endpoint_options",
    "existing_profile",
    "profile_lines",
    "write_profile",
]


def endpoint_options(region: str | None, profile: Profile | None) -> list[str]:
    """Returns command-line options that select the profile's STS endpoint: region, URL, FIPS, dual-stack, CAs.

    The environment's region and FIPS setting are included, because the options may be used in a different
    environment. The environment's endpoint URL and CAs are excluded, because they apply to this environment only.
    Raises RequestError for an invalid endpoint URL, UsageError for a CA bundle in an unknown home directory.
    """
    found = []
    if region := region or configured_region(os.environ, profile):
        found.append(f"--aws-region={region}")
    ignoring = {name: value for name, value in os.environ.items() if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    if url := configured_url("sts", None, ignoring, profile):
        found.append(f"--endpoint-url={url}")
    for kind in ("fips", "dualstack"):
        if is_enabled(f"AWS_USE_{kind.upper()}_ENDPOINT", os.environ, profile):
            found.append(f"--use-{kind}-endpoint")
    if bundle := profile and profile.get("ca_bundle"):
        path = os.path.expanduser(bundle)
        if path.startswith("~"):
            raise UsageError(f"ca_bundle of {profile}: cannot resolve {path}: no such home directory; set HOME")
        found.append(f"--ca-bundle={os.path.abspath(path)}")
    return found


def existing_profile(name: str) -> Profile:
    """Returns the named profile, or an empty profile if it does not exist.

    Raises RequestError if AWS config files cannot be read.
    """
    config = load_config(os.environ)
    return config.profile(name) if name in config else Profile(name, {}, {})


def profile_lines(command: str, name: str) -> str:
    """Returns the lines for ~/.aws/config of a profile whose credential_process is `command`."""
    return f"[{section_of(name)}]\ncredential_process = {command}"


def check_profile(name: str, *, force: bool) -> None:
    """Checks, before the key is created, that the profile can be written, and raises UsageError otherwise.

    Without `force`, also raises UsageError if the profile already has a credential_process.
    """
    check_writable(config_path())
    present = read_setting(config_path(), section_of(name), "credential_process")
    if present is not None and not force:
        raise UsageError(f"the profile {name} in {config_path()} has a credential_process; --force replaces it")
    check_overrides(existing_profile(name), force=force)
    warn_of_environment(name)


def write_profile(name: str, command: str) -> str:
    """Sets the profile's credential_process in ~/.aws/config to `command`, and returns the file's path."""
    path = os.path.realpath(config_path())
    edit_file(path, lambda text: set_settings(text, section_of(name), {"credential_process": command}))
    return path
