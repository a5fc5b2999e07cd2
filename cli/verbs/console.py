"""Signs a browser in to the AWS console with temporary credentials from the key in the TPM.

  tpmwire console --profile admin
  tpmwire console --profile admin --destination s3 --region eu-central-1
  tpmwire console --profile tpm --aws-arn=arn:aws:iam::123456789012:role/admin
  tpmwire console --profile admin --session-duration 28800 --print | wl-copy

On a terminal, this verb opens the browser (xdg-open); otherwise, or with --print, it prints the URL. The URL is a
secret: anyone who has it can sign in within 15 minutes. The console accepts the credentials of a role
(--assumeRole=true, or a profile with role_arn) or of a federated user (--federation-name), but no credentials from
GetSessionToken. The session lasts as long as the credentials (--duration) or, for a single role,
--session-duration. If the browser is already signed in, sign out first.
"""

import argparse
import shutil
import sys

from sigv4.errors import ResponseError, StsError
from sigv4.http import HttpClient
from sigv4.request import Request, split_url
from sigv4.tokens import check_signin, console_page, console_url, signin_token, signin_token_request

from ..credentials.settings import RunSettings
from ..credentials.sts import obtain, seconds_of
from ..requests.browser import show
from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import http_client
from ..terminal.messages import UsageError, note, warn
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]


class Settings(UseSettings):
    """The verb's options."""

    only_print: bool
    destination: str | None
    region: str | None
    session_duration: str | None
    issuer: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--print", action="store_true", dest="only_print", help="print the URL instead of opening a browser"
    )
    parser.add_argument(
        "--destination",
        metavar="PAGE",
        help="service, such as s3, or URL of a console page (default: the console's start page)",
    )
    parser.add_argument("--region", metavar="REGION", help="region of the console (default: the profile's)")
    parser.add_argument(
        "--session-duration", metavar="SECONDS", help="lifetime of the role session in seconds, 900 to 43200"
    )
    parser.add_argument(
        "--issuer",
        metavar="URL",
        default="",
        help="URL of the page that the console links to when the session has ended",
    )
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Opens the AWS console in the browser, or prints the URL that signs a browser in.

    Raises UsageError or RequestError before the TPM is opened, StsError if AWS refuses, ResponseError
    for any other response, and the errors of `obtain`.
    """
    caller = caller_of(args)
    region = region_of(caller, args.region)
    page = console_page(region, args.destination)
    seconds = _session_seconds(caller.run, args.session_duration)
    check_signin(region, seconds)
    if args.issuer:
        split_url(args.issuer)
    http = http_client(caller)
    with activity("getting temporary credentials"):
        credentials = obtain(caller.run)
    token = signin_token(_answer(http, signin_token_request(credentials, region, seconds)))
    url = console_url(token, region, page, args.issuer)
    program = shutil.which("xdg-open")
    if program and sys.stdout.isatty() and not args.only_print:
        note("opening the browser")
        if show(url, program):
            return 0
        warn("no browser opened (xdg-open needs a graphical session); open this URL yourself")
    print(url)
    return 0


def _session_seconds(run: RunSettings, duration: str | None) -> int | None:
    """Returns the value of --session-duration in seconds; None without this option.

    Raises UsageError if AWS would refuse the duration or the credentials.
    """
    if not (run.assumeRole or run.federation_name or run.roles_anywhere):
        raise UsageError(
            "the console needs the credentials of a role or a federated user; give --assumeRole=true and "
            "--aws-arn, a profile with role_arn, or --federation-name"
        )
    if duration is None:
        return None
    if run.federation_name:
        raise UsageError("--session-duration is only for roles; for a federated user give --duration")
    if run.earlier or len(run.aws_arn or ()) > 1:
        raise UsageError("--session-duration is only for a single role; for chained roles give --duration")
    return seconds_of(duration, "--session-duration")


def _answer(http: "HttpClient", request: "Request") -> bytes:
    response = http.send(request)
    if response.status not in (200, 400, 401, 403):
        raise ResponseError(
            f"unexpected HTTP {response.status} from the console's sign-in page; check any proxy in between, or "
            "try again"
        )
    if response.status != 200:
        # The message omits the response's text, which may quote the request.
        hint = "check that they have not expired, and that --session-duration is not above the role's maximum"
        message = "the console's sign-in page refused the credentials"
        raise StsError(str(response.status), message, "", response.status, hint)
    return response.body
