"""Prints temporary credentials of IAM Roles Anywhere, for credential_process in ~/.aws/config.

  tpmwire roles-anywhere credential-process \\
      --certificate host.pem --private-key handle:0x81010010 \\
      --trust-anchor-arn arn:aws:rolesanywhere:...:trust-anchor/... \\
      --profile-arn arn:aws:rolesanywhere:...:profile/... \\
      --role-arn arn:aws:iam::123456789012:role/reader

The private key of an X.509 certificate is in the TPM and signs the request, so this machine has no long-term AWS
secret. Takes the options of AWS's aws_signing_helper, and works under that name: existing lines in ~/.aws/config
need only the new path. Before the TPM is used, the certificate is checked: its key, validity, usages and chain.
docs/roles-anywhere.md describes the set-up.
"""

import argparse

from ..credentials.output import put_out
from ..credentials.roles_anywhere.options import HelperSettings, add_session_options, run_of
from ..credentials.sts import obtain

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""


class Settings(HelperSettings):
    """The verb's options."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_session_options(parser, output=True)


def run(args: Settings) -> int:
    """Prints temporary credentials of IAM Roles Anywhere.

    Raises UsageError, OSError and the errors of `obtain`.
    """
    settings = run_of(args)
    put_out(settings, lambda: obtain(settings))
    return 0
