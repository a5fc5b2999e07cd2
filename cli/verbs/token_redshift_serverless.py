"""Prints a database user and password for Amazon Redshift Serverless, requested with the key in the TPM.

  HOST=sales.123456789012.eu-central-1.redshift-serverless.amazonaws.com
  eval "$(tpmwire token redshift-serverless --profile work \\
      --workgroup-name sales)"
  psql "host=$HOST port=5439 dbname=dev sslmode=require"

PGUSER and PGPASSWORD are printed, for psql and other programs that use libpq. --json prints what `aws
redshift-serverless get-credentials` prints. AWS derives the user from the identity: IAM:NAME for a user, IAMR:NAME
for a role. The password is valid for connections that begin within 15 minutes, or --duration-seconds.

The signer needs redshift-serverless:GetCredentials.
"""

import argparse
import json
import shlex

from sigv4.client import AwsClient
from sigv4.endpoints import resolve_service
from sigv4.retry import read_retry_policy
from sigv4.tokens import redshift_login, redshift_request

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import http_client, signer_of
from ..terminal.messages import warn

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    workgroup_name: str
    db_name: str | None
    duration_seconds: int | None
    region: str | None
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--workgroup-name", required=True, metavar="NAME", help="name of the workgroup")
    parser.add_argument("--db-name", metavar="DB", help="database that the password is limited to (default: any)")
    parser.add_argument(
        "--duration-seconds",
        type=int,
        metavar="SECONDS",
        help="lifetime of the password, 900 to 3600 (default: 900)",
    )
    parser.add_argument("--region", metavar="REGION", help="region of the workgroup (default: the profile's)")
    parser.add_argument("--json", action="store_true", help="print user, password and expiration as JSON")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints a user and a temporary password for Amazon Redshift Serverless.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `AwsClient.send`.
    """
    caller = caller_of(args)
    aws, region = caller.aws, region_of(caller, args.region)
    endpoint = resolve_service("redshift-serverless", region, None, aws.environ, aws.profile)
    request = redshift_request(endpoint, args.workgroup_name, args.db_name, args.duration_seconds)
    retries = read_retry_policy(aws.environ, aws.profile)
    http = http_client(caller)
    http.check(endpoint.url)
    client = AwsClient(signer_of(caller), endpoint, http, policy=retries, warn=warn)
    login = redshift_login(client.send(request).body)
    if args.json:
        print(json.dumps(login, indent=2))
    else:
        print(
            f"export PGUSER={shlex.quote(login['dbUser'])}\nexport PGPASSWORD={shlex.quote(login['dbPassword'])}"
        )
    return 0
