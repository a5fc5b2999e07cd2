"""Certifies that the TPM has an object or an NV index, with a statement that an attestation key signs.

  nonce=$(openssl rand -hex 16)    # on the verifier
  tpmwire certify key.pem --by ak.pem --nonce "$nonce" > certified.json
  tpmwire checkcertify certified.json --public ak.pub --item key.pub \\
      --nonce "$nonce"
  tpmwire certify 0x01800001 --by 0x81010003 --nonce "$nonce"

ITEM is a persistent handle, a key file, a context file of tpm2-tools, or the handle of an NV index. For an object,
the statement has its Name, which is the hash of its public area, and its Qualified Name, a hash that also covers
the Names of its parents. For an NV index, it has the Name and the contents. `tpmwire checkcertify` verifies the
statement without a TPM.

The output is one JSON object. --message and --signature write the files of `tpm2_certify -o -s`. --format go
prints go-attestation's CertificationParameters.
"""

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tpmwire.attest.go_attestation import CertificationParameters
from tpmwire.calls import Attested
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import AttestationError
from tpmwire.primary import read_loaded
from tpmwire.secret import Secret
from tpmwire.sessions import Password
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.attesting import AttestingKey

from ..terminal.files import check_outputs, write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options, auth_from, filled
from ..tpm.key_argument import KEY_FORMS, NamedKey, use_key
from ..tpm.open import open_tpm
from ..tpm.options import KeySettings, ParentSettings, add_auth_options
from ..tpm.passwords import key_auth, parent_auth
from ..tpm.statement import build_statement
from ..tpm.statement_options import nonce_from

__all__ = ["Settings", "configure", "run"]


class Settings(KeySettings, ParentSettings, TpmSettings):
    """The verb's options."""

    item: str
    by: str
    nonce: str
    item_auth_file: str | None
    message: str | None
    signature: str | None
    format: str
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("item", metavar="ITEM", help=f"object: {KEY_FORMS}; or an NV index such as 0x01800001")
    parser.add_argument("--by", metavar="KEY", required=True, help=f"attestation key: {KEY_FORMS}")
    parser.add_argument(
        "--nonce",
        type=filled,
        metavar="BYTES",
        required=True,
        help="the verifier's random number: hex, text:WORDS or @FILE",
    )
    parser.add_argument("--item-auth-file", metavar="FILE", help="file with the password of ITEM (default: none)")
    parser.add_argument("--message", metavar="FILE", help="write the signed TPMS_ATTEST to FILE")
    parser.add_argument("--signature", metavar="FILE", help="write the TPMT_SIGNATURE to FILE")
    parser.add_argument(
        "--format",
        choices=("json", "go"),
        default="json",
        help="output format: json (tpmwire's) or go (go-attestation's) (default: json)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    add_auth_options(parser, "key", "the attestation key's password")
    add_auth_options(parser, "parent", "the password of the parent of the key files, or of its hierarchy")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Certifies the object or NV index, and prints or writes the statement."""
    item, key, nonce = NamedKey(args.item), NamedKey(args.by), nonce_from(args.nonce)
    if bool(args.message) != bool(args.signature) or (args.message and args.message == args.signature):
        raise UsageError("--message and --signature require each other, with different files; give both")
    if args.format == "go" and args.message:
        raise UsageError("--format go cannot be combined with --message and --signature; remove it, or the files")
    if args.format == "go" and item.handle is not None and item.handle >> 24 == 0x01:
        raise UsageError("go-attestation has no format for statements about NV indices; remove --format go")
    check_outputs((args.message, args.signature), force=args.force)
    item_auth = auth_from(None, args.item_auth_file)
    passwords = key_auth(args), parent_auth(args)
    with open_tpm(args) as tpm:
        made, document = _certify(tpm, item, key, nonce, item_auth, *passwords)
    if args.message and args.signature:
        write_whole(args.message, made.message, force=args.force)
        write_whole(args.signature, made.signature.build(), force=args.force)
    elif args.format == "go":
        about = TPMT_PUBLIC.parse(bytes.fromhex(document["item"]))
        try:
            print(CertificationParameters(about, made.message, made.signature).to_json())
        except AttestationError as error:
            raise UsageError(error.reason) from error
    else:
        print(json.dumps(document, indent=2))
    return 0


def _certify(
    tpm: Tpm, item: NamedKey, named: NamedKey, nonce: bytes, item_auth: Secret, auth: Secret, parent: Secret
) -> tuple[Attested, dict[str, Any]]:
    """Returns (attestation, JSON document that contains the attestation)."""
    if item.handle is not None and item.handle >> 24 == 0x01:
        with use_key(tpm, named, AttestingKey, auth, parent) as key:
            made, public, area = key.certify_nv(tpm, item.handle, nonce, Password(item_auth))
        return made, build_statement(made, public, {"nv_public": area.build().hex()})
    with _load_item(tpm, item, parent) as handle, use_key(tpm, named, AttestingKey, auth, parent) as key:
        about = read_loaded(tpm, handle).public
        made, public = key.certify(tpm, handle, nonce, Password(item_auth))
    return made, build_statement(made, public, {"item": about.build().hex(), "name": name_of(about).hex()})


@contextlib.contextmanager
def _load_item(tpm: Tpm, item: NamedKey, parent: Secret) -> Iterator[int]:
    """Yields the handle of the object. Loads the object from its file if necessary, and flushes it at the end."""
    with use_key(tpm, item, AttestingKey, parent_auth=parent) as key, key.loaded(tpm) as handle:
        yield handle
