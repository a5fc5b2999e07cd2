"""Keeps a profile of ~/.aws/credentials up to date with credentials of IAM Roles Anywhere.

  tpmwire roles-anywhere update --profile default --once \\
      --certificate host.pem --private-key handle:0x81010050 \\
      --trust-anchor-arn arn:aws:rolesanywhere:...:trust-anchor/... \\
      --profile-arn arn:aws:rolesanywhere:...:profile/... \\
      --role-arn arn:aws:iam::123456789012:role/reader

For programs that read only the credentials file; others should use credential_process, which leaves no secret on
the disk. Writes the profile atomically, readable by its owner only, and leaves other profiles unchanged. Without
--once, renews the credentials 15 to 20 minutes before they expire. Failures are logged and tried again, at first
after 10 seconds, later after at most 2 minutes.
"""

import argparse

from sigv4.credentials import Credentials
from sigv4.errors import NetworkError, ResponseError, StsError
from sigv4.retry import RetryPolicy

from ..awsconfig.credentials_file import check, write_credentials
from ..credentials.roles_anywhere.options import HelperSettings, add_session_options, run_of
from ..credentials.sts import obtain
from ..serving.notify import Notifier
from ..serving.renewal import log_failures, outlook, renew_until_signal
from ..serving.store import Store
from ..terminal.messages import note

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""


class Settings(HelperSettings):
    """The verb's options."""

    once: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_session_options(parser)
    group = parser.add_argument_group("the credentials file")
    group.add_argument(
        "--profile",
        dest="credentials_profile",
        default="default",
        metavar="NAME",
        help="profile of ~/.aws/credentials to write (default: default)",
    )
    group.add_argument(
        "--credentials-overwrite",
        action="store_true",
        help="overwrite the profile even if it has a long-term key (the key is lost)",
    )
    group.add_argument("--once", action="store_true", help="write the credentials once, and exit")


def run(args: Settings) -> int:
    """Writes credentials to the file: once, or until a signal arrives.

    Raises UsageError, OSError, and the errors of `obtain` for the first credentials. Without --once, temporary
    errors of the network or AWS are only logged.
    """
    profile, overwrite = args.credentials_profile or "default", args.credentials_overwrite
    check(profile, overwrite=overwrite)

    def fetch() -> Credentials:
        credentials = obtain(run_of(args))
        path = write_credentials(profile, credentials, overwrite=overwrite)
        note(
            f"tpmwire roles-anywhere update: wrote the profile {profile} to {path}, valid until "
            f"{credentials.expiration}"
        )
        return credentials

    store = Store(fetch)
    try:
        store.fetch()
    except (NetworkError, ResponseError, StsError) as error:
        if args.once or (isinstance(error, StsError) and not RetryPolicy().retries(error)):
            raise
        with log_failures("roles-anywhere update", lambda: outlook(store)):
            raise
    if not args.once:
        renew_until_signal("roles-anywhere update", {"": store}, Notifier())
    return 0
