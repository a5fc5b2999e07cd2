"""Signs a fixed test string with the key of a certificate, like aws_signing_helper, to test a key's set-up.

  tpmwire roles-anywhere sign-string --certificate host.pem \\
      --private-key handle:0x81010050 --digest SHA256 --format text

Prints the signature in hex as JSON or text, or its bytes. The string contains a digest of the public key. Uses the
TPM, and not the network.
"""

import argparse
import json
import sys
import time

from tpmwire.crypto.spki import PublicKey
from tpmwire.errors import DecodeError
from tpmwire.spec.constants import TPM_ALG

from ..credentials.roles_anywhere.certificate import check_validity, read_certificate
from ..credentials.roles_anywhere.key import certificate_key, sign_with, text_to_test
from ..credentials.roles_anywhere.options import HelperSettings, add_key_options, run_of_key
from ..terminal.messages import UsageError, warn

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""

_DIGESTS = {"SHA256": TPM_ALG.SHA256, "SHA384": TPM_ALG.SHA384, "SHA512": TPM_ALG.SHA512}


class Settings(HelperSettings):
    """The verb's options. `sign_format` is json, text or bin."""

    digest: str
    sign_format: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_key_options(parser)
    parser.add_argument(
        "--digest",
        type=str.upper,
        choices=[*_DIGESTS],
        default="SHA256",
        help="hash of the signature (default: SHA256)",
    )
    parser.add_argument(
        "--format",
        dest="sign_format",
        type=str.lower,
        choices=("json", "text", "bin"),
        default="json",
        help="output format: json or text for hex, bin for raw bytes (default: json)",
    )


def run(args: Settings) -> int:
    """Prints a certificate key's signature of a test string.

    Raises UsageError, KeyFileError, and the errors of `AsymmetricKey.sign_message`.
    """
    settings = run_of_key(args)
    path = args.certificate or ""
    leaf = read_certificate(path)[0]
    try:
        public: PublicKey = leaf.public_key
    except DecodeError as error:
        raise UsageError(f"{path}: unsupported key: {error}; use an RSA, P-256 or P-384 key") from None
    try:
        check_validity(leaf, path, "the certificate", time.time())
    except UsageError as error:  # the key can be tested all the same
        warn(str(error))
    alg = _DIGESTS[args.digest]
    key = certificate_key(settings, public, no_password=args.no_tpm_key_password, hash_alg=alg)
    signature = sign_with(settings, key, public, text_to_test(leaf.public_key_der), alg)
    if args.sign_format == "bin":
        sys.stdout.buffer.write(signature)
    else:
        print(json.dumps(signature.hex()) if args.sign_format == "json" else signature.hex())
    return 0
