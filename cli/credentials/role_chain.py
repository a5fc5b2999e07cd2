"""The options that a profile of ~/.aws/config stands for: its roles, down to the profile that runs our program.

  [profile admin]
  role_arn = arn:aws:iam::123456789012:role/admin
  source_profile = tpm

  [profile tpm]
  credential_process = aws-tpm-process-credential --aws-access-key-id=AKIA... --persistentHandle=0x81010002

The key itself signs for the first role, which may ask for MFA then, and lasts as long as the role allows.
"""

import os
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..terminal.messages import UsageError
from ..terminal.options import Untyped
from .options import PROGRAM, given_options, read_policy, run_parser

if TYPE_CHECKING:
    from sigv4.config import Config, Profile

__all__ = ["ROLE_OPTIONS", "process_words", "profile_args", "without_process"]

ROLE_OPTIONS = (
    "aws_arn",
    "aws_session_name",
    "duration",
    "external_id",
    "policy",
    "policy_arn",
    "policy_file",
    "source_identity",
    "tag",
    "transitive_tag_key",
)
"""Options of one role, which those of another one take the place of."""

_REPLACED = {
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
"""Options of the profile that would win over, or belong to another thing than, one that is given."""


def process_words(text: str, profile: str = "the profile") -> tuple[list[str], list[str]]:
    """The words of a credential_process, up to our program's name and after it. Raises UsageError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the credential_process of {profile} is not a valid command line: {error}") from error
    names = (PROGRAM, f"{PROGRAM}.pyz")
    at = next((n for n, word in enumerate(words) if os.path.basename(word) in names), None)
    if at is None:
        raise UsageError(
            f"the credential_process of {profile} does not run {PROGRAM} directly, without a script or shell "
            "(`tpmwire import --write-profile` writes such a line)"
        )
    return words[: at + 1], words[at + 1 :]


def profile_args(name: str, given: Mapping[str, object] | None = None) -> Untyped:
    """The program's options for profile `name`, over which those `given` win.

    `settings` is the profile, for what concerns all of AWS (endpoints, CAs, retries), `profile_region` the named
    one's region, and `earlier` the options of the roles before the last one. Raises UsageError for a chain that
    does not end at our program, or that AWS would refuse; RequestError for AWS config files that cannot be read.
    """
    from sigv4.config import configured_region, load_config
    from sigv4.endpoints import configured_url

    config = load_config(os.environ)
    args, profiles = _args(config, name, ())
    _overlay(args, given or {})
    args.profile = name
    args.profile_region = profiles[0].get("region")
    if not args.aws_region:
        args.aws_region = next(
            filter(None, (configured_region(os.environ, profile) for profile in profiles)), None
        )
    # Said as an option, so that a cache is for this endpoint.
    args.endpoint_url = configured_url("sts", args.endpoint_url, os.environ, args.settings)
    return args


def _args(config: "Config", name: str, seen: tuple[str, ...]) -> "tuple[Untyped, list[Profile]]":
    """The options, and the profiles that they are from, the named one first."""
    chain = config.chain(name)
    base = chain[-1]
    for profile in chain:
        if profile.get("source_profile") is not None and profile.get("credential_source") is not None:
            raise UsageError(
                f"{profile} has both source_profile and credential_source, and AWS programs allow one: remove "
                "credential_source"
            )
    names = tuple(profile.name for profile in chain)
    if again := next((one for one in names if one in seen), None):
        raise UsageError(
            f"profile {again} leads back to itself: end its chain at a profile with the key's options"
        )
    text = base.get("credential_process")
    if text is None:
        raise UsageError(without_process(base))
    start, words = process_words(text, str(base))
    if variables := [word.partition("=")[0] for word in start if re.match(r"[A-Za-z_]\w*=", word)]:
        # With the value it might be a password.
        raise UsageError(
            f"the credential_process of {base} sets {', '.join(variables)}, which --profile does not take over: "
            "give it as an option there"
        )
    args = run_parser().parse_go_style(words)
    further: list[Profile] = []
    # A program that names its own profile has its settings read, which ours are anyway.
    if args.profile and args.profile != base.name:
        given = given_options(words)
        args, further = _args(config, args.profile, (*seen, *names))
        _overlay(args, given)
    if not (further and base is chain[0]):
        # As for the SDKs it is the named profile that says where AWS is, unless it but points to another.
        args.settings = chain[0]
    if not (args.federation_name or args.root_of):
        args.mfa_serial = args.mfa_serial or base.get("mfa_serial")
        args.duration = args.duration or _duration(base)
    for profile in reversed(chain):
        if profile.get("role_arn") is not None:
            _assume(args, profile)
    return args, [*chain, *further]


def without_process(base: "Profile") -> str:
    """Returns why a profile without a credential_process cannot be used: the kind of its credentials, if any."""
    from ..awsconfig.overrides import kind_of

    if source := base.get("credential_source"):
        return (
            f"{base} has credential_source = {source!r}, other credentials than the TPM's key: use source_profile "
            f"instead, the name of a profile that runs {PROGRAM}"
        )
    has_source = base.get("source_profile") is not None or base.get("web_identity_token_file") is not None
    if base.get("role_arn") is not None and not has_source:
        return (
            f"{base} has a role_arn, but no source_profile whose credentials assume it: add source_profile, the "
            f"name of a profile that runs {PROGRAM}"
        )
    if other := kind_of(base):
        return (
            f"{base} has {other}, not a key in the TPM: end the chain at a profile whose credential_process runs "
            f"{PROGRAM} (`tpmwire enroll` and `tpmwire import` write one)"
        )
    return (
        f"{base} has no credential_process that runs {PROGRAM}: end the chain at a profile with it "
        "(`tpmwire enroll` and `tpmwire import` write one)"
    )


def _assume(args: Untyped, profile: "Profile") -> None:
    """Changes the options to those of the profile's role, assumed with what they gave so far."""
    if profile.get("source_profile") is None:
        raise UsageError(f"{profile} has a role_arn, but no source_profile whose credentials assume it: add it")
    if args.federation_name or args.root_of:
        raise UsageError(f"{profile} builds on a federated user or on root, and AWS lets neither assume a role")
    serial = profile.get("mfa_serial")
    if args.policy_file:
        read_policy(args)
    if args.assumeRole:
        if serial:
            raise UsageError(
                f"{profile} has an mfa_serial, and AWS takes MFA only for the first role of a chain: remove it"
            )
        args.earlier = (*args.earlier, {option: getattr(args, option) for option in ROLE_OPTIONS})
    for option in ROLE_OPTIONS:
        setattr(args, option, None)
    args.assumeRole = True
    args.aws_arn = [profile.get("role_arn")]
    args.aws_session_name = profile.get("role_session_name")
    args.external_id = profile.get("external_id")
    args.duration = _duration(profile)
    args.mfa_serial = serial or args.mfa_serial


def _duration(profile: "Profile") -> str | None:
    seconds = profile.integer("duration_seconds")
    return None if seconds is None else str(seconds)


def _overlay(args: Untyped, given: Mapping[str, object]) -> None:
    other = given.get("federation_name") or given.get("root_of") or given.get("assumeRole") is False
    if other or given.get("aws_arn"):
        # Another operation, or other roles, than the profile's.
        args.earlier = ()
        for option in (*ROLE_OPTIONS, "federation_name", "root_of", "task_policy_arn"):
            setattr(args, option, None)
        args.assumeRole = not other
        if not args.assumeRole and (given.get("federation_name") or given.get("root_of")):
            args.mfa_serial = args.mfa_process = args.mfa_totp = None
    for option in given:
        for replaced in _REPLACED.get(option, ()):
            setattr(args, replaced, None)
    args.__dict__.update(given)
