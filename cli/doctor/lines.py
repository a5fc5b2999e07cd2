"""Checks that AWS programs can run, and will use, the profiles that run aws-tpm-process-credential."""

import os
import shlex
import stat
from collections.abc import Iterator

from sigv4.config import Profile, parse_section, profile_name
from sigv4.endpoints import check_region
from sigv4.errors import RequestError

from ..awsconfig.edit import config_path, credentials_path, get_setting, sections
from ..awsconfig.files import read_text
from ..awsconfig.overrides import find_overrides, find_variables
from ..awsconfig.plaintext import find_plaintext
from ..credentials.role_chain import profile_settings
from ..credentials.settings import PROGRAM
from ..lifecycle.profile_keys import ProfileKey, is_misspelled, is_own_line
from ..terminal.messages import UsageError
from .certificates import certificate_profiles
from .finding import Finding
from .machine import Machine
from .programs import find_line_fault
from .registry import register
from .server import ServedProfile, served_profiles

__all__ = [
    "check_options",
    "check_password_files",
    "check_plaintext_keys",
    "check_precedence",
    "check_profiles",
    "check_program",
    "check_roles",
]

_FILES = {
    "credential_file": "--credential-file",
    "keyPass_file": "--keyPass-file",
    "parentPass_file": "--parentPass-file",
    "policy_file": "--policy-file",
    "ca_bundle": "--ca-bundle",
    "tpm_session_encrypt_with_public": "--tpm-session-encrypt-with-public",
}
_PASSWORDS = ("keyPass_file", "parentPass_file")


@register
def check_profiles(machine: Machine) -> Iterator[Finding]:
    """Checks that AWS's files can be read, have profiles that use the TPM, and have the profile AWS_PROFILE."""
    try:
        names = [*machine.config]
    except RequestError as error:
        yield Finding.failure(str(error), "correct the file")
        return
    text = read_text(config_path())
    for section in sections(text):
        line = get_setting(text, section, "credential_process")
        if line and not parse_section(section)[0] and is_own_line(line):
            yield Finding.error(
                f"AWS programs ignore the section [{section}] of {config_path()}", f"name it [profile {section}]"
            )
    using = [each.profile.name for each in machine.profile_keys]
    using += [each.profile.name for each in served_profiles(machine)]
    using += [each.profile.name for each in certificate_profiles(machine)]
    if using:
        yield Finding.ok(f"profiles that use the TPM: {', '.join(using)}")
    else:
        yield Finding.warning(
            f"no profile runs {PROGRAM}",
            "run `tpmwire enroll --profile NAME` or `tpmwire import --write-profile NAME`",
        )
    selected = profile_name(os.environ)
    if selected is not None and selected not in names:
        yield Finding.error(
            f"AWS_PROFILE selects the profile {selected}, which does not exist", "correct AWS_PROFILE"
        )


@register
def check_program(machine: Machine) -> Iterator[Finding]:
    """Checks that the program of each credential_process is found as an SDK would find it, and can be executed."""
    lines = [(each.profile, each.start) for each in machine.profile_keys if each.start]
    lines += [(each.profile, [each.program]) for each in served_profiles(machine)]
    good: dict[str, list[str]] = {}
    for profile, words in lines:
        fault = find_line_fault(profile, words)
        if fault is not None:
            yield fault
        else:
            good.setdefault(" ".join(words), []).append(profile.name)
    for command, names in good.items():
        yield Finding.ok(f"{command} can be run (profile {', '.join(names)})")
    for profile in (each.profile for each in machine.profile_keys if not each.start):
        # Another program, perhaps a misspelled name of this one. check_options reports other programs.
        if (words := _first_word(profile)) and (fault := find_line_fault(profile, words)) is not None:
            misspelled = is_misspelled(words[0]) and fault.text.endswith("is not found")
            yield fault._replace(step=f"write {PROGRAM}") if misspelled else fault


def _first_word(profile: Profile) -> list[str]:
    """Returns the first word of the credential_process line; no word if quotation marks are missing."""
    try:
        return shlex.split(profile.get("credential_process") or "")[:1]
    except ValueError:
        return []


@register
def check_options(machine: Machine) -> Iterator[Finding]:
    """Checks the options and region of each credential_process. Its files must exist and have absolute paths."""
    valid = []
    for each in machine.profile_keys:
        if each.problem is not None:
            yield Finding.failure(f"{each.profile}: {each.problem}", f"see `{PROGRAM} --help`")
            continue
        found = [
            *_options(each),
            *_check_regions(each.profile, each.settings.aws_region if each.settings else None),
        ]
        yield from found
        valid += [] if found else [each.profile.name]
        path = each.settings and each.settings.tpm_path
        if not path and machine.path_source.startswith("TPM"):
            yield Finding.warning(
                f"{each.profile} names no TPM, so all programs that use it need {machine.path_source}",
                "add --tpm-path",
            )
    for served in served_profiles(machine):
        found = [*_fetch_options(served), *_check_regions(served.profile)]
        yield from found
        valid += [] if found else [served.profile.name]
    if valid:
        yield Finding.ok(f"the options of {', '.join(valid)} are valid")


