"""Asks STS about keys and refusals, signed by the key in the TPM.

  tpmwire aws whoami --profile work
  tpmwire aws key-info AKIA... --profile work
  tpmwire aws decode-message ENCODED --profile work

whoami proves a key: it needs no permission. key-info tells the account of any access key id. decode-message opens
the encoded message of a refusal (UnauthorizedOperation); it needs the permission sts:DecodeAuthorizationMessage.
"""

import argparse
import os
from typing import TypeVar

from sigv4.sts import DecodeAuthorizationMessage, GetAccessKeyInfo, GetCallerIdentity, Operation

from ..using import add_use_options, http_client, signer_of, use_args

__all__ = ["HELP", "configure", "run"]

HELP = "ask STS who signs, whose an access key id is, and why something was refused"

Result = TypeVar("Result")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    questions = parser.add_subparsers(dest="question", required=True, metavar="QUESTION")
    for name, text in (
        ("whoami", "account, ARN and user id of the signer (GetCallerIdentity)"),
        ("key-info", "the account of an access key id (GetAccessKeyInfo)"),
        ("decode-message", "the message of a refusal (DecodeAuthorizationMessage)"),
    ):
        question = questions.add_parser(name, help=text, description=text)
        if name != "whoami":
            word = "ID" if name == "key-info" else "ENCODED"
            question.add_argument("about", metavar=word, help="what is asked about")
        question.add_argument("--json", action="store_true", help="one JSON object")
        add_use_options(question)


def run(args: argparse.Namespace) -> int:
    """Prints the answer. Raises RequestError before the TPM is asked, and what `StsClient.call` does."""
    import json

    if args.question == "whoami":
        who = _ask(args, GetCallerIdentity())
        values = {"Account": who.account, "Arn": who.arn, "UserId": who.user_id}
    elif args.question == "key-info":
        values = {"Account": _ask(args, GetAccessKeyInfo(args.about))}
    else:
        # The answer is JSON itself.
        print(_ask(args, DecodeAuthorizationMessage(args.about)))
        return 0
    if args.json:
        print(json.dumps(values))
    else:
        print("\n".join(f"{name:8}{_printable(text)}" for name, text in values.items()))
    return 0


def _ask(args: argparse.Namespace, operation: Operation[Result]) -> Result:
    from sigv4.client import StsClient
    from sigv4.endpoints import resolve
    from sigv4.retry import policy

    operation.check()
    used = use_args(args)
    endpoint = resolve(used.aws_region or None, used.endpoint_url, os.environ, used.settings)
    retries = policy(os.environ, used.settings)
    return StsClient(signer_of(used), endpoint, http_client(used), policy=retries).call(operation)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
