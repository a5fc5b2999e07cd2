"""Prints a password for an ElastiCache user with IAM authentication, signed by the key in the TPM.

  HOST=master.sessions.abc.euc1.cache.amazonaws.com
  export REDISCLI_AUTH="$(tpmwire token elasticache --profile work \\
      --cache-name sessions --username me)"
  valkey-cli -h "$HOST" --tls --user me

The password is a signature, made without a request to AWS. It is valid for connections that begin within 15
minutes. ElastiCache closes a connection after 12 hours, unless the client sends AUTH with a new password.
"""

import argparse

from ..requests.cache_tokens import print_cache_token
from ..requests.options import UseSettings, add_use_options

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
    parser.add_argument(
        "--username", required=True, metavar="USER", help="ElastiCache user, whose ID and name are equal"
    )
    parser.add_argument("--serverless", action="store_true", help="the cache is a serverless cache")
    parser.add_argument("--region", metavar="REGION", help="region of the cache (default: the profile's)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints a temporary password for a user of ElastiCache. Raises the errors of `print_cache_token`."""
    print_cache_token(args, "elasticache", args.cache_name, args.username, args.region, serverless=args.serverless)
    return 0
