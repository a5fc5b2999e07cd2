"""The options of `tpmwire roles-anywhere`, which include those of AWS's credential helper (aws_signing_helper)."""

import argparse
import os
import re
import shlex
from collections.abc import Sequence

from ...terminal.messages import UsageError, note
from ...terminal.options import SWITCH, Parser, add_tpm_options, filled, persistent_handle
from ..options import run_parser
from ..settings import OUTPUT_OPTIONS, RunSettings
from .settings import RolesAnywhere

__all__ = [
    "HELPER",
    "HelperSettings",
    "PrivateKeySettings",
    "add_key_options",
    "add_private_key_options",
    "add_session_options",
    "helper_arguments",
    "parse_helper_line",
    "parse_private_key",
    "run_of",
    "run_of_key",
    "run_of_private_key",
]

HELPER = "aws_signing_helper"
COMMANDS = ("credential-process", "serve", "update", "read-certificate-data", "sign-string")

_SHARED = frozenset(
    {
        *(
            "keyPass",
            "keyPass_file",
            "parentPass",
            "parentPass_file",
            "pcrs",
            "useEKParent",
            "tpm_path",
            "timeout",
        ),
        *("tpm_session_encrypt_with_name", "tpm_session_encrypt_with_public", "key_name"),
        *("no_session_encryption", "use_fips_endpoint", "use_dualstack_endpoint", "ca_bundle", "cache", "verbose"),
    }
)
"""Options of `aws-tpm-process-credential` that have the same meaning here."""

_AWS = {"cache", "ca_bundle", "use_fips_endpoint", "use_dualstack_endpoint"}
"""Those of them that only requests to AWS need."""

_TPM = {"tpm_path", "timeout"}

_REFUSED = {
    "no-verify-ssl": "TLS certificates are always verified; give the endpoint's CA with --ca-bundle",
    "pkcs8-password": "the private key must be in the TPM, not in a PKCS #8 file; create one there "
    "(docs/roles-anywhere.md)",
    "pkcs11-lib": "PKCS #11 tokens are not supported; use a TPM key, by handle:0x81... or a TSS2 key file",
    "reuse-pin": "PKCS #11 tokens are not supported; a TPM key's password is given with --keyPass-file",
    "pkcs11-pin": "PKCS #11 tokens are not supported; a TPM key's password is given with --keyPass-file",
    "cert-selector": "certificate stores of Windows and macOS are not supported; give the file with --certificate",
    "system-store-name": "certificate stores of Windows are not supported; give the file with --certificate",
    "use-latest-expiring-certificate": "certificate stores of Windows and macOS are not supported; give the file "
    "with --certificate",
}
"""Options of AWS's helper that are not supported, with the alternative."""


class PrivateKeySettings(RunSettings):
    """Values of the options that `add_private_key_options` adds."""

    private_key: str | None


class HelperSettings(PrivateKeySettings):
    """Values of the options that `add_session_options` adds."""

    certificate: str | None
    intermediates: str | None
    role_arn: str | None
    profile_arn: str | None
    trust_anchor_arn: str | None
    session_duration: str | None
    role_session_name: str | None
    region: str | None
    endpoint: str | None
    no_tpm_key_password: bool
    with_proxy: bool
    words: list[str]


