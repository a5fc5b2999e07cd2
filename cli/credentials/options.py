"""The options of `aws-tpm-process-credential`. Verbs of tpmwire also parse them, from a profile's command line."""

import argparse
from collections.abc import Sequence

from ..terminal.messages import UsageError
from ..terminal.options import SWITCH, Once, Parser, add_tpm_options, filled, persistent_handle
from .settings import PROGRAM, RunSettings

__all__ = ["given_options", "key_place", "parse_run", "run_parser", "totp_place"]

DESCRIPTION = """\
Prints temporary AWS credentials for credential_process in ~/.aws/config. A key in the TPM signs the request.

  aws-tpm-process-credential --profile tpm --verbose
  eval "$(aws-tpm-process-credential --profile tpm --format export)"
  aws-tpm-process-credential --aws-access-key-id=AKIA... \\
      --credential-file=key.pem --keyPass-file=password

The secret access key is an HMAC key in the TPM (`tpmwire import` puts it there). Each run asks the TPM for one
HMAC, signs an STS request with it, and prints the temporary credentials that STS returns, as JSON. For a key at
the default handle, ~/.aws/config has:

    [profile tpm]
    credential_process = aws-tpm-process-credential --aws-access-key-id=AKIA...

Options may be written as -name value, -name=value, --name value or --name=value. Case and hyphens between words do
not matter.
"""


def parse_run(words: Sequence[str]) -> RunSettings:
    """Parses a command line in Go's style (`Parser.parse_go_style`). Raises UsageError for an invalid option."""
    settings = RunSettings()
    run_parser().parse_go_style(words, settings)
    return settings


