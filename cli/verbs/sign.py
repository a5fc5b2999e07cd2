"""Signs a request to any AWS service, and prints its headers for another program to send.

  URL=https://bucket.s3.eu-central-1.amazonaws.com/report.pdf
  tpmwire sign --profile work "$URL" | curl -H @- -O "$URL"
  tpmwire sign --profile work -T report.pdf "$URL" |
      curl -H @- -T report.pdf "$URL"
  tpmwire sign --profile work --output json \\
      -d 'Action=DescribeRegions&Version=2016-11-15' \\
      https://ec2.eu-central-1.amazonaws.com/

Send method, headers, body and URL exactly as they were signed, within five minutes (S3: 15). Service and region
are derived from the host; if the host does not state them, give --service and --region:

  tpmwire sign --profile minio --service s3 --region us-east-1 \\
      'http://127.0.0.1:9000/bucket/?list-type=2'

`tpmwire curl` sends the request itself; `tpmwire presign` creates a URL.
"""

import argparse
import json
import time
from urllib.parse import urlsplit

from sigv4.request import FileBody, Request, host_header

from ..requests.options import (
    BodySettings,
    RequestSettings,
    UseSettings,
    add_body_options,
    add_request_options,
    add_use_options,
    caller_of,
)
from ..requests.request import check_ends, open_request
from ..requests.response import out
from ..requests.signer import signer_of

__all__ = ["Settings", "configure", "run"]


class Settings(RequestSettings, BodySettings, UseSettings):
    """The verb's options."""

    output: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_request_options(parser)
    add_body_options(parser)
    parser.add_argument(
        "--output",
        choices=("headers", "json", "http"),
        default="headers",
        help="output format: headers (one per line, as `curl -H @-` reads them), json (method, url and headers) "
        "or http (the whole HTTP/1.1 request with its body) (default: headers)",
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints the signed request or its headers.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    caller = caller_of(args)
    with open_request(args, caller, args) as (request, scope):
        if args.output == "http":
            check_ends(request)
        signer = signer_of(caller, args.sigv4a, scope.region_set)
        moment = signer.signing_time(time.time())
        unsigned = scope.unsigned_payload
        signed = signer.sign(request, scope.regions, scope.service, moment, unsigned_payload=unsigned)
        if args.output == "http":
            _write(signed)
        elif args.output == "json":
            print(json.dumps({"method": signed.method, "url": signed.url, "headers": dict(_join_headers(signed))}))
        else:
            print("\n".join(f"{name}: {value}" for name, value in _join_headers(signed)))
    return 0


def _join_headers(request: "Request") -> list[tuple[str, str]]:
    """Returns the signed request's headers as (name, value), with repeated headers joined (RFC 9110 §5.3)."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in request.headers:
        first, values = found.get(name.lower(), (name, ""))
        found[name.lower()] = first, f"{values},{value}" if values else value
    return list(found.values())


def _write(request: "Request") -> None:
    """Writes the HTTP/1.1 request to stdout, byte for byte as a client would send it."""
    parts = urlsplit(request.url)
    lines = [f"{request.method} {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1"]
    if request.header("Host") is None:
        lines.append(f"Host: {host_header(request.url)}")
    if request.body or request.method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(request.body or b'')}")
    lines += [f"{name}: {value}" for name, value in request.headers]
    target = out()
    target.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    if isinstance(request.body, FileBody):
        while block := request.body.read(1 << 16):
            target.write(block)
    elif request.body:
        target.write(request.body)
