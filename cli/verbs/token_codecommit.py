"""Git credential helper for AWS CodeCommit, like `aws codecommit credential-helper`, with the key in the TPM.

Git runs it:

  HOST=git-codecommit.eu-central-1.amazonaws.com
  git config --global "credential.https://$HOST.helper" \\
      '!tpmwire token codecommit --profile work'
  git config --global "credential.https://$HOST.useHttpPath" true
  git clone "https://$HOST/v1/repos/app"

To see its output, which contains a password, run it by hand:

  printf 'protocol=https\\nhost=%s\\npath=v1/repos/app\\n' "$HOST" |
      tpmwire token codecommit --profile work get

The password is a signature that is valid for one repository and a few minutes. Nothing is stored, so store and
erase do nothing. For hosts outside CodeCommit, and for plain HTTP, the helper prints nothing, and git asks its
other helpers.
"""

import argparse
import time

from sigv4.canonical import credential_scope
from sigv4.times import timestamp
from sigv4.tokens import codecommit_password, codecommit_region

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of
from ..terminal.files import read_stdin
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]

_LIMIT = 1 << 16  # bytes; git sends a few lines


class Settings(UseSettings):
    """The verb's options."""

    action: str
    region: str | None
    ignore_host_check: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "action", metavar="get|store|erase", help="action that git requests; only get has an effect"
    )
    parser.add_argument(
        "--region",
        metavar="REGION",
        help="region, if the host name does not contain one (default: the profile's region)",
    )
    parser.add_argument(
        "--ignore-host-check",
        action="store_true",
        help="also print passwords for hosts outside AWS (risk: the host can use the password on the AWS "
        "repository with the same path)",
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints the user name and password that git requests on standard input.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    asked = _attributes(read_stdin(_LIMIT))
    if args.action != "get":
        return 0
    host = asked.get("host", "")
    region = codecommit_region(host)
    if not args.ignore_host_check and (region is None or asked.get("protocol") != "https"):
        return 0
    if not host:
        raise UsageError("git's request has no host; run this command as a credential helper of git")
    if not asked.get("path"):
        raise UsageError("git's request has no path; run: git config --global credential.useHttpPath true")
    caller = caller_of(args)
    region = region or region_of(caller, args.region)
    credential_scope(timestamp(0), region, "codecommit")
    url = f"https://{host}/{asked['path']}"
    signer = signer_of(caller)
    user, password = codecommit_password(signer, url, region, signer.signing_time(time.time()))
    print(f"username={user}\npassword={password}")
    return 0


def _attributes(text: str) -> dict[str, str]:
    """Parses the NAME=VALUE lines that git writes (gitcredentials(7), "CUSTOM HELPERS")."""
    return dict(line.partition("=")[::2] for line in text.split("\n") if "=" in line)
