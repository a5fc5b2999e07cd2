"""Prints a token for Kafka clients of Amazon MSK with IAM authentication, signed by the key in the TPM.

  tpmwire token msk --profile work --region eu-central-1

A Kafka client uses it as its OAUTHBEARER token (security.protocol=SASL_SSL,
sasl.mechanism=OAUTHBEARER, port 9098).
In Python, a token provider runs this command:

  subprocess.check_output(
      ["tpmwire", "token", "msk", "--profile", "work"], text=True
  ).strip()

The token is a signature, made without a request to AWS. It is valid for 15 minutes.
"""

import argparse
import time

from sigv4.endpoints import check_region
from sigv4.tokens import msk_token
from tpmwire import __version__

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--region", metavar="REGION", help="region of the cluster (default: the profile's)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints an authentication token for Amazon MSK.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    caller = caller_of(args)
    region = check_region(region_of(caller, args.region))
    signer = signer_of(caller)
    print(msk_token(signer, region, signer.signing_time(time.time()), f"tpmwire/{__version__}"))
    return 0