class _Refuse(argparse.Action):
    """An option of AWS's helper that is refused with a sentence."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_settings: object) -> None:
        text = _REFUSED[option_strings[0].removeprefix("--")]
        super().__init__(option_strings, argparse.SUPPRESS, nargs="?", metavar="VALUE", help=f"refused: {text}")

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, values: object, option_string: str | None = None
    ) -> None:
        """Raises UsageError with the alternative; ignores a switch that is off."""
        if values not in ("false", "False", "0"):
            raise UsageError(f"{option_string}: {_REFUSED[str(option_string).removeprefix('--')]}")


def add_session_options(parser: argparse.ArgumentParser, *, output: bool = False) -> None:
    """Adds the options of AWS's helper for sessions, and those of `aws-tpm-process-credential` that apply.

    With `output`, the options for the format of the credentials are among the latter.
    """
    group = _add_certificate_options(parser)
    group.add_argument(
        "--intermediates",
        type=filled,
        metavar="FILE",
        help="file with intermediate CA certificates (PEM), in any order; further certificates in --certificate "
        "are also used",
    )
    aws = parser.add_argument_group("AWS")
    aws.add_argument("--role-arn", metavar="ARN", help="ARN of the role (required)")
    aws.add_argument("--profile-arn", metavar="ARN", help="ARN of the Roles Anywhere profile (required)")
    aws.add_argument("--trust-anchor-arn", metavar="ARN", help="ARN of the trust anchor (required)")
    aws.add_argument(
        "--session-duration",
        metavar="SECONDS",
        help="lifetime of the credentials, 900 to 43200 seconds; the profile may shorten it (default: 3600)",
    )
    aws.add_argument(
        "--role-session-name",
        metavar="NAME",
        help="name of the role session, if the profile accepts one (default: the serial number in hex)",
    )
    aws.add_argument("--region", metavar="REGION", help="region to sign for (default: the trust anchor's)")
    aws.add_argument(
        "--endpoint",
        metavar="URL",
        help="URL of the Roles Anywhere endpoint (env: AWS_ENDPOINT_URL_ROLESANYWHERE)",
    )
    _add_shared_options(parser, _SHARED | OUTPUT_OPTIONS if output else _SHARED)
    _add_helper_options(parser)
    parser.usage = "%(prog)s [options]"


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the certificate, its key and the TPM, without those of a session."""
    _add_certificate_options(parser)
    names = (
        "intermediates",
        "role_arn",
        "profile_arn",
        "trust_anchor_arn",
        "role_session_name",
        "region",
        "endpoint",
    )
    parser.set_defaults(**dict.fromkeys(names), session_duration=None)
    _add_shared_options(parser, _SHARED - _AWS, "60s", "key and TPM")
    _add_helper_options(parser)
    parser.usage = "%(prog)s [options]"


def add_private_key_options(parser: argparse.ArgumentParser) -> None:
    """Adds --private-key and the options of the TPM and its key, for verbs that AWS's helper lacks."""
    _add_private_key(parser)
    _add_shared_options(parser, _SHARED - _AWS, "60s", "key and TPM")


def _add_certificate_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds --certificate, --private-key and the helper's password options; returns their group."""
    group = parser.add_argument_group("certificate and key")
    group.add_argument("--certificate", type=filled, metavar="FILE", help="file with the certificate (PEM or DER)")
    _add_private_key(group)
    group.add_argument(
        "--tpm-key-password",
        dest="keyPass",
        metavar="PASSWORD",
        help="the key's password, visible to other users in the process list; prefer --keyPass-file",
    )
    group.add_argument(
        "--no-tpm-key-password", **SWITCH, help="the key has no password: ignore TPM_KEY_AUTH (default: false)"
    )
    return group


def _add_private_key(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--private-key",
        type=filled,
        metavar="KEY",
        help="private key: handle:0x81... for a persistent handle, or the path of a TSS2 key file (required)",
    )


def _add_shared_options(
    parser: argparse.ArgumentParser,
    names: frozenset[str],
    patience: str = "10s",
    title: str = "options of aws-tpm-process-credential",
) -> None:
    """Adds options of `aws-tpm-process-credential`, and default values of its other options.

    `patience` is the default of --timeout, since an RSA key signs slowly. `title` is the heading in --help.
    """
    group = parser.add_argument_group(title)
    base = run_parser()
    for action in base._actions:
        if action.dest in names - _TPM:
            group._add_action(action)
        elif action.dest != "help" and action.default is not argparse.SUPPRESS:
            parser.set_defaults(**{action.dest: action.default})
    add_tpm_options(group, patience)
    parser.set_defaults(**base._defaults)


