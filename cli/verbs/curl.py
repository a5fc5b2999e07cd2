"""Sends a signed request to any AWS service, with curl's options.

  tpmwire curl --profile work s3://bucket/report.pdf -o report.pdf
  tpmwire curl --profile work -T report.pdf s3://bucket/report.pdf
  tpmwire curl --profile work -d 'Action=DescribeRegions&Version=2016-11-15' \\
      https://ec2.eu-central-1.amazonaws.com/
  tpmwire curl --profile work -d '{}' \\
      -H 'X-Amz-Target: DynamoDB_20120810.ListTables' \\
      -H 'Content-Type: application/x-amz-json-1.0' \\
      https://dynamodb.eu-central-1.amazonaws.com/

Request and response bodies can have any size and are streamed. A request body is read twice, first to compute its
hash for the signature; with --unsigned-payload (S3 over HTTPS) it is read once, and TLS protects it.

As in curl, every response is printed and the exit code is 0. With --fail, an HTTP error prints one line on stderr
and exits with code 6. Redirects are not followed, because a signature is valid for one host. --timeout limits the
wait for the next bytes (default: 30 seconds). Proxies and CA certificates come from the environment.
"""

import argparse
import os
import time

from sigv4.endpoints import is_enabled
from sigv4.errors import one_line
from sigv4.http import Response
from sigv4.request import Request
from sigv4.retry import CLOCK_TOLERANCE, read_retry_policy
from sigv4.s3express import bucket_of, create_session_signer
from sigv4.signer import Signer
from sigv4.times import parse_http_date
from sigv4.transfer import Transfer

from ..requests.options import (
    BodySettings,
    Caller,
    RequestSettings,
    UseSettings,
    add_body_options,
    add_request_options,
    add_use_options,
    caller_of,
)
from ..requests.request import check_ends, open_request
from ..requests.response import Output
from ..requests.signer import http_client, signer_of
from ..terminal.messages import EXIT_CODES, note, warn

__all__ = ["Settings", "configure", "run"]


class Settings(RequestSettings, BodySettings, UseSettings):
    """The verb's options."""

    output: str | None
    include: bool
    head: bool
    fail: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_request_options(parser)
    add_body_options(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the response to FILE atomically; - is standard output, unfiltered even on a terminal",
    )
    parser.add_argument(
        "-i", "--include", action="store_true", help="print status and headers of the response first"
    )
    parser.add_argument(
        "-I", "--head", action="store_true", help="send a HEAD request and print status and headers only"
    )
    parser.add_argument(
        "-f", "--fail", action="store_true", help="on an HTTP error, print no output and exit with code 6"
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Signs and sends the request, and writes the response to standard output or to a file.

    Raises UsageError or RequestError before the TPM is opened, NetworkError if there is no response, and the
    errors of `signer_of`.
    """
    caller = caller_of(args)
    with (
        open_request(args, caller, args, method="HEAD" if args.head else None) as (request, scope),
        Output(args.output, include=args.include or args.head, fail=args.fail) as output,
    ):
        check_ends(request)
        http = Transfer(caller.timeout, caller.aws.environ, receive=output.receive, warn=warn)
        http.check(request.url)
        signer = signer_of(caller, args.sigv4a, scope.region_set)
        if scope.service == "s3express" and args.sigv4a is None and scope.region_set is None:
            signer = _session(caller, request, scope.region, signer)
        moment = signer.signing_time(time.time())
        unsigned = scope.unsigned_payload
        head = http.send(signer.sign(request, scope.regions, scope.service, moment, unsigned_payload=unsigned))
        _remark(head, time.time())
        if output.refused:
            code = output.code()
            note(f"tpmwire curl: HTTP {head.status}{code and f' {code}'}; leave out --fail to print the response")
            return EXIT_CODES["StsError"][0]
        output.keep()
    return 0


def _session(caller: Caller, request: Request, region: str, signer: Signer) -> Signer:
    """Returns a signer with S3 session credentials for a request to a directory bucket, else `signer`."""
    profile = caller.aws.profile
    bucket = bucket_of(request)
    if bucket is None or is_enabled("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", os.environ, profile):
        return signer
    return create_session_signer(
        signer, bucket, region, http_client(caller), read_retry_policy(os.environ, profile), warn
    )


def _remark(head: "Response", now: float) -> None:
    """Prints warnings about problems that the response's headers show: region, redirect or clock.

    `now` is the local time in POSIX seconds.
    """
    if head.status < 300:
        return

    if region := head.header("x-amz-bucket-region"):
        warn(f"the bucket is in {one_line(region, 40)}; use the host of that region, and --region")
    elif head.status < 400 and (where := head.header("Location")):
        warn(f"the response redirects to {one_line(where, 200)}, which was not followed")
    date = parse_http_date(head.header("Date") or "")
    if head.status >= 400 and date is not None and abs(date - now) > CLOCK_TOLERANCE:
        where = "behind" if date > now else "ahead of"
        warn(f"your clock is {abs(round(date - now))} seconds {where} the server's; correct it (timedatectl)")
