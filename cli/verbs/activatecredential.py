"""Decrypts a credential in the TPM, which proves that a key and an endorsement key are in the same TPM.

  tpmwire ak --out ak.pem --public ak.pub
  tpmwire activatecredential ak.pem ak.cred

CREDENTIAL is a file of `tpmwire makecredential`, of tpm2_makecredential, or JSON of go-attestation. The
endorsement key is taken from its reserved handle, or created from this TPM's template, which can take ten seconds.
Its policy is satisfied with the endorsement hierarchy's password. The secret crosses the bus encrypted.

The secret is printed in hex; --out writes it to a file, as it is.
"""

import argparse

from tpmwire.attest.credentials import Credential
from tpmwire.errors import KeyFileError

from ..keys.activation import EK_NAMES, Activation, parse_ek
from ..terminal.files import check_outputs, read_small, write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options, filled
from ..tpm.key_argument import KEY_FORMS, NamedKey
from ..tpm.open import open_tpm
from ..tpm.options import EndorsementSettings, KeySettings, ParentSettings, add_auth_options
from ..tpm.passwords import endorsement_auth, key_auth, parent_auth

__all__ = ["Settings", "configure", "run"]


class Settings(KeySettings, ParentSettings, EndorsementSettings, TpmSettings):
    """The verb's options."""

    key: str
    credential: str
    ek: str | None
    out: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("key", metavar="KEY", help=f"key that the credential is for: {KEY_FORMS}")
    parser.add_argument("credential", metavar="CREDENTIAL", help="file with the credential")
    parser.add_argument(
        "--ek",
        type=filled,
        metavar="KEY",
        help=f"endorsement key: {', '.join(EK_NAMES)}, a handle, or a context file of tpm2-tools (default: the "
        "kind that fits the credential)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the secret to FILE instead of printing it")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_auth_options(parser, "key", "the key's password")
    add_auth_options(parser, "parent", "the password of the key's parent, or of its hierarchy")
    add_auth_options(parser, "endorsement", "the endorsement hierarchy's password")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Activates the credential, and prints or writes the secret."""
    try:
        credential = Credential.parse(read_small(args.credential))
    except KeyFileError as error:
        raise UsageError(f"{args.credential}: {error}") from error
    check_outputs([args.out], force=args.force)
    named, ek = NamedKey(args.key), parse_ek(args.ek)
    activation = Activation(named, credential, key_auth(args), parent_auth(args), endorsement_auth(args))
    with open_tpm(args) as tpm:
        secret = activation.run(tpm, ek)
    if args.out:
        write_whole(args.out, secret.reveal(), force=args.force)
    else:
        print(secret.reveal().hex())
    return 0
