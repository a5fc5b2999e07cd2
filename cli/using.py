"""Which key a verb uses, a profile's or that of its own options; credentials and signatures from it."""

import argparse
import os
from typing import TYPE_CHECKING

from .messages import UsageError, note

if TYPE_CHECKING:
    from sigv4.http import HttpClient
    from sigv4.signer import Signer
    from sigv4.sts import Credentials

__all__ = ["add_use_options", "http_client", "region_of", "signer_of", "temporary", "use_args"]


def add_use_options(parser: argparse.ArgumentParser) -> None:
    """--profile, and all options of `aws-tpm-process-credential`, as they stand on its own command line."""
    from .run_options import run_parser

    parser.add_argument(
        "--profile",
        metavar="P",
        help="use the key and role of this profile of ~/.aws/config, whose credential_process runs "
        "aws-tpm-process-credential; instead of the options of that program, which are also taken",
    )
    group = parser.add_argument_group("without --profile, the options of aws-tpm-process-credential")
    for action in run_parser()._actions:
        if not {"-h", "--version"} & set(action.option_strings):
            group._add_action(action)


def use_args(args: argparse.Namespace) -> argparse.Namespace:
    """The program's options: the profile's, or those given. Raises UsageError for a profile that is not ours."""
    if args.profile is None:
        return args
    from .rotation import current

    return current(args.profile).args


def temporary(args: argparse.Namespace) -> "Credentials":
    """Temporary credentials, one HMAC of the TPM and one STS request. Raises what `obtain` does."""
    from .obtain import obtain

    return obtain(use_args(args))


def signer_of(args: argparse.Namespace) -> "Signer":
    """Signs with temporary credentials where a role, a user or MFA is asked for, else with the TPM's key itself.

    The TPM is closed again when this returns. Raises what `obtain` does.
    """
    import time

    from sigv4.signer import Signer, hmac_from_secret
    from sigv4.times import timestamp

    from .obtain import access_key_id, obtain, signer_from

    used = use_args(args)
    if used.assumeRole or used.federation_name or used.root_of or used.mfa_serial:
        found = obtain(used)
        return Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
    signer = signer_from(used, access_key_id(used))
    signer.prime(timestamp(time.time())[:8])
    return signer


def region_of(args: argparse.Namespace, given: str | None = None) -> str:
    """The region to sign for: `given`, --aws-region, the environment's, the profile's. Raises UsageError."""
    from sigv4.config import load, region

    if found := given or args.aws_region:
        return str(found)
    config = load(os.environ)
    profile = config.profile(args.profile) if args.profile in config else None
    found = region(os.environ, profile) or use_args(args).aws_region
    if not found:
        raise UsageError("no region is known: give --region, or set AWS_REGION")
    return str(found)


def http_client(args: argparse.Namespace) -> "HttpClient":
    """The client for requests that are no STS requests; a person waits, so it waits 30 seconds at least."""
    from sigv4.http import HttpClient

    return HttpClient(max(float(args.timeout), 30.0), os.environ, user_agent="tpmwire", warn=_warn)


def _warn(text: str) -> None:
    note(f"tpmwire: warning: {text}")
