"""Finds settings and environment variables that override a profile's credential_process.

Source: the order of botocore's credential providers, and the AWS SDKs and Tools Reference Guide, "Standardized
credential providers".
"""

import os
import shlex

from sigv4.config import Profile

from ..terminal.messages import UsageError, note, warn

__all__ = [
    "check_overrides",
    "find_overrides",
    "find_variables",
    "kind_of",
    "warn_of_environment",
    "warn_of_proof",
]

_SETTINGS = {
    "web_identity_token_file": "a web identity",
    "sso_session": "SSO",
    "sso_account_id": "SSO",
    "sso_role_name": "SSO",
    "sso_start_url": "SSO",
    "login_session": "a session of `aws login`",
    "aws_access_key_id": "a static access key",
    "aws_secret_access_key": "a static access key",
    "role_arn": "a role",
}
"""Settings of a profile, and the kind of credentials that each one means."""

_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE")

_STATIC = ("aws_access_key_id", "aws_secret_access_key")


def kind_of(profile: "Profile") -> str | None:
    """Returns the first setting that overrides credential_process, such as "a role (role_arn)", or None."""
    name = next((name for name in _SETTINGS if profile.get(name) is not None), None)
    return None if name is None else f"{_SETTINGS[name]} ({name})"


def find_overrides(profile: "Profile") -> list[str]:
    """Returns the profile's settings that AWS programs use before its credential_process."""
    return [name for name in _SETTINGS if profile.get(name) is not None]


def find_variables() -> list[str]:
    """Returns the variables of this environment that take precedence over profiles in AWS programs."""
    return [name for name in _VARIABLES if os.environ.get(name)]


def check_overrides(profile: "Profile", *, force: bool, but: tuple[str, ...] = ()) -> None:
    """Raises UsageError if settings of the profile override a credential_process; with `force`, warns only.

    Settings named in `but` are ignored.
    """
    names = [name for name in find_overrides(profile) if name not in but]
    if not names:
        return
    hint = (
        f"`tpmwire enroll --profile {shlex.quote(profile.name)}` replaces them"
        if set(names) & set(_STATIC)
        else "remove them"
    )
    text = (
        f"{profile} has {_SETTINGS[names[0]]} ({', '.join(names)}), which AWS programs use before its "
        f"credential_process; {hint}, or choose another profile"
    )
    if not force:
        raise UsageError(f"{text}; --force writes it anyway")
    warn(text)


def warn_of_proof(line: str) -> None:
    """Prints a note of environment variables that affected the key's test, but are not options of `line`.

    `line` is the credential_process of the new profile.
    """
    names = {
        "AWS_ENDPOINT_URL_STS": "--endpoint-url",
        "AWS_ENDPOINT_URL": "--endpoint-url",
        "AWS_CA_BUNDLE": "--ca-bundle",
    }
    found = [name for name, option in names.items() if os.environ.get(name) and f"{option}=" not in line]
    if found:
        note(
            f"the key was tested with {', '.join(found)} of this environment; programs that use the "
            "profile need the same settings"
        )


def warn_of_environment(profile: str) -> None:
    """Warns of environment variables that make AWS programs use credentials other than the profile's."""
    if names := find_variables():
        warn(
            f"this environment sets {', '.join(names)}, which AWS programs use before the profile "
            f"{profile}; unset {'it' if len(names) == 1 else 'them'}"
        )
    other = os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE")
    if profile == "default" and other and other != profile:
        warn(f"AWS_PROFILE selects the profile {other} for AWS programs; unset it")
