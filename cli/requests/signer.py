"""Which key a verb uses, a profile's or that of its own options; credentials and signatures from it."""

import argparse
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..terminal.messages import UsageError, note

if TYPE_CHECKING:
    from sigv4.http import HttpClient
    from sigv4.signer import Signer
    from sigv4.sts import Credentials

__all__ = [
    "add_use_options",
    "http_client",
    "key_of",
    "patience",
    "region_of",
    "signer_of",
    "temporary",
    "use_args",
    "warn",
]

_PATIENCE = 30.0
"""Seconds that a request other than STS's may take, unless --timeout is given: there a person waits."""


class _Noted(argparse.Action):
    """An option of the program, which also notes that it was given: then it wins over the profile's."""

    def __init__(self, inner: argparse.Action) -> None:
        names = (
            "option_strings",
            "dest",
            "nargs",
            "const",
            "default",
            "type",
            "choices",
            "required",
            "help",
            "metavar",
        )
        super().__init__(**{name: getattr(inner, name) for name in names})
        self._inner = inner

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        self._inner(parser, namespace, values, option_string)  # type: ignore[arg-type]
        namespace.given = namespace.given | {self.dest}


class _ShortUsage(argparse.RawDescriptionHelpFormatter):
    """The usage line without the program's options, of which there are fifty; the list below has them."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        own = [action for action in actions if not isinstance(action, _Noted) or action.dest == "profile"]
        super().add_usage(usage, own, groups, prefix)


def add_use_options(parser: argparse.ArgumentParser, without: tuple[str, ...] = ()) -> None:
    """All options of `aws-tpm-process-credential`, --profile among them, as they stand on its own command line.

    `without` names those that the verb has no use for.
    """
    from ..credentials.options import run_parser

    if "--format" in without:
        without += ("--credentials-profile", "--credentials-overwrite")
    group = parser.add_argument_group(
        "options of aws-tpm-process-credential", "which key signs, and as whom; those given win over the profile's"
    )
    for action in run_parser()._actions:
        if not {"-h", "--version", *without} & set(action.option_strings):
            group._add_action(_Noted(action))
    parser.set_defaults(given=frozenset())
    parser.formatter_class = _ShortUsage


def use_args(args: argparse.Namespace) -> argparse.Namespace:
    """The program's options: those given, over those of the profile that is named by --profile.

    Where no access key id is given either, by AWS_PROFILE. They are found once, and kept in `args`. Raises
    UsageError for a profile that is not ours.
    """
    if "settings" in args:
        return args  # they are the program's already
    if "used" not in args:
        args.used = _found(args)
    used: argparse.Namespace = args.used
    return used


def _found(args: argparse.Namespace) -> argparse.Namespace:
    from ..credentials.options import run_parser

    given = {option: getattr(args, option) for option in args.given}
    profile = args.profile
    if profile is None and not (args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")):
        from sigv4.config import profile_name

        profile = profile_name(os.environ)
    if profile is not None:
        from ..credentials.sts import profile_args

        return profile_args(profile, given)
    used = run_parser().parse_args([])
    vars(used).update(given)
    if used.aws_arn and "assumeRole" not in given:
        # As with a profile: who names a role does not want to act as himself.
        used.assumeRole = not (used.federation_name or used.root_of)
    return used


def temporary(args: argparse.Namespace) -> "Credentials":
    """Temporary credentials, one HMAC of the TPM and one STS request, by the profile as it is now.

    Raises what `obtain` does.
    """
    from ..credentials.sts import obtain

    vars(args).pop("used", None)
    return obtain(use_args(args))


def signer_of(args: argparse.Namespace) -> "Signer":
    """Signs with temporary credentials where a role, a user or MFA is asked for, else with the TPM's key itself.

    The TPM is closed again when this returns. Raises what `obtain` does.
    """
    return key_of(args)[0]


def key_of(args: argparse.Namespace) -> "tuple[Signer, str | None]":
    """As `signer_of`, and when what it signs with expires (RFC 3339 text); None for the TPM's key itself.

    With --sigv4a or --region-set, of the verbs that have them, it signs by SigV4A for that set of regions.
    """
    if getattr(args, "sigv4a", None) is not None or getattr(args, "region_set", None) is not None:
        from .sigv4a import sigv4a_key_of

        return sigv4a_key_of(args)
    import time

    from sigv4.signer import Signer, hmac_from_secret
    from sigv4.times import timestamp

    from ..credentials.sts import access_key_id, obtain, signer_from

    used = use_args(args)
    if used.assumeRole or used.federation_name or used.root_of or used.mfa_serial:
        found = obtain(used)
        signer = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        return signer, found.expiration
    signer = signer_from(used, access_key_id(used), checked=True)
    signer.prime(timestamp(time.time())[:8])
    return signer, None


def region_of(args: argparse.Namespace, given: str | None = None) -> str:
    """The region to sign for: `given`, --aws-region, the environment's, the profile's. Raises UsageError."""
    if found := given or args.aws_region:
        return str(found)
    from sigv4.config import region

    found = region(os.environ)
    if not found:
        used = use_args(args)
        found = (used.profile_region if args.profile else None) or used.aws_region
    if not found:
        raise UsageError("no region is known: give --region, or set AWS_REGION")
    return str(found)


def http_client(args: argparse.Namespace) -> "HttpClient":
    """The client for requests that are no STS requests; it waits 30 seconds at least, or --timeout if given."""
    from sigv4.http import HttpClient

    from ..credentials.sts import environ_of

    return HttpClient(patience(args), environ_of(use_args(args)), user_agent="tpmwire", warn=warn)


def patience(args: argparse.Namespace) -> float:
    """Seconds that such a request may take."""
    timeout = float(args.timeout)
    return timeout if "timeout" in vars(args).get("given", ()) else max(timeout, _PATIENCE)


def warn(text: str) -> None:
    """One line for the user that ends nothing."""
    note(f"tpmwire: warning: {text}")
