"""Options of the verbs that sign requests, and functions that derive the region and the key from them."""

import argparse
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..credentials.options import parse_run, run_parser
from ..credentials.settings import OUTPUT_OPTIONS, Aws, CredentialSettings, RunSettings, aws_of
from ..terminal.messages import UsageError
from ..terminal.options import Formatter, persistent_handle

if TYPE_CHECKING:
    from sigv4.hosts import Scope  # most verbs have no URL

__all__ = [
    "BodySettings",
    "Caller",
    "RequestSettings",
    "Sigv4aUseSettings",
    "UseSettings",
    "add_body_options",
    "add_request_options",
    "add_sigv4a_use_options",
    "add_use_options",
    "caller_of",
    "lasting_settings",
    "region_of",
    "region_set_of",
    "resolve_run",
    "sigv4a_place",
]

_PATIENCE = 30.0
"""Timeout in seconds of requests to services other than STS, unless --timeout is given."""


class UseSettings(CredentialSettings):
    """The values of the options that `add_use_options` adds, except --format.

    `given` names the options that are on the command line.
    """

    given: frozenset[str]


class Sigv4aUseSettings:
    """The values of the options that `add_sigv4a_use_options` adds."""

    sigv4a: str | None
    region_set: str | None


class RequestSettings(Sigv4aUseSettings):
    """The values of the options that `add_request_options` adds."""

    url: str
    request: str | None
    header: list[str] | None
    service: str | None
    region: str | None


class BodySettings:
    """The values of the options that `add_body_options` adds."""

    data: list[str] | None
    upload_file: str | None
    unsigned_payload: bool


class Caller(NamedTuple):
    """Settings of a run and of its profile, for requests to AWS.

    `region` is --aws-region, `profile_region` the region of the profile that --profile names. `timeout` is the
    timeout of requests to services other than STS, in seconds.
    """

    run: RunSettings
    aws: Aws
    region: str | None
    profile_region: str | None
    timeout: float


class _Noted(argparse.Action):
    """An argparse action that records that its option is on the command line, and so overrides the profile."""

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


class _ShortUsage(Formatter):
    """A help formatter that omits the fifty options of the credential program from the usage line."""

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
    """Adds all options of `aws-tpm-process-credential`, including --profile.

    `without` names the options that the verb does not use.
    """
    output = OUTPUT_OPTIONS if "--format" in without else ()
    group = parser.add_argument_group(
        "options of aws-tpm-process-credential",
        "key and role used to sign; explicit options override the profile's",
    )
    for action in run_parser()._actions:
        if action.dest not in output and not {"-h", "--version", *without} & set(action.option_strings):
            group._add_action(_Noted(action))
    parser.set_defaults(given=frozenset())
    parser.formatter_class = _ShortUsage


