"""Makes a link to any AWS service, signed by the key in the TPM: who has it can do this one thing for a time.

  tpmwire presign --profile work https://bucket.s3.eu-central-1.amazonaws.com/report.pdf
  tpmwire presign --profile work --expires 604800 s3://bucket/report.pdf --region eu-central-1
  tpmwire presign --profile work -X PUT -H 'Content-Type: application/pdf' \\
      https://bucket.s3.eu-central-1.amazonaws.com/in/report.pdf

Headers that are given are signed: who uses the link must send the same. S3's links say nothing of a body; those
of other services stand for an empty one. A link made with temporary credentials (a role, MFA) ends with them,
whatever --expires says. The link is as good as a password: whoever reads it may use it.
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
    """Prints the URL. Raises UsageError, RequestError before the TPM is asked; what `key_of` does."""
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