def run_parser() -> Parser:
    """Returns the parser of `aws-tpm-process-credential`, for use with `Parser.parse_go_style`."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION)
    # Settings without an option, which only a profile has (role_chain.py).
    parser.set_defaults(aws_profile=None, profile_region=None, earlier=(), roles_anywhere=None)
    parser.add_argument(
        "--profile",
        action=Once,
        metavar="P",
        help="read the key, roles and settings from this profile of ~/.aws/config and its source_profile "
        "chain; explicit options override them",
    )
    key = parser.add_argument_group("the key")
    key.add_argument(
        "--aws-access-key-id",
        metavar="ID",
        help="access key ID that belongs to the HMAC key (required; env: AWS_ACCESS_KEY_ID)",
    )
    key.add_argument(
        "--persistentHandle",
        type=persistent_handle,
        default=0x81008003,
        metavar="HANDLE",
        help="persistent handle of the HMAC key, hex or decimal (default: 0x81008003)",
    )
    key.add_argument(
        "--credential-file", metavar="FILE", help="file with the HMAC key (TSS2 PEM); overrides --persistentHandle"
    )
    key.add_argument(
        "--keyPass",
        "--keypass",
        metavar="PASSWORD",
        help="the key's password, visible to other users in the process list (env: TPM_KEY_AUTH)",
    )
    key.add_argument(
        "--keyPass-file", "--keypass-file", type=filled, metavar="FILE", help="file with the key's password"
    )
    key.add_argument(
        "--parentPass",
        "--parentpass",
        metavar="PASSWORD",
        help="password of the key file's parent, or of the hierarchy in which the parent or the pinned key is "
        "created (env: TPM_PARENT_AUTH)",
    )
    key.add_argument(
        "--parentPass-file",
        "--parentpass-file",
        type=filled,
        metavar="FILE",
        help="file with the password of the key file's parent, or of the hierarchy in which the parent or the "
        "pinned key is created",
    )
    key.add_argument("--pcrs", metavar="PCRS", help="PCRs that the key is bound to, such as 7,23 or sha256:7,23")
    key.add_argument("--useEKParent", **SWITCH, help="the key's parent is an endorsement key (default: false)")
    tpm = parser.add_argument_group("the TPM")
    add_tpm_options(tpm)
    tpm.add_argument(
        "--tpm-session-encrypt-with-name",
        metavar="NAME[@WHERE]",
        help="hex Name of this TPM's endorsement or storage key, printed by `tpmwire name`; sessions are salted "
        "to this key, which detects a different TPM or a bus attacker; @WHERE (ek-rsa, ek-ecc, ek-mlkem, srk, "
        "h2 or a persistent handle) skips the key search",
    )
    tpm.add_argument(
        "--tpm-session-encrypt-with-public",
        type=filled,
        metavar="FILE",
        help="file with the public key to pin, instead of its Name; or base64:TPM2B_PUBLIC[@WHERE]",
    )
    tpm.add_argument(
        "--key-name",
        type=filled,
        metavar="NAME",
        help="hex Name of the key at its persistent handle; saves reading the Name from the TPM",
    )
    tpm.add_argument(
        "--no-session-encryption",
        action="store_true",
        help="do not use a salted session: fewer TPM commands, but passwords and the SigV4 date key (kDate) cross "
        "the bus unencrypted",
    )
    aws = parser.add_argument_group("AWS")
    aws.add_argument(
        "--assumeRole",
        **SWITCH,
        help="call AssumeRole (with --aws-arn) instead of GetSessionToken (default: false)",
    )
    aws.add_argument(
        "--aws-arn",
        metavar="ARN",
        action="append",
        help="ARN of the role; repeat to chain roles, each assumed by the preceding one (AWS limits chained roles "
        "to 3600 seconds)",
    )
    aws.add_argument(
        "--aws-session-name", metavar="NAME", help="name of the role session (default: a generated one)"
    )
    aws.add_argument(
        "--aws-region", metavar="REGION", help="region of the STS endpoint (default: the global endpoint)"
    )
    aws.add_argument(
        "--duration",
        metavar="SECONDS",
        help="lifetime of the credentials (default: 3600; 900 with --root-of)",
    )
    aws.add_argument("--external-id", metavar="ID", help="external ID required by the role's trust policy")
    aws.add_argument(
        "--policy", type=filled, metavar="JSON", help="session policy (JSON) that further limits the credentials"
    )
    aws.add_argument(
        "--policy-file",
        type=filled,
        metavar="FILE",
        help="file with a session policy (JSON) that further limits the credentials",
    )
    aws.add_argument(
        "--policy-arn",
        type=filled,
        metavar="ARN",
        action="append",
        help="ARN of a managed policy that further limits the session; repeatable",
    )
    aws.add_argument(
        "--tag", metavar="KEY=VALUE", action="append", help="session tag of the role or federated user; repeatable"
    )
    aws.add_argument(
        "--transitive-tag-key",
        metavar="KEY",
        action="append",
        help="key of a transitive session tag (passed on to chained roles); repeatable",
    )
    aws.add_argument(
        "--source-identity", metavar="NAME", help="source identity of the role session, for CloudTrail"
    )
    aws.add_argument(
        "--mfa-serial",
        type=filled,
        metavar="SERIAL",
        help="serial number or ARN of the MFA device; prompts for its code on the terminal",
    )
    aws.add_argument(
        "--mfa-code",
        type=filled,
        metavar="CODE",
        help="the six digits that the MFA device shows now, instead of the prompt; overrides --mfa-process and "
        "--mfa-totp; AWS accepts a code once",
    )
    aws.add_argument("--mfa-process", metavar="CMD", help="program that prints the MFA code")
    aws.add_argument(
        "--mfa-totp",
        metavar="KEY",
        help="TOTP key in the TPM that computes the MFA code: a key file or persistent handle from `tpmwire totp "
        "import`",
    )
    aws.add_argument("--federation-name", metavar="NAME", help="call GetFederationToken for a user of this name")
    aws.add_argument(
        "--root-of", metavar="ACCOUNT", help="call AssumeRoot for this member account (needs --aws-region)"
    )
    aws.add_argument("--task-policy-arn", metavar="ARN", help="ARN of the managed task policy for --root-of")
    aws.add_argument("--endpoint-url", metavar="URL", help="URL of the STS endpoint (env: AWS_ENDPOINT_URL_STS)")
    for kind, what in (("fips", "FIPS"), ("dualstack", "IPv6 and IPv4")):
        aws.add_argument(
            f"--use-{kind}-endpoint",
            **SWITCH,
            help=f"use AWS's {what} endpoints (env: AWS_USE_{kind.upper()}_ENDPOINT)",
        )
    aws.add_argument("--ca-bundle", metavar="FILE", help="file with trusted CA certificates (env: AWS_CA_BUNDLE)")
    aws.add_argument(
        "--cache",
        action="store_true",
        help="cache the credentials for later runs, sealed by the TPM; a run renews them 15 minutes, or at most a "
        "third of their lifetime, before they expire (docs/cache.md)",
    )
    aws.add_argument(
        "--cache-key",
        choices=("key", "boot"),
        default="key",
        help="key that unseals the cache: the AWS key (key, default), or a key that is lost at a TPM reset (boot)",
    )
    parser.add_argument(
        "--format",
        choices=("process", "env", "export", "fish", "powershell", "json", "credentials-file"),
        default="process",
        help="output format: process for credential_process (default); env, export, fish or powershell for "
        "variables; json for plain JSON; credentials-file for a profile in ~/.aws/credentials",
    )
    parser.add_argument(
        "--credentials-profile",
        metavar="NAME",
        help="profile of ~/.aws/credentials to write; only with --format credentials-file",
    )
    parser.add_argument(
        "--credentials-overwrite",
        action="store_true",
        help="overwrite the profile of --credentials-profile even if it has a long-term key (the key is lost)",
    )
    parser.add_argument("--verbose", **SWITCH, help="explain each step on stderr")
    parser.add_argument("--version", action="store_true", help="print the version")
    return parser


def given_options(words: Sequence[str]) -> dict[str, object]:
    """Returns the options in the command line, without defaults. Raises UsageError for an invalid option."""
    parser = run_parser()
    parser._defaults.clear()
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    found: dict[str, object] = vars(parser.parse_go_style(words))
    return found


def key_place(text: str) -> int | str:
    """Parses a persistent handle, 0x...; returns other text as a path. Raises ArgumentTypeError if invalid."""
    return persistent_handle(text) if text[:2].lower() == "0x" else text


def totp_place(settings: RunSettings) -> int | str:
    """Returns the handle or key file of --mfa-totp. Raises UsageError for an invalid value."""
    try:
        return key_place(settings.mfa_totp or "")
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--mfa-totp: {error}") from None
