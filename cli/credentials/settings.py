"""The settings of a run of `aws-tpm-process-credential`, and values that follow from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tpmwire.typed import NamedTuple

from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigv4.config import Profile

    from .roles_anywhere.settings import RolesAnywhere

__all__ = [
    "OUTPUT_OPTIONS",
    "PROGRAM",
    "Aws",
    "CredentialSettings",
    "OutputSettings",
    "Role",
    "RunSettings",
    "aws_of",
    "lifetime",
    "read_policy",
    "read_role",
]

PROGRAM = "aws-tpm-process-credential"


class CredentialSettings(TpmSettings):
    """Options of a run: the key that signs, and the requested credentials.

    An option that is not given has its default value or None.
    """

    profile: str | None
    aws_access_key_id: str | None
    persistentHandle: int
    credential_file: str | None
    keyPass: str | None
    keyPass_file: str | None
    parentPass: str | None
    parentPass_file: str | None
    pcrs: str | None
    useEKParent: bool
    tpm_session_encrypt_with_name: str | None
    tpm_session_encrypt_with_public: str | None
    key_name: str | None
    no_session_encryption: bool
    assumeRole: bool
    aws_arn: list[str] | None
    aws_session_name: str | None
    aws_region: str | None
    duration: str | None
    external_id: str | None
    policy: str | None
    policy_file: str | None
    policy_arn: list[str] | None
    tag: list[str] | None
    transitive_tag_key: list[str] | None
    source_identity: str | None
    mfa_serial: str | None
    mfa_code: str | None
    mfa_process: str | None
    mfa_totp: str | None
    federation_name: str | None
    root_of: str | None
    task_policy_arn: str | None
    endpoint_url: str | None
    use_fips_endpoint: bool
    use_dualstack_endpoint: bool
    ca_bundle: str | None
    cache: bool
    cache_key: str
    verbose: bool


class OutputSettings:
    """Options of a run: the destination and format of the credentials."""

    format: str
    credentials_profile: str | None
    credentials_overwrite: bool
    verbose: bool


OUTPUT_OPTIONS = frozenset(OutputSettings.__annotations__) - frozenset(CredentialSettings.__annotations__)
"""Options that only affect the output of the credentials."""


class Role(NamedTuple):
    """The options for assuming a role or a chain of roles. Limits apply to the last role; tags are KEY=VALUE."""

    arns: Sequence[str]
    session_name: str | None = None
    duration: str | None = None
    external_id: str | None = None
    policy: str | None = None
    policy_arns: Sequence[str] | None = None
    source_identity: str | None = None
    tags: Sequence[str] | None = None
    transitive_tag_keys: Sequence[str] | None = None


class Aws(NamedTuple):
    """Settings for requests to AWS: region and endpoint URL for STS; environment and profile for all services.

    Options override environment variables. If `environ` has no AWS_CA_BUNDLE, it defaults to the profile's
    ca_bundle.
    """

    region: str | None
    endpoint: str | None
    environ: Mapping[str, str]
    profile: Profile | None


class RunSettings(CredentialSettings, OutputSettings):
    """All settings of a run: its options, and settings that only a profile of ~/.aws/config has.

    They are changed only in a copy (see `copy`). `aws_profile` contains the settings for endpoints, CA
    certificates and retries. `profile_region` is the region of the profile named `profile`. `earlier` lists the
    roles to assume before the role that the options name. `roles_anywhere` replaces the access key.
    """

    version: bool
    aws_profile: Profile | None
    profile_region: str | None
    earlier: tuple[Role, ...]
    roles_anywhere: RolesAnywhere | None

    def copy(self) -> RunSettings:
        """Returns a copy of the settings, whose attributes the caller may set before passing the copy on."""
        found = RunSettings()
        vars(found).update(vars(self))
        return found

    def with_options(self, options: Mapping[str, object]) -> RunSettings:
        """Returns a copy of the settings in which `options` (option name to value) replace the previous values."""
        found = self.copy()
        vars(found).update(options)
        return found

    def without_roles(self) -> RunSettings:
        """Returns a copy of the settings without roles and their limits."""
        found = self.copy()
        found.assumeRole = False
        found.earlier = ()
        found.aws_arn = found.policy_arn = found.tag = found.transitive_tag_key = None
        found.aws_session_name = found.duration = found.external_id = found.source_identity = None
        found.policy = found.policy_file = None
        return found


def aws_of(settings: RunSettings) -> Aws:
    """Returns the settings for requests to AWS from the options, the profile and the environment."""
    profile = settings.aws_profile
    bundle = {"AWS_CA_BUNDLE": found} if (found := profile and profile.get("ca_bundle")) else {}
    options = {
        "AWS_CA_BUNDLE": settings.ca_bundle,
        "AWS_USE_FIPS_ENDPOINT": settings.use_fips_endpoint and "true",
        "AWS_USE_DUALSTACK_ENDPOINT": settings.use_dualstack_endpoint and "true",
    }
    environ = {**bundle, **os.environ, **{name: value for name, value in options.items() if value}}
    return Aws(settings.aws_region or None, settings.endpoint_url, environ, profile)


def lifetime(settings: RunSettings) -> str:
    """Returns the requested lifetime of the credentials in seconds, as text."""
    return settings.duration or ("900" if settings.root_of else "3600")


def read_role(settings: RunSettings) -> Role:
    """Returns the role that the options describe. Raises UsageError if the policy file cannot be read."""
    return Role(
        settings.aws_arn or [""],
        settings.aws_session_name,
        settings.duration,
        settings.external_id,
        read_policy(settings),
        settings.policy_arn,
        settings.source_identity,
        settings.tag,
        settings.transitive_tag_key,
    )


def read_policy(settings: RunSettings) -> str | None:
    """Returns the text of --policy or --policy-file, or None. Raises UsageError for both or an unreadable file."""
    if not settings.policy_file:
        return settings.policy
    from ..terminal.files import read_small  # noqa: PLC0415 - few runs have a policy file

    if settings.policy:
        raise UsageError("--policy and --policy-file are both given; give one")
    try:
        return read_small(settings.policy_file).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{settings.policy_file} is not UTF-8; save it as UTF-8") from None