def resolve_run(args: UseSettings) -> RunSettings:
    """Returns the settings of the run: the profile's settings, overridden by the options on the command line.

    The profile is --profile or, if no access key id is given, the one that AWS_PROFILE or AWS_DEFAULT_PROFILE
    names. Raises UsageError for a profile that does not run this program, and for an MFA code without a device.
    """
    given = {option: value for option, value in vars(args).items() if option in args.given}
    profile = args.profile
    if profile is None and not (args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")):
        from sigv4.config import profile_name  # noqa: PLC0415 - most signatures need no AWS config file

        profile = profile_name(os.environ)
    if profile is not None:
        from ..credentials.role_chain import profile_settings  # noqa: PLC0415 - likewise

        found = profile_settings(profile, given)
    else:
        found = parse_run([]).with_options(given)
        if found.aws_arn and "assumeRole" not in given:
            # As in a profile, the ARN of a role requests the role.
            found.assumeRole = not (found.federation_name or found.root_of)
    if found.mfa_code and not found.mfa_serial:
        # Without a device, the key signs requests itself, without MFA.
        raise UsageError("--mfa-code needs --mfa-serial, the device that shows the code")
    return found


def lasting_settings(args: UseSettings) -> RunSettings:
    """Returns the settings of a run that renews credentials.

    Raises UsageError for invalid options, and for a file that can be read only once, such as a shell's <(...).
    """
    settings = resolve_run(args)
    if settings.mfa_code:
        raise UsageError(
            "--mfa-code is valid once, and the credentials are renewed; use --mfa-process or --mfa-totp"
        )
    certificate = settings.roles_anywhere
    files = {
        "certificate": certificate and certificate.certificate,
        "intermediates": certificate and certificate.intermediates,
        "credential-file": settings.credential_file,
        "keyPass-file": settings.keyPass_file,
        "parentPass-file": settings.parentPass_file,
        "policy-file": settings.policy_file,
        "tpm-session-encrypt-with-public": settings.tpm_session_encrypt_with_public,
    }
    for option, path in files.items():
        if path and os.path.exists(path) and not os.path.isfile(path):
            raise UsageError(f"--{option} {path} is read again for each refresh; use a regular file")
    return settings


def caller_of(args: UseSettings) -> Caller:
    """Returns the run's settings, regions and timeout from the options. Raises the errors of `resolve_run`."""
    timeout = args.timeout if "timeout" in args.given else max(args.timeout, _PATIENCE)
    run = resolve_run(args)
    return Caller(run, aws_of(run), args.aws_region, run.profile_region if args.profile else None, timeout)


def region_of(caller: Caller, given: str | None = None) -> str:
    """Returns the region from `given`, --aws-region, the environment or the profile, in this order.

    Raises UsageError if no region is set.
    """
    if found := given or caller.region:
        return found

    from sigv4.config import configured_region  # noqa: PLC0415 - most signatures need no AWS config file

    found = configured_region(os.environ)
    if not found:
        found = caller.profile_region or caller.run.aws_region
    if not found:
        raise UsageError("the region is not known; give --region, or set AWS_REGION")
    return found


def add_sigv4a_use_options(parser: "argparse._ActionsContainer") -> None:
    """Adds --sigv4a and --region-set."""
    parser.add_argument(
        "--sigv4a",
        metavar="KEY",
        help="P-256 key in the TPM that signs with SigV4A: a file or persistent handle from `tpmwire import "
        "--sigv4a-out`; uses the same password, PCRs and other options as the HMAC key",
    )
    parser.add_argument(
        "--region-set",
        metavar="SET",
        help="regions in which the SigV4A signature is valid, such as us-east-1,eu-* or * (default: "
        "the request's region); without --sigv4a, the request is signed with temporary credentials of a role or "
        "session",
    )


def region_set_of(args: Sigv4aUseSettings, scope: "Scope") -> str | None:
    """Returns the set of regions for a SigV4A signature; None for a SigV4 signature.

    `scope` is the signature scope of the request's host. Raises UsageError if the host accepts only SigV4A, such
    as an S3 multi-region access point, but the options select SigV4.
    """
    if not scope.multi_region or args.region_set is not None:
        return args.region_set
    if args.sigv4a is None:
        raise UsageError(
            "this host accepts SigV4A only; use --sigv4a KEY (see `tpmwire import --sigv4a-out`), "
            "or --region-set '*' with a role"
        )
    return "*"


def sigv4a_place(text: str) -> int | str:
    """Returns the location of the --sigv4a key: a persistent handle, or a key file's path.

    Raises UsageError for a number that is not a persistent handle.
    """
    if not re.fullmatch("0[xX][0-9a-fA-F]+|[0-9]+", text):
        return text
    try:
        return persistent_handle(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--sigv4a {text}: {error}") from error


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a signed request: URL, method, headers, service, region, region set and SigV4A key."""
    parser.add_argument(
        "url", metavar="URL", help="URL of the request: https://HOST/PATH?QUERY, or s3://BUCKET/KEY"
    )
    parser.add_argument(
        "-X", "--request", metavar="METHOD", help="HTTP method (default: GET; POST with -d, PUT with -T)"
    )
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        metavar="LINE",
        help="header 'Name: value', or @FILE with one header per line; signed unless SigV4 omits it; repeatable",
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        help="service name in the signature, such as s3 (default: derived from the host)",
    )
    parser.add_argument(
        "--region",
        metavar="REGION",
        help="region to sign for (default: derived from the host, else the profile's)",
    )
    add_sigv4a_use_options(parser)


def add_body_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the request body."""
    parser.add_argument(
        "-d",
        "--data",
        action="append",
        metavar="DATA",
        help="request body: text, @FILE, or @- for standard input; implies POST, with the Content-Type "
        "of a form unless -H sets one; repeat to join with &",
    )
    parser.add_argument(
        "-T",
        "--upload-file",
        metavar="FILE",
        help="file with the request body (- for standard input); implies PUT",
    )
    parser.add_argument(
        "--unsigned-payload",
        action="store_true",
        help="do not sign the body (HTTPS only: S3, EBS, Lex, MediaStore, HealthOmics)",
    )
