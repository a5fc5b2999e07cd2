"""Renews the certificate of a key in the TPM, with a program that asks your CA.

  tpmwire roles-anywhere renew --if-due --private-key handle:0x81010050 \\
      --certificate /etc/tpmwire/host.pem --ca-command /etc/tpmwire/ca

The program reads a certificate request (PEM) on standard input and prints the certificate, with its chain, on
standard output. docs/roles-anywhere.md has programs for step-ca, OpenSSL and AWS Private CA. The request has the
key, the subject and the alternative names of the old certificate. The new certificate is checked as before a
session, and then replaces the file atomically. After any failure, the old certificate is unchanged.

--if-due does nothing until two thirds of the certificate's lifetime have passed. tpmwire-renew.timer runs it
daily.
"""

import argparse
import time

from tpmwire.crypto.spki import public_key_of
from tpmwire.keys.csr import request_pem

from ..credentials.roles_anywhere.certificate import moment_text, read_certificate
from ..credentials.roles_anywhere.options import PrivateKeySettings, add_private_key_options, run_of_private_key
from ..credentials.roles_anywhere.renewal import (
    ask_ca,
    check_issued,
    due_time,
    lock_directory,
    parse_ca_command,
    replace_certificate,
)
from ..credentials.roles_anywhere.request import read_public_area, sign_request
from ..terminal.messages import UsageError, note
from ..terminal.options import filled, timeout

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""


class Settings(PrivateKeySettings):
    """The verb's options."""

    certificate: str
    ca_command: str
    ca_timeout: float
    if_due: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_private_key_options(parser)
    parser.usage = (
        "%(prog)s --private-key KEY --certificate FILE\n"
        "                                    --ca-command COMMAND [options]"
    )
    parser.add_argument(
        "--certificate",
        required=True,
        type=filled,
        metavar="FILE",
        help="certificate to renew and replace (PEM; required)",
    )
    parser.add_argument(
        "--ca-command",
        required=True,
        type=filled,
        metavar="COMMAND",
        help="program, with arguments, that reads a request (PEM) and prints the certificate and its chain (PEM); "
        "runs without a shell (required)",
    )
    parser.add_argument(
        "--ca-timeout",
        type=timeout,
        default=300.0,
        metavar="TIME",
        help="longest wait for the program, such as 30s or 5m (default: 5m)",
    )
    parser.add_argument(
        "--if-due",
        action="store_true",
        help="do nothing until two thirds of the certificate's lifetime have passed",
    )


def run(args: Settings) -> int:
    """Renews the certificate. Raises UsageError, KeyFileError, OSError, and the errors of `sign_request`."""
    settings = run_of_private_key(args)
    words, path = parse_ca_command(args.ca_command), args.certificate
    with lock_directory(path):
        # Read with the lock: another run may have renewed it.
        old = read_certificate(path)
        due = due_time(old[0])
        if args.if_due and time.time() < due:
            note(f"{path}: not due for renewal before {moment_text(due)}")
            return 0
        public = read_public_area(settings)
        expected = public_key_of(public)
        if old[0].public_key != expected:
            raise UsageError(f"{path} does not belong to the key {args.private_key}: their public keys differ")
        request = sign_request(settings, public, old[0].subject, old[0].alternative_names)
        issued = ask_ca(words, request_pem(request), args.ca_timeout)
        new = check_issued(issued, expected, old, time.time())
        replace_certificate(path, new)
    note(f"{path}: renewed, valid until {moment_text(new[0].not_after)}")
    return 0
