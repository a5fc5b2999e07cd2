"""From options to temporary credentials: check all, ask the TPM for one HMAC, close it, ask STS."""

import os
from typing import TYPE_CHECKING

from .messages import UsageError, note
from .run_options import PROGRAM

if TYPE_CHECKING:
    import argparse

    from sigv4.signer import Signer
    from sigv4.sts import Credentials, Operation

__all__ = ["access_key_id", "obtain", "signer_from"]


def obtain(args: "argparse.Namespace") -> "Credentials":
    """The credentials that the options ask for.

    Raises UsageError and RequestError before the TPM is asked; what `HmacKey.hmac` and `StsClient.call` raise.
    """
    key_id = access_key_id(args)
    if args.cache:
        from .cache.run import cached

        return cached(args, key_id, lambda signer: _ask(args, signer))
    return _ask(args, signer_from(args, key_id))


def _ask(args: "argparse.Namespace", signer: "Signer") -> "Credentials":
    """The credentials from STS."""
    # All that can be wrong without the TPM and the network is found before either is asked.
    operation = _operation(args)
    from sigv4.endpoints import resolve
    from sigv4.retry import policy

    endpoint = resolve(args.aws_region or None, args.endpoint_url, os.environ)
    retries = policy(os.environ)
    import time

    from sigv4.times import timestamp

    # Before the network: the TPM is closed again by the time STS is asked.
    signer.prime(timestamp(time.time())[:8])

    from sigv4.client import StsClient
    from sigv4.http import HttpClient

    http = HttpClient(args.timeout, os.environ, user_agent=PROGRAM, warn=_warn)
    if args.verbose:
        note(f"{PROGRAM}: TPM closed; {operation.action} at {endpoint.url}, signed for {endpoint.region}")
    return StsClient(signer, endpoint, http, policy=retries, warn=_warn).call(operation)


def access_key_id(args: "argparse.Namespace") -> str:
    """The access key id that belongs to the key. Raises UsageError."""
    found = args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")
    if not found:
        raise UsageError("--aws-access-key-id (or AWS_ACCESS_KEY_ID) is required: the id that belongs to the key")
    return str(found)


def signer_from(args: "argparse.Namespace", key_id: str) -> "Signer":
    """Signs with the key of the options; the TPM is asked once for each day that is signed for.

    Raises UsageError, KeyFileError.
    """
    from sigv4.signer import Signer

    from .tpm_key import ask_tpm, key_from

    key = key_from(args)
    return Signer(key_id, lambda message: ask_tpm(args, key, message))


def _operation(args: "argparse.Namespace") -> "Operation[Credentials]":
    from sigv4.sts import AssumeRole, GetSessionToken

    number = args.duration.removesuffix("s")
    if not (number.isdecimal() and number.isascii()):
        raise UsageError(f"--duration {args.duration!r} is no number of seconds")
    operation: Operation[Credentials]
    if args.assumeRole:
        if not args.aws_arn:
            raise UsageError("--assumeRole needs the role: --aws-arn=arn:aws:iam::ACCOUNT:role/NAME")
        name = args.aws_session_name or f"tpmwire-{os.urandom(8).hex()}"
        operation = AssumeRole(args.aws_arn, name, int(number))
    else:
        operation = GetSessionToken(int(number))
    operation.check()
    return operation


def _warn(text: str) -> None:
    note(f"{PROGRAM}: warning: {text}")
