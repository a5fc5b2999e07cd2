"""Stores the secret of a one-time password token (TOTP) in the TPM, and prints its codes.

  tpmwire totp import --out mfa.pem
  tpmwire totp import --secret-file otpauth.txt --persistent-handle 0x81010021
  tpmwire totp code mfa.pem
  aws-tpm-process-credential ... --mfa-totp mfa.pem \\
      --mfa-serial arn:aws:iam::123456789012:mfa/tpm

The secret is base32, as AWS shows it for a virtual MFA device, or the otpauth:// URI of its QR code. It is read
from a prompt on a terminal, from standard input, or from --secret-file. The TPM creates an HMAC key from it, which
cannot leave the TPM. To enable the device, AWS asks for two consecutive codes: run `code` twice, 30 seconds apart.

A second factor on the same machine as the first factor does not protect against users of that machine. MFA then
proves possession of this machine only. That may be sufficient for a policy that requires MFA everywhere. A
separate password or PCRs (--key-auth-prompt, --pcrs) preserve some of the protection; a phone preserves all of it.

Codes depend on this machine's clock. AWS accepts each code once.
"""

import argparse
import sys
import time

from tpmwire.errors import TpmError

from ..credentials.options import key_place
from ..credentials.totp import AWS_DIGITS, AWS_PERIOD, PERIODS, Token, code_of, parse_token, step_at
from ..credentials.totp_key import key_at
from ..keys.create import Order, make_key
from ..keys.options import (
    ParentageSettings,
    PinSettings,
    add_parent_options,
    add_pin_options,
    new_handle,
    parentage_of,
)
from ..keys.persist import check_free
from ..keys.place import Place, Placement, check_path, put_in_place
from ..terminal.messages import UsageError, note, warn
from ..terminal.options import TpmSettings, add_tpm_options, filled, pcrs_from, secret_file
from ..terminal.prompts import ask_secret
from ..tpm.open import open_tpm
from ..tpm.options import KeySettings, add_auth_options
from ..tpm.passwords import key_auth, new_key_auth, parent_auth
from ..tpm.path import note_source
from ..tpm.pins import pin_from

__all__ = ["Settings", "configure", "run"]


class Settings(ParentageSettings, KeySettings, PinSettings, TpmSettings):
    """The options of the verb's actions; each action sets only its own."""

    action: str
    secret_file: str | None
    out: str | None
    persistent_handle: int | None
    force: bool
    pcrs: str | None
    key: int | str
    digits: int
    period: int
    verbose: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text, options in (
        ("import", "import a token's secret into the TPM", _configure_import),
        ("code", "print the current code", _configure_code),
    ):
        options(actions.add_parser(name, help=text, description=f"{text} (see tpmwire totp --help)"))


