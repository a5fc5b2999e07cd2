"""Prints docker's password for Amazon ECR, or runs as docker's credential helper, with the key in the TPM.

Like `aws ecr get-login-password`, valid for 12 hours:

  tpmwire token ecr --profile work |
      docker login --username AWS --password-stdin \\
      123456789012.dkr.ecr.eu-central-1.amazonaws.com

As docker's credential helper, which stores no password in a file: create an executable docker-credential-tpmwire
on the PATH

  #!/bin/sh
  exec tpmwire token ecr --profile work "$1"

and name it in ~/.docker/config.json, which podman, skopeo and buildah also read:

  {"credHelpers": {
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com": "tpmwire",
    "public.ecr.aws": "tpmwire"}}

The signer needs ecr:GetAuthorizationToken (for the public registry: ecr-public:GetAuthorizationToken and
sts:GetServiceBearerToken). Nothing is stored: store and erase do nothing, and list is empty.
"""

import argparse
import json

from sigv4.client import AwsClient
from sigv4.endpoints import resolve_service
from sigv4.retry import read_retry_policy
from sigv4.tokens import ecr_login, ecr_request, registry_region

from ..requests.options import Caller, UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import http_client, signer_of
from ..terminal.files import read_stdin
from ..terminal.messages import warn

__all__ = ["Settings", "configure", "run"]

_PUBLIC = "public.ecr.aws"
_PUBLIC_REGION = "us-east-1"  # the only region that issues passwords for the public registry
_LIMIT = 1 << 16  # bytes of docker's request
# docker recognizes only this text as "not found".
_NOT_FOUND = "credentials not found in native keychain"


class Settings(UseSettings):
    """The verb's options."""

    action: str | None
    region: str | None
    public: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("get", "store", "erase", "list"),
        help="docker credential helper action; get reads the registry from stdin (default: print the password)",
    )
    parser.add_argument("--region", metavar="REGION", help="region of the registry (default: the profile's)")
    parser.add_argument("--public", action="store_true", help=f"get the password for {_PUBLIC} (ECR Public)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints an ECR password, or responds to docker's request for a registry's credentials.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `AwsClient.send`.
    """
    if args.action is None:
        caller = caller_of(args)
        region = _PUBLIC_REGION if args.public else region_of(caller, args.region)
        print(_login(caller, region, public=args.public)[1])
        return 0
    if args.action != "get":
        if args.action == "list":
            print("{}")
        return 0
    asked = read_stdin(_LIMIT).strip()
    host = asked.removeprefix("https://").partition("/")[0]
    found = _PUBLIC_REGION if host == _PUBLIC else registry_region(host)
    if found is None:
        print(_NOT_FOUND)
        return 1
    user, password = _login(caller_of(args), found, public=host == _PUBLIC)
    print(json.dumps({"ServerURL": asked, "Username": user, "Secret": password}))
    return 0


def _login(caller: Caller, region: str, *, public: bool) -> tuple[str, str]:
    """Requests an ECR authorization token, and returns docker's (user name, password) from it."""
    aws = caller.aws
    endpoint = resolve_service("ecr-public" if public else "ecr", region, None, aws.environ, aws.profile)
    retries = read_retry_policy(aws.environ, aws.profile)
    http = http_client(caller)
    http.check(endpoint.url)
    request = ecr_request(endpoint, public=public)
    client = AwsClient(signer_of(caller), endpoint, http, policy=retries, warn=warn)
    user, password, _ = ecr_login(client.send(request).body)
    return user, password