def _add_helper_options(parser: argparse.ArgumentParser) -> None:
    """Adds options of AWS's helper that have no effect of their own, or are refused."""
    # The helper ignores further arguments.
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    group = parser.add_argument_group(f"further options of {HELPER}")
    group.add_argument("--with-proxy", **SWITCH, help="ignored: HTTPS_PROXY always applies")
    group.add_argument("--debug", dest="verbose", **SWITCH, help="explain each step on stderr, without secrets")
    for option in _REFUSED:
        group.add_argument(f"--{option}", action=_Refuse)


def helper_arguments(text: str) -> list[str] | None:
    """Returns the arguments in a credential_process after `credential-process`, or None for other programs.

    The program is `tpmwire roles-anywhere`, or has the name of AWS's helper.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    for at, word in enumerate(words):
        if os.path.basename(word) in (HELPER, f"{HELPER}.pyz", "roles-anywhere"):
            return words[at + 2 :] if words[at + 1 : at + 2] == ["credential-process"] else None
    return None


def parse_helper_line(words: Sequence[str]) -> RunSettings:
    """Parses the arguments of a profile's `roles-anywhere credential-process`.

    Raises UsageError if they are invalid.
    """
    parser = Parser(prog="tpmwire roles-anywhere credential-process")
    add_session_options(parser, output=True)
    settings = HelperSettings()
    parser.parse_go_style(words, settings)
    return run_of(settings)


def parse_private_key(text: str) -> int | None:
    """Returns the persistent handle in --private-key; None for a file. Raises UsageError for an invalid handle."""
    if text.startswith("pkcs11:"):
        raise UsageError(f"--private-key: {_REFUSED['pkcs11-lib']}")
    handle = text.removeprefix("handle:")
    if handle == text and not re.fullmatch("0[xX][0-9a-fA-F]{8}", text):
        return None
    if not re.fullmatch("(0[xX])?[0-9a-fA-F]+", handle):
        raise UsageError(f"--private-key: {handle!r} is not a hex number; a handle looks like 0x81010020")
    try:
        # The helper reads a number without 0x as hex, too.
        return persistent_handle(f"0x{handle.lower().removeprefix('0x')}")
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--private-key: {error}") from None


def run_of(args: HelperSettings) -> RunSettings:
    """Returns a run's settings, including those of Roles Anywhere, from the helper's options.

    Raises UsageError for a missing option or an unsupported private key.
    """
    _check_required(args, "certificate", "private_key", "role_arn", "profile_arn", "trust_anchor_arn")
    found = run_of_key(args)
    found.roles_anywhere = RolesAnywhere(
        args.certificate or "",
        args.intermediates,
        args.role_arn or "",
        args.profile_arn or "",
        args.trust_anchor_arn or "",
        args.session_duration or "3600",
        args.role_session_name,
        args.region,
        args.endpoint,
        args.no_tpm_key_password,
    )
    return found


def run_of_key(args: HelperSettings) -> RunSettings:
    """Returns the settings of a run with the options of the TPM and its key, without those of Roles Anywhere.

    Raises UsageError if --certificate or --private-key is missing or not supported.
    """
    _check_required(args, "certificate", "private_key")
    if args.words:
        note(f"tpmwire: note: ignoring further arguments ({len(args.words)}), as {HELPER} does")
    return run_of_private_key(args)


def run_of_private_key(args: PrivateKeySettings) -> RunSettings:
    """Returns the settings of a run with the options that `add_private_key_options` adds.

    Raises UsageError if --private-key is missing or not supported.
    """
    _check_required(args, "private_key")
    found = RunSettings()
    names = {name for each in RunSettings.__mro__ for name in getattr(each, "__annotations__", ())}
    vars(found).update({name: value for name, value in vars(args).items() if name in names})
    handle = parse_private_key(args.private_key or "")
    if handle is None:
        found.credential_file = args.private_key
    else:
        found.persistentHandle = handle
    found.tpm_path = args.tpm_path or os.environ.get("TPM_DEVICE") or None
    return found


def _check_required(args: PrivateKeySettings, *names: str) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in names if not getattr(args, name)]
    if missing:
        hint = (
            "; remove the backslash, since AWS config files have no line continuation"
            if "\\" in getattr(args, "words", ())
            else ""
        )
        raise UsageError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} required{hint}")
