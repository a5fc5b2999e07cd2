"""Resolves a profile of ~/.aws/config and its chain of roles to the options of the profile that runs this program.

  [profile admin]
  role_arn = arn:aws:iam::123456789012:role/admin
  source_profile = tpm

  [profile tpm]
  credential_process = aws-tpm-process-credential --aws-access-key-id=AKIA... --persistentHandle=0x81010020

The TPM key signs the request for the first role of the chain. Only the first role can require MFA, and only its
session can be longer than an hour.
"""

import os
import re
import shlex
from collections.abc import Mapping

from sigv4.config import Config, Profile, configured_region, load_config
from sigv4.endpoints import configured_url

from ..awsconfig.overrides import kind_of
from ..terminal.messages import UsageError
from .options import given_options, parse_run
from .roles_anywhere.options import helper_arguments, parse_helper_line
from .settings import PROGRAM, RunSettings, read_role

__all__ = ["fetch_arguments", "process_words", "profile_settings", "without_process"]

REPLACED = {
    "credential_file": ("key_name", "pcrs", "useEKParent"),
    "keyPass_file": ("keyPass",),
    "mfa_process": ("mfa_totp",),
    "mfa_totp": ("mfa_process",),
    "parentPass_file": ("parentPass",),
    "persistentHandle": ("credential_file", "key_name", "pcrs", "useEKParent"),
    "policy": ("policy_file",),
    "policy_file": ("policy",),
    "tpm_session_encrypt_with_name": ("tpm_session_encrypt_with_public",),
    "tpm_session_encrypt_with_public": ("tpm_session_encrypt_with_name",),
}
"""Options of the profile that would override a given option, or contradict it."""


