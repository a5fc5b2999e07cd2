"""Prints a password for a database user, like `aws rds generate-db-auth-token`, signed by the key in the TPM.

  HOST=db.abc.eu-central-1.rds.amazonaws.com
  export PGPASSWORD="$(tpmwire token rds --profile work \\
      --hostname "$HOST" --port 5432 --username me)"
  psql "host=$HOST user=me dbname=app sslmode=verify-full \\
      sslrootcert=global-bundle.pem"

Works for RDS and Aurora, and for Aurora DSQL, whose hosts end in .dsql.REGION.on.aws and need no --port; there the
user admin gets an administrator's password. The password is a signature, made without a request to AWS. It is
valid for one database host, port and user, and for connections that begin within 15 minutes.
"""

import argparse
import time

from sigv4.tokens import check_database, database_region, dsql_token, rds_token

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    hostname: str
    port: int | None
    username: str
    region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--hostname", required=True, metavar="HOST", help="host name of the database endpoint")
    parser.add_argument("--port", type=int, metavar="PORT", help="port of the database (not for DSQL)")
    parser.add_argument("--username", required=True, metavar="USER", help="database user")
    parser.add_argument(
        "--region", metavar="REGION", help="region of the database (default: derived from its name)"
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints a temporary password for a user of an RDS or Aurora DSQL database.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    kind, region = database_region(args.hostname) or ("rds", None)
    if kind == "rds" and args.port is None:
        raise UsageError("--port is required: the password is valid for one port only, such as 5432 or 3306")
    caller = caller_of(args)
    region = args.region or region or region_of(caller)
    check_database(args.hostname, args.port, args.username, region)
    signer = signer_of(caller)
    moment = signer.signing_time(time.time())
    if kind == "dsql":
        print(dsql_token(signer, args.hostname, region, moment, admin=args.username == "admin"))
    else:
        assert args.port is not None  # required by the check above
        print(rds_token(signer, args.hostname, args.port, args.username, region, moment))
    return 0