def _configure_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--secret-file", metavar="FILE", help="file with the token's secret (default: standard input, or a prompt)"
    )
    parser.add_argument(
        "--out", metavar="FILE", help="write the key to FILE in TSS2 PEM format; - is standard output"
    )
    parser.add_argument(
        "--persistent-handle", type=new_handle, metavar="HANDLE", help="make the key persistent at this handle"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing key file or persistent key")
    parser.add_argument(
        "--pcrs", type=filled, metavar="PCRS", help="PCRs to bind the key to, such as 7,23 or sha256:7,23"
    )
    add_auth_options(parser, "key", "a password for the key")
    add_parent_options(parser)
    _add_tpm_and_pin(parser, "60s")


def _configure_code(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", type=key_place, metavar="KEY", help="key file or persistent handle")
    parser.add_argument(
        "--digits",
        type=int,
        choices=(6, 7, 8),
        default=AWS_DIGITS,
        help=f"number of digits (default: {AWS_DIGITS}, as with AWS)",
    )
    parser.add_argument(
        "--period",
        type=_period,
        default=AWS_PERIOD,
        metavar="SECONDS",
        help=f"seconds per code (default: {AWS_PERIOD}, as with AWS)",
    )
    parser.add_argument("--verbose", action="store_true", help="print on stderr how long the code is valid")
    add_auth_options(parser, "key", "the key's password")
    parser.add_argument(
        "--pcrs",
        metavar="PCRS",
        help="PCRs of the key's policy; only for a persistent handle (a key file contains them)",
    )
    add_auth_options(parser, "parent", "the password of the key file's parent, or of its hierarchy")
    _add_tpm_and_pin(parser, "2s")


def _add_tpm_and_pin(parser: argparse.ArgumentParser, patience: str) -> None:
    add_tpm_options(parser, patience)
    add_pin_options(parser)


def _period(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) in PERIODS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to {PERIODS[-1]}")
    return int(text)


def run(args: Settings) -> int:
    """Creates the TOTP key, or prints a code.

    Raises UsageError for invalid or conflicting options, KeyFileError for a key file that cannot be used, TpmError
    if the TPM refuses a command, and other TpmwireErrors.
    """
    return _import(args) if args.action == "import" else _code(args)


def _import(args: Settings) -> int:
    handle = args.persistent_handle
    if not args.out and handle is None:
        raise UsageError("no output; give --out FILE, --persistent-handle HANDLE, or both")
    if args.out and args.out != "-":
        check_path(args.out, "--out", force=args.force)
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    parent = parentage_of(args)
    note_source(args.tpm_path)
    token = _read_token(args.secret_file)
    order = Order(
        token.secret, new_key_auth(args), pcrs, parent.handle, parent.auth, pin, hash_name=token.hash_name
    )
    with open_tpm(args) as tpm:
        if handle is not None:
            check_free(tpm, handle, force=args.force)
        parent.prepare(tpm)
        try:
            made = make_key(tpm, order)
        except TpmError as error:
            if error.name in ("TPM_RC_HASH", "TPM_RC_SCHEME"):
                error.description = (
                    f"this TPM does not support HMAC with {token.hash_name}, which this token needs"
                )
            raise
        place = Place(handle, None if args.out == "-" else args.out)
        put_in_place(tpm, [Placement.of(tpm, made, place, parent.owner)], force=args.force)
    note("the TPM's HMAC with the new key equals the host's")
    if args.out == "-":
        print(made.file.to_pem(), end="")
    _tell(args, token)
    return 0


def _read_token(path: str | None) -> Token:
    """Reads a token's secret from the file, standard input or a prompt, and parses it.

    Raises UsageError for an invalid secret.
    """
    if path:
        return parse_token(secret_file(path))
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("standard input is closed; redirect it, or use --secret-file")
    if sys.stdin.isatty():
        return parse_token(ask_secret("token's base32 secret or otpauth:// URI", "use --secret-file"))
    return parse_token(sys.stdin.buffer.read(4096))


def _tell(args: Settings, token: "Token") -> None:
    """Prints where the new key is stored, and how to use it."""
    handle = args.persistent_handle
    file = args.out if args.out and args.out != "-" else None
    where = file or (f"0x{handle:08x}" if handle is not None else "FILE")
    if file:
        note(f"wrote {file}")
    if handle is not None:
        note(f"the key is persistent at 0x{handle:08x}")
    digits = f" --digits {token.digits}" if token.digits != AWS_DIGITS else ""
    period = f" --period {token.period}" if token.period != AWS_PERIOD else ""
    note(f"print its codes: tpmwire totp code{digits}{period} {where}")
    if token.is_of_aws:
        note(f"for AWS: aws-tpm-process-credential ... --mfa-serial ARN --mfa-totp {where}")
    else:
        note("AWS does not accept these codes; AWS needs SHA-1, 6 digits and 30 seconds")
    warn(
        "together with an AWS key in this TPM, the token is not a second factor: MFA then proves possession of "
        "this machine only. Remove the secret everywhere else, or keep an offline backup"
    )


def _code(args: Settings) -> int:
    key = key_at(args.key)
    key.checked = True  # Tested here, since no later check would detect a wrong code.
    key.auth, key.parent_auth = key_auth(args), parent_auth(args)
    key.pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    key.pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    with open_tpm(args) as tpm:
        # Computed as late as possible, since other programs may keep the TPM busy.
        now = time.time()
        mac = key.hmac(tpm, step_at(now, args.period))
    print(code_of(mac, args.digits))
    if args.verbose:
        left = (int(now) // args.period + 1) * args.period - time.time()
        note(f"valid for {max(0, int(left))} more seconds, once")
    return 0