def _fetch_options(served: ServedProfile) -> Iterator[Finding]:
    if served.problem is not None:
        yield Finding.failure(f"{served.profile}: {served.problem}", "see `tpmwire fetch --help`")
    elif not os.path.isabs(served.path):
        yield Finding.warning(
            f"{served.profile}: {served.path!r} depends on the working directory of each program",
            "write the absolute path",
        )


def _check_regions(profile: Profile, option: str | None = None) -> Iterator[Finding]:
    """Yields a finding for an invalid region of the profile, and of the option --aws-region."""
    for source, region in (("region", profile.get("region")), ("--aws-region", option)):
        try:
            if region:
                check_region(region)
        except RequestError as error:
            yield Finding.failure(f"{profile}: {source}: {error}", f"correct {source}")


def _options(each: ProfileKey) -> Iterator[Finding]:
    settings, profile = each.settings, each.profile
    assert settings is not None
    if not settings.aws_access_key_id and not settings.profile:
        yield Finding.warning(
            f"{profile}: no --aws-access-key-id, so each program needs AWS_ACCESS_KEY_ID", "add the option"
        )
    for name, option in _FILES.items():
        path = getattr(settings, name)
        if not path:
            continue
        if path.startswith(("~", "$")):
            yield Finding.error(f"{profile}: {option}: {path} is not expanded", "write the absolute path")
        elif not os.path.isabs(path):
            yield Finding.warning(
                f"{profile}: {option}: {path} depends on the working directory of each program",
                "write the absolute path",
            )
        elif not os.access(path, os.R_OK):
            what = "cannot be read by this user" if os.path.lexists(path) else "does not exist"
            yield Finding.error(f"{profile}: {option}: {path} {what}", "correct the path or its permissions")


@register
def check_password_files(machine: Machine) -> Iterator[Finding]:
    """Checks that only the owner can read files with passwords of keys, and AWS's credentials file."""
    paths = [
        path
        for each in machine.profile_keys
        if each.settings is not None
        for name in _PASSWORDS
        if (path := getattr(each.settings, name))
    ]
    for path in dict.fromkeys([*paths, credentials_path()]):
        if os.path.isfile(path):
            mode = os.stat(path).st_mode
            if mode & 0o077:
                yield Finding.warning(
                    f"other users can read {path} ({stat.filemode(mode)})", f"run chmod 600 {path}"
                )
            else:
                yield Finding.ok(f"{path} is private")


@register
def check_precedence(machine: Machine) -> Iterator[Finding]:
    """Checks that no static key, SSO or role of the profile, and no variable, overrides the credential_process."""
    if names := find_variables():
        yield Finding.warning(
            f"this environment sets {', '.join(names)}, which AWS programs use before any profile",
            f"unset {' '.join(names)}",
        )
    used = []
    served = [each.profile for each in served_profiles(machine)]
    for profile in [*(each.profile for each in machine.profile_keys), *served]:
        own = profile.get("source_profile") == profile.name
        overrides = [name for name in find_overrides(profile) if not (own and name == "role_arn")]
        if overrides:
            keys = any(name.startswith("aws_") for name in overrides)
            yield Finding.error(
                f"{profile} also has {', '.join(overrides)}, which AWS programs use before its credential_process",
                f"run `tpmwire enroll --profile {shlex.quote(profile.name)} --remove-plaintext`"
                if keys
                else "remove it",
            )
        elif not names:
            used.append(profile.name)
    if used:
        yield Finding.ok(f"AWS programs use the credential_process of {', '.join(used)}")


@register
def check_plaintext_keys(machine: Machine) -> Iterator[Finding]:
    """Checks that no profile has a plaintext secret key in AWS's files."""
    try:
        names = [*machine.config]
    except RequestError:
        return  # check_profiles reports this error
    found = 0
    for name in names:
        try:
            key = find_plaintext(name)
        except UsageError as error:
            yield Finding.failure(str(error), "correct the profile")._replace(status="warning")
            continue
        if key is not None and key.token is None:
            found += 1
            yield Finding.warning(
                f"profile {name} has the plaintext key {key.key_id} in {key.path}",
                f"run `tpmwire enroll --profile {shlex.quote(name)}`",
            )
    if not found:
        yield Finding.ok("no long-term key is in plaintext")


@register
def check_roles(machine: Machine) -> Iterator[Finding]:
    """Checks that profiles of roles whose source_profile leads to a profile with a TPM key can be used."""
    keys = {each.profile.name for each in machine.profile_keys if each.problem is None}
    for name in machine.config if keys else ():
        profile = machine.config.profile(name)
        if profile.get("role_arn") is None or profile.get("source_profile") is None:
            continue
        try:
            if machine.config.chain(name)[-1].name in keys:
                profile_settings(name)
                yield Finding.ok(f"{profile}: its chain ends at {machine.config.chain(name)[-1]}")
        except (UsageError, RequestError) as error:
            yield Finding.failure(str(error), "correct the profile")
