"""Prints a password for an ElastiCache user with IAM authentication, signed by the key in the TPM.

  HOST=master.sessions.abc.euc1.cache.amazonaws.com
  export REDISCLI_AUTH="$(tpmwire token elasticache --profile work \\
      --cache-name sessions --username me)"
  valkey-cli -h "$HOST" --tls --user me

The password is a signature, made without a request to AWS. It is valid for connections that begin within 15
minutes. ElastiCache closes a connection after 12 hours, unless the client sends AUTH with a new password.
"""

import argparse
import time

from sigv4.endpoints import check_region
from sigv4.tokens import cache_token, check_cache_user

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    cache_name: str
    username: str
    serverless: bool
    region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--cache-name", required=True, metavar="NAME", help="name of the replication group or serverless cache"
    )
    parser.add_argument("--username", required=True, metavar="USER", help="ElastiCache user; its ID is the same")
    parser.add_argument("--serverless", action="store_true", help="the cache is a serverless cache")
    parser.add_argument("--region", metavar="REGION", help="region of the cache (default: the profile's)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints the password.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    caller = caller_of(args)
    region = check_region(region_of(caller, args.region))
    check_cache_user(args.cache_name, args.username)
    signer = signer_of(caller)
    moment = signer.signing_time(time.time())
    print(
        cache_token(
            signer, "elasticache", args.cache_name, args.username, region, moment, serverless=args.serverless
        )
    )
    return 0
