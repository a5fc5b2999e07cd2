"""Queries STS with requests signed by the key in the TPM.

  tpmwire aws whoami --profile work
  tpmwire aws key-info AKIA... --profile work
  tpmwire aws decode-message ENCODED --profile work
  tpmwire aws web-identity-token --audience https://api.example \\
      --signing-algorithm ES384 --profile work
  tpmwire aws delegated-access-token --trade-in-token-file FILE \\
      --profile work --format env

whoami needs no permission, and so tests whether a key works. key-info prints the account of any access key ID.
decode-message decodes the encoded message of an UnauthorizedOperation error. web-identity-token prints a JWT about
the caller for services outside AWS. delegated-access-token exchanges a trade-in token of another account for
credentials. These three need the permissions sts:DecodeAuthorizationMessage, sts:GetWebIdentityToken and
sts:GetDelegatedAccessToken; the last two need a region.
"""

import argparse
import json
from typing import TypeVar

from sigv4.client import StsClient
from sigv4.operation import Operation
from sigv4.retry import read_retry_policy
from sigv4.sts import (
    DecodeAuthorizationMessage,
    GetAccessKeyInfo,
    GetCallerIdentity,
    GetDelegatedAccessToken,
    GetWebIdentityToken,
)

from ..credentials.output import put_out
from ..credentials.settings import OutputSettings
from ..credentials.sts import endpoint_for, seconds_of, tags_of
from ..requests.options import (
    Sigv4aUseSettings,
    UseSettings,
    add_sigv4a_use_options,
    add_use_options,
    caller_of,
)
from ..requests.signer import http_client, signer_of
from ..terminal.files import read_small
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]

Result = TypeVar("Result")

_QUESTIONS = {
    "whoami": "print account, ARN and user id of the caller (GetCallerIdentity)",
    "key-info": "print the account that owns an access key id (GetAccessKeyInfo)",
    "decode-message": "decode the message of an authorization error (DecodeAuthorizationMessage)",
    "web-identity-token": "print a JWT about the caller, for services outside AWS (GetWebIdentityToken)",
    "delegated-access-token": "exchange a trade-in token for credentials (GetDelegatedAccessToken)",
}


class Settings(Sigv4aUseSettings, UseSettings, OutputSettings):
    """The verb's options; each of the STS queries sets only its own."""

    question: str
    about: str
    json: bool
    trade_in_token_file: str
    audience: list[str]
    signing_algorithm: str
    token_duration: str | None
    token_tag: list[str] | None
    scope: str | None
    subject_mode: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    questions = parser.add_subparsers(dest="question", required=True, metavar="OPERATION")
    for name, text in _QUESTIONS.items():
        question = questions.add_parser(name, help=text, description=text)
        if name == "key-info":
            question.add_argument("about", metavar="ID", help="access key ID whose AWS account is queried")
        if name == "decode-message":
            question.add_argument(
                "about", metavar="ENCODED", help="encoded authorization message from an AWS error"
            )
        if name == "web-identity-token":
            _configure_token(question)
        if name == "delegated-access-token":
            question.add_argument(
                "--trade-in-token-file", required=True, metavar="FILE", help="file with the trade-in token"
            )
        elif name != "decode-message":
            question.add_argument("--json", action="store_true", help="print one JSON object")
        add_sigv4a_use_options(question)
        # --format is for delegated-access-token, the only query that prints credentials.
        add_use_options(question, without=() if name == "delegated-access-token" else ("--format",))


def _configure_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--audience",
        required=True,
        action="append",
        metavar="AUDIENCE",
        help="audience of the token; repeat up to 10 times",
    )
    # sigv4.sts checks the limits of the value.
    parser.add_argument(
        "--signing-algorithm", required=True, metavar="ALG", help="signing algorithm: ES384 or RS256"
    )
    parser.add_argument(
        "--token-duration",
        metavar="SECONDS",
        help="lifetime of the token in seconds, 60 to 3600 (default: 300, set by AWS)",
    )
    parser.add_argument(
        "--token-tag",
        action="append",
        metavar="KEY=VALUE",
        help="custom claim to include in the token; repeatable",
    )
    parser.add_argument("--scope", metavar="SCOPES", help="OAuth scopes, separated by spaces")
    parser.add_argument(
        "--subject-mode", metavar="MODE", help="subject of the token: AWSIdentity (default) or OriginIdentity"
    )


def run(args: Settings) -> int:
    """Sends the selected query to STS, and prints the result.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `StsClient.call`.
    """
    if args.question == "decode-message":
        # The decoded message is already JSON.
        print(_ask(args, DecodeAuthorizationMessage(args.about)))
    elif args.question == "whoami":
        who = _ask(args, GetCallerIdentity())
        _print(args, {"Account": who.account, "Arn": who.arn, "UserId": who.user_id})
    elif args.question == "key-info":
        _print(args, {"Account": _ask(args, GetAccessKeyInfo(args.about))})
    elif args.question == "web-identity-token":
        token = _ask(args, _web_identity(args))
        values = {"WebIdentityToken": token.token, "Expiration": token.expiration}
        # The token alone, for $(...).
        print(_json(values) if args.json else token.token)
    else:
        put_out(args, lambda: _ask(args, _read_trade_in_token(args)))
    return 0


def _ask(args: Settings, operation: "Operation[Result]") -> Result:
    operation.check()
    caller = caller_of(args)
    endpoint = endpoint_for(caller.aws, operation)
    retries = read_retry_policy(caller.aws.environ, caller.aws.profile)
    http = http_client(caller)
    http.check(endpoint.url)
    signer = signer_of(caller, args.sigv4a, args.region_set)
    return StsClient(signer, endpoint, http, policy=retries).call(operation)


def _web_identity(args: Settings) -> "GetWebIdentityToken":
    return GetWebIdentityToken(
        args.audience,
        args.signing_algorithm,
        seconds_of(args.token_duration, "--token-duration") if args.token_duration else None,
        scope=args.scope,
        subject_mode=args.subject_mode,
        tags=tags_of(args.token_tag, "--token-tag"),
    )


def _read_trade_in_token(args: Settings) -> "GetDelegatedAccessToken":
    token = read_small(args.trade_in_token_file).strip()
    if not token.isascii():
        raise UsageError(
            f"{args.trade_in_token_file} does not contain a trade-in token: expected ASCII text; give another file"
        )
    return GetDelegatedAccessToken(token.decode())


def _print(args: Settings, values: dict[str, str]) -> None:
    if args.json:
        print(_json(values))
    else:
        print("\n".join(f"{name:8}{_escape(text)}" for name, text in values.items()))


def _json(values: dict[str, str]) -> str:
    return json.dumps(values)


def _escape(text: str) -> str:
    return text if text.isprintable() else ascii(text)
