"""The purpose of a cache: a digest of all inputs that affect the credentials."""

from __future__ import annotations

import os
from hashlib import sha256

from ...tpm.path import lasting_path
from ..settings import OUTPUT_OPTIONS, RunSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpmwire.keys.keyfile import KeyFile  # a run with a persistent key must not load this module

__all__ = ["cache_purpose"]

SHAPELESS = frozenset(
    {
        # Output and timeouts do not affect the credentials.
        *("verbose", "version", "timeout", "cache", *OUTPUT_OPTIONS),
        # Authorizations are excluded: the TPM checks them on each run, and passwords could be guessed from a
        # digest.
        *("keyPass", "keyPass_file", "parentPass", "parentPass_file"),
        # A code is valid once, and the next one gets the same credentials.
        "mfa_code",
    }
)
"""Options that do not change the credentials."""

ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ROLESANYWHERE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
"""Environment variables that change the request for credentials."""

SETTINGS = ("sts_regional_endpoints", "use_dualstack_endpoint", "use_fips_endpoint")
"""Settings of a profile that change the request.

Other settings are not read, since a profile can contain secrets.
"""


def cache_purpose(settings: RunSettings, file: KeyFile | None, content: bytes = b"") -> bytes:
    """Returns a 32-byte digest of all inputs that affect the credentials.

    The digest covers every option that is not known to be harmless, so that no new option is forgotten. It covers
    the content of a key file, so that a different key at the same path counts. The file is not read again, since
    it may be a pipe. `content` is that of further files.
    """
    values = {**vars(settings), "tpm_path": lasting_path(settings.tpm_path)}
    options = [(name, repr(value)) for name, value in sorted(values.items()) if name not in SHAPELESS]
    variables = [(name, os.environ[name]) for name in ENVIRONMENT if name in os.environ]
    if settings.aws_profile is not None:
        variables += [(name, settings.aws_profile.get(name) or "") for name in SETTINGS]
    digest = sha256(repr((options, variables)).encode("utf-8", "surrogateescape"))
    if file is not None:
        digest.update(sha256(file.to_der()).digest())
    if content:
        digest.update(sha256(content).digest())
    return digest.digest()
