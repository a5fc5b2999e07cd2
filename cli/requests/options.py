"""Which key a verb uses: a profile's, or that of its own options."""

import argparse
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..credentials.options import run_parser
from ..credentials.role_chain import profile_args
from ..credentials.sts import environ_of
from ..terminal.messages import UsageError, warn
from ..terminal.options import Untyped

if TYPE_CHECKING:
    from sigv4.hosts import Scope
    from sigv4.http import HttpClient

__all__ = [
    "add_sigv4a_use_options",
    "add_use_options",
    "http_client",
    "patience",
    "region_of",
    "region_set_of",
    "use_args",
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


def use_args(args: Untyped) -> Untyped:
    """The program's options: those given, over those of the profile that is named by --profile.

    Where no access key id is given either, by AWS_PROFILE. They are found once, and kept in `args`. Raises
    UsageError for a profile that is not ours.
    """
    if "settings" in args:
        return args  # they are the program's already
    if "used" not in args:
        args.used = _found(args)
    return args.used


def _found(args: Untyped) -> Untyped:
    given = {option: getattr(args, option) for option in args.given}
    profile = args.profile
    if profile is None and not (args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")):
        from sigv4.config import profile_name  # late: most signatures need no AWS config file

        profile = profile_name(os.environ)
    if profile is not None:
        return profile_args(profile, given)
    used = run_parser().parse_args([])
    used.__dict__.update(given)
    if used.aws_arn and "assumeRole" not in given:
        # As with a profile: who names a role does not want to act as himself.
        used.assumeRole = not (used.federation_name or used.root_of)
    return used


def region_of(args: Untyped, given: str | None = None) -> str:
    """The region to sign for: `given`, --aws-region, the environment's, the profile's. Raises UsageError."""
    if found := given or args.aws_region:
        return str(found)

    from sigv4.config import configured_region  # late: most signatures need no AWS config file

    found = configured_region(os.environ)
    if not found:
        used = use_args(args)
        found = (used.profile_region if args.profile else None) or used.aws_region
    if not found:
        raise UsageError("no region is known: give --region, or set AWS_REGION")
    return str(found)


def http_client(args: Untyped) -> "HttpClient":
    """The client for requests that are no STS requests; it waits 30 seconds at least, or --timeout if given."""
    from sigv4.http import HttpClient  # late: a signature alone needs no network

    return HttpClient(patience(args), environ_of(use_args(args)), user_agent="tpmwire", warn=warn)


def patience(args: Untyped) -> float:
    """Seconds that such a request may take."""
    timeout = float(args.timeout)
    return timeout if "timeout" in vars(args).get("given", ()) else max(timeout, _PATIENCE)


def add_sigv4a_use_options(parser: "argparse._ActionsContainer") -> None:
    """--sigv4a and --region-set."""
    parser.add_argument(
        "--sigv4a",
        metavar="KEY",
        help="sign by SigV4A with the P-256 key in the TPM that `tpmwire import --sigv4a-out` made: its file, or "
        "its persistent handle; password, PCRs and the rest are those of the HMAC key",
    )
    parser.add_argument(
        "--region-set",
        metavar="SET",
        help="the regions where such a signature holds: us-east-1,eu-* or * (default: the one region); without "
        "--sigv4a the key of temporary credentials signs, where a role or a session is asked for",
    )


def region_set_of(args: Untyped, scope: "Scope") -> str | None:
    """Returns the set of regions to sign for; None for one region, which other options name.

    `scope` is what the host says. A host for all regions, such as a multi-region access point of S3, takes no
    signature for one region. Raises UsageError where it is to be signed for by SigV4.
    """
    if not scope.multi_region:
        regions = vars(args).get("region_set")
        return None if regions is None else str(regions)
    if args.sigv4a is None and args.region_set is None:
        raise UsageError(
            "this host accepts SigV4A only; use --sigv4a KEY (see `tpmwire import --sigv4a-out`), "
            "or --region-set '*' with a role"
        )
    args.region_set = "*" if args.region_set is None else args.region_set
    return str(args.region_set)