def process_words(text: str, profile: str = "the profile") -> tuple[list[str], list[str]]:
    """Splits a credential_process into (words up to this program's name, arguments of this program).

    `profile` names the profile in errors. Raises UsageError if the line does not run this program directly.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the credential_process of {profile} is not a valid command line: {error}") from error
    names = (PROGRAM, f"{PROGRAM}.pyz")
    at = next((n for n, word in enumerate(words) if os.path.basename(word) in names), None)
    if at is None and fetch_arguments(text) is not None:
        raise UsageError(
            f"the credential_process of {profile} runs `tpmwire fetch`, which reads from a server and has no key; "
            "give the profile whose key that server uses"
        )
    if at is None:
        raise UsageError(
            f"the credential_process of {profile} must run {PROGRAM} directly, not through a script or a shell; "
            "`tpmwire import --write-profile` writes such a profile"
        )
    return words[: at + 1], words[at + 1 :]


def fetch_arguments(text: str) -> list[str] | None:
    """Returns the arguments of `tpmwire fetch` in a credential_process, or None if it runs another program."""
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    for at, word in enumerate(words[:-1]):
        if os.path.basename(word) in ("tpmwire", "tpmwire.pyz") and words[at + 1] == "fetch":
            return words[at + 2 :]
    return None


def profile_settings(name: str, given: Mapping[str, object] | None = None) -> RunSettings:
    """Returns the settings of a run for profile `name`; the options `given` override the profile's.

    Raises UsageError for a chain that does not end at this program, or that AWS would refuse. Raises RequestError
    if AWS config files cannot be read.
    """
    settings, profiles = _follow_chain(load_config(os.environ), name, ())
    found = _override_settings(settings, given or {})
    found.profile = name
    found.profile_region = profiles[0].get("region")
    if not found.aws_region:
        found.aws_region = next(
            filter(None, (configured_region(os.environ, profile) for profile in profiles)), None
        )
    # Stored as an option, so that the cache depends on this endpoint.
    found.endpoint_url = configured_url("sts", found.endpoint_url, os.environ, found.aws_profile)
    return found


def _follow_chain(config: Config, name: str, seen: tuple[str, ...]) -> tuple[RunSettings, list[Profile]]:
    """Follows source_profile from profile `name`; returns (merged settings, chain of profiles).

    `seen` lists the profiles before `name`. Raises UsageError for a loop, or a chain that AWS would refuse.
    """
    chain = config.chain(name)
    base = chain[-1]
    for profile in chain:
        if profile.get("source_profile") is not None and profile.get("credential_source") is not None:
            raise UsageError(
                f"{profile} has both source_profile and credential_source, and AWS programs allow one; "
                "remove credential_source"
            )
    names = tuple(profile.name for profile in chain)
    if again := next((one for one in names if one in seen), None):
        raise UsageError(
            f"profile {again}: source_profile loop; the last profile of the chain must have "
            "the key's credential_process"
        )
    text = base.get("credential_process")
    if text is None:
        raise UsageError(without_process(base))
    if (arguments := helper_arguments(text)) is not None:
        return _follow_certificate(parse_helper_line(arguments), chain), chain
    start, words = process_words(text, str(base))
    if variables := [word.partition("=")[0] for word in start if re.match(r"[A-Za-z_]\w*=", word)]:
        # The message omits the value, which may be a password.
        raise UsageError(
            f"the credential_process of {base} sets {', '.join(variables)}, which --profile ignores; use "
            "the equivalent option in that command line"
        )
    found = parse_run(words)
    if found.mfa_code:
        raise UsageError(
            f"the credential_process of {base} has --mfa-code, and AWS accepts a code once; remove it, and type "
            "the code, or use --mfa-process or --mfa-totp"
        )
    further: list[Profile] = []
    # A credential_process with --profile of its own profile reads the same settings that are read here.
    if found.profile and found.profile != base.name:
        named, further = _follow_chain(config, found.profile, (*seen, *names))
        found = _override_settings(named, given_options(words))
    if not (further and base is chain[0]):
        # As in SDKs, the endpoints are those of the named profile, unless it only refers to another profile.
        found.aws_profile = chain[0]
    if not (found.federation_name or found.root_of):
        found.mfa_serial = found.mfa_serial or base.get("mfa_serial")
        found.duration = found.duration or _duration(base)
    return _assume_roles_of(found, chain), [*chain, *further]


def _follow_certificate(settings: RunSettings, chain: list[Profile]) -> RunSettings:
    """Returns the settings for a chain whose last profile uses Roles Anywhere."""
    assert settings.roles_anywhere is not None
    found = settings.copy()
    found.aws_profile = chain[0]
    # STS for further roles; its global endpoint exists in one partition only.
    found.aws_region = (
        settings.roles_anywhere.region or settings.roles_anywhere.trust_anchor_arn.split(":")[3:4][0]
    )
    return _assume_roles_of(found, chain)


def _assume_roles_of(settings: RunSettings, chain: list[Profile]) -> RunSettings:
    """Returns settings that assume the roles of a chain of profiles, from its end."""
    found = settings
    for profile in reversed(chain):
        if profile.get("role_arn") is not None:
            found = _assume_role(found, profile)
    return found


def without_process(base: Profile) -> str:
    """Returns an error message for the last profile of a chain, `base`, if it does not run this program."""
    if source := base.get("credential_source"):
        return (
            f"{base} has credential_source = {source!r}, which does not use the TPM's key; set "
            f"source_profile to a profile that runs {PROGRAM} instead"
        )
    has_source = base.get("source_profile") is not None or base.get("web_identity_token_file") is not None
    if base.get("role_arn") is not None and not has_source:
        return f"{base} has role_arn but no source_profile; set source_profile to a profile that runs {PROGRAM}"
    if other := kind_of(base):
        return (
            f"{base} has {other} instead of a key in the TPM; end the chain at a profile whose "
            f"credential_process runs {PROGRAM} (`tpmwire enroll` and `tpmwire import` write one)"
        )
    return (
        f"{base} has no credential_process that runs {PROGRAM}; end the chain at a profile with one "
        "(`tpmwire enroll` and `tpmwire import` write one)"
    )


def _assume_role(settings: RunSettings, profile: Profile) -> RunSettings:
    """Returns settings that assume the profile's role with the credentials of `settings`."""
    arn, serial = profile.get("role_arn"), profile.get("mfa_serial")
    if profile.get("source_profile") is None:
        raise UsageError(f"{profile} has role_arn but no source_profile; add source_profile")
    if settings.federation_name or settings.root_of:
        raise UsageError(
            f"{profile} uses credentials of a federated user or root, which cannot assume roles; choose another "
            "source_profile"
        )
    before = read_role(settings)
    if settings.assumeRole and serial:
        raise UsageError(
            f"{profile} has mfa_serial, but AWS accepts MFA only for the first role of a chain; remove mfa_serial"
        )
    found = settings.without_roles()
    found.earlier = (*settings.earlier, before) if settings.assumeRole else settings.earlier
    found.assumeRole = True
    found.aws_arn = [arn or ""]
    found.aws_session_name = profile.get("role_session_name")
    found.external_id = profile.get("external_id")
    found.duration = _duration(profile)
    found.mfa_serial = serial or settings.mfa_serial
    return found


def _duration(profile: Profile) -> str | None:
    seconds = profile.integer("duration_seconds")
    return None if seconds is None else str(seconds)


def _override_settings(settings: RunSettings, given: Mapping[str, object]) -> RunSettings:
    """Returns a copy of the settings with the given options. Removes settings that conflict with the options."""
    found = settings
    other = given.get("federation_name") or given.get("root_of") or given.get("assumeRole") is False
    if other or given.get("aws_arn"):
        # The options request an operation or roles instead of the profile's.
        found = settings.without_roles()
        found.federation_name = found.root_of = found.task_policy_arn = None
        found.assumeRole = not other
        if given.get("federation_name") or given.get("root_of"):
            found.mfa_serial = found.mfa_process = found.mfa_totp = None
    replaced = {name: None for option in given for name in REPLACED.get(option, ())}
    return found.with_options({**replaced, **given})
