"""Prints facts about a certificate for IAM Roles Anywhere as JSON, like aws_signing_helper.

  tpmwire roles-anywhere read-certificate-data --certificate host.pem

The JSON has keyType, certificateData (the certificate in base64), serialNumber (decimal) and supportedAlgorithms.
Reports on stderr why Roles Anywhere would refuse the certificate, such as a missing digitalSignature, and when it
expires soon. Uses neither the TPM nor the network.
"""

import argparse
import json
import time
from base64 import b64encode

from ..credentials.roles_anywhere.certificate import check_leaf, read_certificate
from ..terminal.messages import UsageError, warn
from ..terminal.options import filled

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""


class Settings:
    """The verb's options."""

    certificate: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--certificate", required=True, type=filled, metavar="FILE", help="file with the certificate (PEM or DER)"
    )


def run(args: Settings) -> int:
    """Prints the certificate's data. Raises UsageError if the file contains no readable certificate."""
    leaf = read_certificate(args.certificate)[0]
    try:
        check_leaf(leaf, args.certificate, time.time())
    except UsageError as error:
        warn(str(error))
    kind, algorithm = ("RSA", "RSASHA") if leaf.is_rsa else ("EC", "ECDSASHA")
    data = {
        "keyType": kind,
        "certificateData": b64encode(leaf.der).decode(),
        "serialNumber": str(leaf.serial),
        "supportedAlgorithms": [f"{algorithm}{size}" for size in (256, 384, 512)],
    }
    print(json.dumps(data, separators=(",", ":")))
    return 0
