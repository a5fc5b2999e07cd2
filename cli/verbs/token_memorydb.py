"""Prints a password for a MemoryDB user with IAM authentication, signed by the key in the TPM.

  HOST=clustercfg.orders.abc.memorydb.eu-central-1.amazonaws.com
  export REDISCLI_AUTH="$(tpmwire token memorydb --profile work \\
      --cluster-name orders --username me)"
  valkey-cli -c -h "$HOST" --tls --user me

The password is a signature, made without a request to AWS. It is valid for connections that begin within 15
minutes. MemoryDB closes a connection after 12 hours, unless the client sends AUTH with a new password.
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
    """Prints the password.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    caller = caller_of(args)
    region = check_region(region_of(caller, args.region))
    check_cache_user(args.cluster_name, args.username)
    signer = signer_of(caller)
    moment = signer.signing_time(time.time())
    print(cache_token(signer, "memorydb", args.cluster_name, args.username, region, moment))
    return 0
