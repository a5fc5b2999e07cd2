"""`aws-tpm-process-credential`: an AWS credential_process whose secret key stays in the TPM.

options → key file → TPM: one HMAC, the day's signing key → TPM closed → STS → JSON on stdout.
"""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from .messages import UsageError, exit_codes_help, guarded, note
from .options import Parser, add_tpm_options, auth_from, flag, pcrs_from, persistent_handle

if TYPE_CHECKING:
    import argparse

    from sigv4.sts import Credentials, Operation
    from tpmwire.signing import HmacKey

__all__ = ["main", "script"]

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


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(PROGRAM, lambda: _run(words))


def script(argv: list[str] | None = None) -> NoReturn:
    """`main` as a program of its own."""
    import gc

    # A run is over before garbage matters: collecting it, and freeing one by one what the kernel frees at once,
    # takes a fifth of its time. All output is flushed by then.
    gc.disable()
    os._exit(main(argv))


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog="environment: AWS_ACCESS_KEY_ID, TPM_KEY_AUTH, TPM_PARENT_AUTH, AWS_ENDPOINT_URL_STS, "
        "AWS_ENDPOINT_URL,\n  AWS_CA_BUNDLE, AWS_RETRY_MODE, AWS_MAX_ATTEMPTS, "
        "HTTPS_PROXY, HTTP_PROXY, NO_PROXY\n\n" + exit_codes_help(),
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
    key.add_argument("--keyPass-file", "--keypass-file", metavar="FILE", help="file with the key's password")
    key.add_argument(
        "--parentPass",
        "--parentpass",
        metavar="PASSWORD",
        help="password of the key file's parent, or of its hierarchy; or TPM_PARENT_AUTH",
    )
    key.add_argument("--parentPass-file", "--parentpass-file", metavar="FILE", help="file with that password")
    key.add_argument(
        "--pcrs", metavar="PCRS", help="the PCRs that the key is bound to: 23, or 7,23, or sha256:7,23"
    )
    key.add_argument(
        "--useEKParent",
        type=flag,
        default=False,
        metavar="BOOL",
        help="the key file's parent is the RSA endorsement key (default: false)",
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
        metavar="FILE",
        help="the same key's public area (TPM2B_PUBLIC, as of `tpm2_readpublic -o`) or PEM, instead of its Name",
    )
    tpm.add_argument(
        "--key-name",
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
        default=False,
        metavar="BOOL",
        help="AssumeRole (with --aws-arn) instead of GetSessionToken (default: false)",
    )
    aws.add_argument("--aws-arn", metavar="ARN", help="the role's ARN")
    aws.add_argument(
        "--aws-session-name", metavar="NAME", help="the role session's name (default: a generated one)"
    )
    aws.add_argument("--aws-region", metavar="REGION", help="use this region's STS (default: the global one)")
    aws.add_argument(
        "--duration", default="3600", metavar="SECONDS", help="lifetime of the credentials (default: 3600)"
    )
    aws.add_argument("--endpoint-url", metavar="URL", help="another STS endpoint; or AWS_ENDPOINT_URL_STS")
    parser.add_argument("--verbose", type=flag, default=False, metavar="BOOL", help="explain each step on stderr")
    parser.add_argument("--version", action="store_true", help="print the version")
    return parser


def _run(words: list[str]) -> int:
    parser = _parser()
    args = parser.parse_go_style(words)
    if args.version:
        from tpmwire import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    # All that can be wrong without the TPM and the network is found before either is asked.
    operation = _operation(args)
    access_key_id = args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")
    if not access_key_id:
        raise UsageError("--aws-access-key-id (or AWS_ACCESS_KEY_ID) is required: the id that belongs to the key")
    from sigv4.endpoints import resolve
    from sigv4.retry import policy

    endpoint = resolve(args.aws_region or None, args.endpoint_url, os.environ)
    retries = policy(os.environ)
    key = _key(args)

    def hmac_secret(message: bytes) -> bytes:
        return _ask_tpm(args, key, message)

    import time

    from sigv4.signer import Signer
    from sigv4.times import timestamp

    signer = Signer(access_key_id, hmac_secret)
    # Before the network: the TPM is closed again by the time STS is asked.
    signer.prime(timestamp(time.time())[:8])

    from sigv4.client import StsClient
    from sigv4.http import HttpClient

    http = HttpClient(args.timeout, os.environ, user_agent=PROGRAM, warn=_warn)
    if args.verbose:
        note(f"{PROGRAM}: TPM closed; {operation.action} at {endpoint.url}, signed for {endpoint.region}")
    client = StsClient(signer, endpoint, http, policy=retries, warn=_warn)
    _print_credentials(client.call(operation))
    return 0


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


def _key(args: "argparse.Namespace") -> "HmacKey":
    from tpmwire.signing import HmacKey

    file = None
    if args.credential_file:
        from tpmwire.keyfile import parse

        from .files import read_small

        file = parse(read_small(args.credential_file))
    pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    pin = name = None
    if args.tpm_session_encrypt_with_name or args.tpm_session_encrypt_with_public:
        from .pins import pin_from

        if args.no_session_encryption:
            raise UsageError("--no-session-encryption leaves nothing to salt: take it or the pinned key away")
        pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    if args.key_name:
        from .pins import hex_name

        name = hex_name("--key-name", args.key_name)
    explicit = args.parentPass or args.parentPass_file or os.environ.get("TPM_PARENT_AUTH")
    fallback = os.environ.get("TPM_KEY_AUTH")
    from tpmwire.secret import Secret

    return HmacKey(
        file=file,
        handle=args.persistentHandle,
        auth=auth_from(args.keyPass, args.keyPass_file, "TPM_KEY_AUTH"),
        parent_auth=auth_from(args.parentPass, args.parentPass_file, "TPM_PARENT_AUTH"),
        parent_auth_otherwise=Secret(fallback.encode()) if fallback and not explicit else None,
        pcrs=pcrs,
        ek_parent=args.useEKParent,
        protected=not args.no_session_encryption,
        pin=pin,
        name=name,
    )


def _ask_tpm(args: "argparse.Namespace", key: "HmacKey", message: bytes) -> bytes:
    """One HMAC, and the TPM given back."""
    from tpmwire.tpm import Tpm
    from tpmwire.transport import open_transport

    from .abandon import finish_in_background

    tpm = Tpm(open_transport(args.tpm_path, args.timeout), abandon=finish_in_background)
    if args.verbose:
        from .trace import trace

        tpm.observe = trace
        if key.protected and key.pin is None:
            note(
                f"{PROGRAM}: the session's salt key is the TPM's own word: safe against a listener on the bus; "
                "--tpm-session-encrypt-with-name also keeps out somebody who answers in the TPM's place"
            )
    from tpmwire.errors import TpmError

    try:
        return key.hmac(tpm, message)
    except TpmError as error:
        if key.name is not None and key.file is None and error.session == 1:
            note(f"{PROGRAM}: or --key-name is not the Name of the key at 0x{key.handle or 0:08x} (any more)")
        raise
    finally:
        tpm.close()


def _warn(text: str) -> None:
    note(f"{PROGRAM}: warning: {text}")


def _print_credentials(credentials: "Credentials") -> None:
    import json

    document = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration,
    }
    print(json.dumps(document))
