"""Creates a presigned URL for any AWS service: anyone with the URL can send the request until it expires.

  tpmwire presign --profile work \\
      https://bucket.s3.eu-central-1.amazonaws.com/report.pdf
  tpmwire presign --profile work --expires 604800 s3://bucket/report.pdf \\
      --region eu-central-1
  tpmwire presign --profile work -X PUT -H 'Content-Type: application/pdf' \\
      https://bucket.s3.eu-central-1.amazonaws.com/in/report.pdf

Headers given with -H are signed, and must be sent with the request. URLs for S3 do not cover the body; those for
other services are for an empty body. A URL made with temporary credentials (a role, MFA) expires with them,
whatever --expires says. Treat the URL like a password.
"""

import argparse
import time

from sigv4.signer import PRESIGN_MAX
from sigv4.times import parse_rfc3339

from ..credentials.sts import seconds_of
from ..requests.options import RequestSettings, UseSettings, add_request_options, add_use_options, caller_of
from ..requests.request import open_request
from ..requests.signer import key_of
from ..terminal.messages import UsageError, warn

__all__ = ["Settings", "configure", "run"]


class Settings(RequestSettings, UseSettings):
    """The verb's options."""

    expires: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_request_options(parser)
    parser.add_argument(
        "--expires",
        default="3600",
        metavar="SECONDS",
        help="lifetime of the URL in seconds, 1 to 604800 (default: 3600)",
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints the presigned URL.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `key_of`.
    """
    seconds = seconds_of(args.expires, "--expires")
    if not 1 <= seconds <= PRESIGN_MAX:
        raise UsageError(f"--expires {seconds} is not valid; expected 1 to {PRESIGN_MAX} seconds")
    caller = caller_of(args)
    with open_request(args, caller) as (request, scope):
        signer, ends = key_of(caller, args.sigv4a, scope.region_set)
        now = signer.signing_time(time.time())
        if ends is not None and parse_rfc3339(ends) < now + seconds:
            warn(f"the URL expires at {ends}, with the temporary credentials that signed it")
        print(signer.presign(request, scope.regions, scope.service, now, seconds))
    return 0
