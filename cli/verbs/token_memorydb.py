"""Prints a password for a MemoryDB user with IAM authentication, signed by the key in the TPM.

  HOST=clustercfg.orders.abc.memorydb.eu-central-1.amazonaws.com
  export REDISCLI_AUTH="$(tpmwire token memorydb --profile work \\
      --cluster-name orders --username me)"
  valkey-cli -c -h "$HOST" --tls --user me

The password is a signature, made without a request to AWS. It is valid for connections that begin within 15
minutes. MemoryDB closes a connection after 12 hours, unless the client sends AUTH with a new password.
"""

import argparse

from ..requests.cache_tokens import print_cache_token
from ..requests.options import UseSettings, add_use_options

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    cluster_name: str
    username: str
    region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--cluster-name", required=True, metavar="NAME", help="name of the cluster")
    parser.add_argument("--username", required=True, metavar="USER", help="MemoryDB user")
    parser.add_argument("--region", metavar="REGION", help="region of the cluster (default: the profile's)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints a temporary password for a user of MemoryDB. Raises the errors of `print_cache_token`."""
    print_cache_token(args, "memorydb", args.cluster_name, args.username, args.region)
    return 0
