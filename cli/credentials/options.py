"""The options of `aws-tpm-process-credential`, which other verbs read from a profile's command line."""

import argparse

from ..terminal.messages import UsageError, exit_codes_help
from ..terminal.options import Once, Parser, Untyped, add_tpm_options, filled, flag, persistent_handle

__all__ = ["PROGRAM", "given_options", "read_policy", "run_parser"]

PROGRAM = "aws-tpm-process-credential"

DESCRIPTION = """\
AWS credentials from a key inside the TPM, for credential_process in ~/.aws/config.

The secret access key is an HMAC key in the TPM (`tpmwire import` puts it there). Each run asks the TPM for one
HMAC, signs an STS request with it, and prints the temporary credentials that STS answers with, as JSON:

    [profile tpm]
    credential_process = aws-tpm-process-credential --aws-access-key-id=AKIA... --persistentHandle=0x81010002
                         --aws-region=eu-central-1

Options may be written as -name value, -name=value, --name value or --name=value.
"""


def run_parser() -> Parser:
    """The program's parser; its words may be in Go's style (`Parser.parse_go_style`)."""
    parser = Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog="environment: AWS_ACCESS_KEY_ID, TPM_KEY_AUTH, TPM_PARENT_AUTH, AWS_ENDPOINT_URL_STS, "
        "AWS_ENDPOINT_URL,\n  AWS_CA_BUNDLE, AWS_RETRY_MODE, AWS_MAX_ATTEMPTS, "
        "HTTPS_PROXY, HTTP_PROXY, NO_PROXY\n\n" + exit_codes_help(),
    )
    # What only a profile can say (source_profile.py): its settings, and the roles before the last one.
    parser.set_defaults(settings=None, earlier=())
    parser.add_argument(
        "--profile",
        action=Once,
        metavar="P",
        help="take the key, the roles and the settings of this profile of ~/.aws/config, and of those that it "
        "builds on by source_profile, down to the one that runs this program; options that are given win",
    )
    key = parser.add_argument_group("the key")
    key.add_argument(
        "--aws-access-key-id", metavar="ID", help="(required) the access key id; or AWS_ACCESS_KEY_ID"
    )
    key.add_argument(
        "--persistentHandle",
        type=persistent_handle,
        default=0x81008003,
        metavar="HANDLE",
        help="the HMAC key's persistent handle, hex or decimal (default: 0x81008003)",
    )
    key.add_argument("--credential-file", metavar="FILE", help="the HMAC key as a TSS2 PEM; wins over the handle")
    key.add_argument(
        "--keyPass",
        "--keypass",
        metavar="PASSWORD",
        help="the key's password; others can see it here, better use TPM_KEY_AUTH or --keyPass-file",
    )
    key.add_argument(
        "--keyPass-file", "--keypass-file", type=filled, metavar="FILE", help="file with the key's password"
    )
    key.add_argument(
        "--parentPass",
        "--parentpass",
        metavar="PASSWORD",
        help="password of the key file's parent, or of the hierarchy in which the parent or the pinned key is "
        "created; or TPM_PARENT_AUTH",
    )
    key.add_argument(
        "--parentPass-file",
        "--parentpass-file",
        type=filled,
        metavar="FILE",
        help="file with the password of the parent or hierarchy",
    )
    key.add_argument(
        "--pcrs", metavar="PCRS", help="the PCRs that the key is bound to: 23, or 7,23, or sha256:7,23"
    )
    key.add_argument(
        "--useEKParent",
        type=flag,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="the key's parent is an endorsement key (default: false)",
    )
    tpm = parser.add_argument_group("the TPM")
    add_tpm_options(tpm)
    tpm.add_argument(
        "--tpm-session-encrypt-with-name",
        metavar="NAME[@WHERE]",
        help="hex Name of the key that sessions are salted with: this TPM's endorsement or storage key "
        "(`tpmwire name`). Another TPM, or somebody in between, is refused. @WHERE (ek-rsa, ek-ecc, srk, h2 "
        "or a persistent handle) saves looking for it",
    )
    tpm.add_argument(
        "--tpm-session-encrypt-with-public",
        type=filled,
        metavar="FILE",
        help="file with that public key in any form (see `tpmwire wrap --help`), instead of its Name",
    )
    tpm.add_argument(
        "--key-name",
        type=filled,
        metavar="NAME",
        help="hex Name of the key at --persistentHandle; saves one command that reads it",
    )
    tpm.add_argument(
        "--no-session-encryption",
        action="store_true",
        help="do without a salted session: fewer TPM commands, but passwords and the day's signing key cross "
        "the bus to the TPM in clear",
    )
    aws = parser.add_argument_group("AWS")
    aws.add_argument(
        "--assumeRole",
        type=flag,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="AssumeRole (with --aws-arn) instead of GetSessionToken (default: false)",
    )
    aws.add_argument(
        "--aws-arn",
        metavar="ARN",
        action="append",
        help="the role's ARN; given again, each role is assumed by the one before it (3600 seconds at most)",
    )
    aws.add_argument(
        "--aws-session-name", metavar="NAME", help="the role session's name (default: a generated one)"
    )
    aws.add_argument("--aws-region", metavar="REGION", help="use this region's STS (default: the global one)")
    aws.add_argument(
        "--duration",
        metavar="SECONDS",
        help="lifetime of the credentials (default: 3600; 900 with --root-of)",
    )
    aws.add_argument("--external-id", metavar="ID", help="what the role's trust policy asks for")
    aws.add_argument(
        "--policy", type=filled, metavar="JSON", help="session policy (JSON) that further limits the credentials"
    )
    aws.add_argument("--policy-file", type=filled, metavar="FILE", help="file with the session policy")
    aws.add_argument(
        "--policy-arn",
        type=filled,
        metavar="ARN",
        action="append",
        help="ARN of a managed policy that further limits the session; repeatable",
    )
    aws.add_argument("--tag", metavar="KEY=VALUE", action="append", help="a session tag; repeatable")
    aws.add_argument(
        "--transitive-tag-key", metavar="KEY", action="append", help="a tag that further roles keep; repeatable"
    )
    aws.add_argument("--source-identity", metavar="NAME", help="who is behind the role, for CloudTrail")
    aws.add_argument(
        "--mfa-serial",
        type=filled,
        metavar="SERIAL",
        help="serial number or ARN of the MFA device; prompts for its code on the terminal",
    )
    aws.add_argument("--mfa-process", metavar="CMD", help="a program that prints the MFA code, instead of asking")
    aws.add_argument(
        "--mfa-totp",
        metavar="KEY",
        help="the device's secret as a key in the TPM (`tpmwire totp import`), by file or persistent handle, "
        "whose code is taken instead of asking",
    )
    aws.add_argument("--federation-name", metavar="NAME", help="GetFederationToken for a user of this name")
    aws.add_argument("--root-of", metavar="ACCOUNT", help="AssumeRoot for a member account (with --aws-region)")
    aws.add_argument("--task-policy-arn", metavar="ARN", help="the root task's managed policy, for --root-of")
    aws.add_argument("--endpoint-url", metavar="URL", help="another STS endpoint; or AWS_ENDPOINT_URL_STS")
    for kind, what in (("fips", "FIPS"), ("dualstack", "IPv6 and IPv4")):
        aws.add_argument(
            f"--use-{kind}-endpoint",
            type=flag,
            nargs="?",
            const=True,
            default=False,
            metavar="BOOL",
            help=f"use AWS's {what} endpoints; or AWS_USE_{kind.upper()}_ENDPOINT",
        )
    aws.add_argument("--ca-bundle", metavar="FILE", help="trusted CA certificates; or AWS_CA_BUNDLE")
    aws.add_argument(
        "--cache",
        action="store_true",
        help="cache the credentials for later runs, sealed by the TPM, until 15 minutes or a third of their life "
        "are left (docs/cache.md)",
    )
    aws.add_argument(
        "--cache-key",
        choices=("key", "boot"),
        default="key",
        help="what opens the cache: the key, by its password and PCRs (default), or this TPM until it is reset",
    )
    parser.add_argument(
        "--format",
        choices=("process", "env", "export", "fish", "powershell", "json", "credentials-file"),
        default="process",
        help="how the credentials are printed: for credential_process (default), or for a shell to read; or "
        "written to a profile of ~/.aws/credentials",
    )
    parser.add_argument(
        "--credentials-profile", metavar="NAME", help="the profile that --format credentials-file writes"
    )
    parser.add_argument(
        "--credentials-overwrite",
        action="store_true",
        help="let it, even where that profile has a long-term key, which is then lost",
    )
    parser.add_argument(
        "--verbose",
        type=flag,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="explain each step on stderr",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    return parser


def given_options(words: list[str]) -> dict[str, object]:
    """The values of those options that the words have, and nothing of the others. Raises UsageError."""

    parser = run_parser()
    parser._defaults.clear()
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    found: dict[str, object] = vars(parser.parse_go_style(words))
    return found


def read_policy(args: Untyped) -> None:
    """Puts the file's content in its name's place, so that a cache is for the content. Raises UsageError."""
    from ..terminal.files import read_small

    if args.policy:
        raise UsageError("--policy and --policy-file are both given: give one")
    try:
        args.policy = read_small(args.policy_file).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{args.policy_file} is not UTF-8: save it as such") from None
    args.policy_file = None
