"""Prints a short-term API key of Amazon Bedrock, signed by the key in the TPM.

  export AWS_BEARER_TOKEN_BEDROCK="$(tpmwire token bedrock \\
      --profile work --region us-east-1)"

Programs send the key as a bearer token, like an OpenAI API key. The key is a signature, made without a request to
AWS. It is valid in one region, for at most 12 hours; a key signed by temporary credentials (a role, MFA) ends with
them, whatever --expires says. Everyone who has the key can use it.
"""

import argparse
import time

from sigv4.endpoints import check_region
from sigv4.tokens import BEDROCK_LIFETIME, bedrock_key

from ..credentials.sts import seconds_of
from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    region: str | None
    expires: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--region", metavar="REGION", help="region of the models (default: the profile's)")
    parser.add_argument(
        "--expires",
        default=f"{BEDROCK_LIFETIME}",
        metavar="SECONDS",
        help=f"lifetime of the API key (default and maximum: {BEDROCK_LIFETIME}, 12 hours)",
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints a short-term API key of Amazon Bedrock.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    expires = seconds_of(args.expires, "--expires")
    if not 1 <= expires <= BEDROCK_LIFETIME:
        raise UsageError(f"--expires {expires} is not valid; expected 1 to {BEDROCK_LIFETIME} seconds")
    caller = caller_of(args)
    region = check_region(region_of(caller, args.region))
    signer = signer_of(caller)
    print(bedrock_key(signer, region, signer.signing_time(time.time()), expires))
    return 0
