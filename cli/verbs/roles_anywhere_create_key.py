"""Creates a signing key in the TPM, for a certificate that IAM Roles Anywhere accepts.

  tpmwire roles-anywhere create-key --persistent-handle 0x81010050
  tpmwire roles-anywhere create-key --out host.key --pcrs 7 --key-auth-prompt
  tpmwire roles-anywhere create-key --out host.key --algorithm rsa2048

The TPM generates the private key, which never leaves it. One of two options is required: --persistent-handle
stores the key in the TPM, which makes runs fastest; --out writes a key file that only this TPM can use. The new
key is tested with a signature. Prints the key's Name and, on standard error, the next command.

With --pcrs the key works only while these PCRs keep their current values. A password also protects the key: after
a few wrong passwords, the TPM's dictionary attack protection locks all such keys for a while.
"""

import argparse
import json

from tpmwire.crypto.public_key_formats import to_pem
from tpmwire.secret import EMPTY_AUTH
from tpmwire.spec.constants import TPM_ALG

from ..keys.create import Order
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
from ..keys.policy_options import PolicySettings, add_key_policy_options, is_described, read_alternatives
from ..keys.signing import make_signing_key, signing_template
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, TpmSettings, add_tpm_options, filled, pcrs_from
from ..tpm.open import open_tpm
from ..tpm.options import KeySettings, add_auth_options
from ..tpm.passwords import new_key_auth
from ..tpm.path import note_source
from ..tpm.pins import pin_from

__all__ = ["Settings", "configure", "run"]


class Settings(KeySettings, ParentageSettings, PinSettings, PolicySettings, TpmSettings):
    """The verb's options."""

    out: str | None
    persistent_handle: int | None
    algorithm: str
    force: bool
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--out", action=Once, type=filled, metavar="FILE", help="write the key to FILE in TSS2 PEM format"
    )
    parser.add_argument(
        "--persistent-handle",
        action=Once,
        type=new_handle,
        metavar="HANDLE",
        help="make the key persistent at this handle, such as 0x81010050",
    )
    parser.add_argument(
        "--algorithm",
        default="ecc",
        metavar="NAME",
        help="ecc (P-256), ecc384 (P-384), ecc521 (P-521), rsa2048, rsa3072 or rsa4096 (default: ecc); creating "
        "an RSA key can take several minutes",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing key file or persistent key")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object with file, handle, Name and public key"
    )
    add_key_policy_options(parser)
    add_auth_options(parser, "key", "a password for the key")
    add_parent_options(parser)
    add_tpm_options(parser, "10m")
    add_pin_options(parser)
    parser.usage = "%(prog)s {--persistent-handle HANDLE | --out FILE} [options]"


def run(args: Settings, *, next_steps: bool = True) -> int:
    """Creates the key, tests it, stores it, and prints its Name; with `next_steps`, also the next command."""
    place = Place(args.persistent_handle, args.out)
    if not place:
        raise UsageError("no output; give --out FILE, --persistent-handle HANDLE, or both")
    if place.file:
        check_path(place.file, "--out", force=args.force)
    described = is_described(args)
    if described and place.handle is not None:
        raise UsageError(
            "--policy (or --pcrs with values) cannot be combined with --persistent-handle: a persistent key does "
            "not store its policy; use --out only"
        )
    template = signing_template(args.algorithm)
    pcrs = pcrs_from(args.pcrs) if args.pcrs and not described else None
    parent, auth = parentage_of(args), new_key_auth(args)
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    ways = read_alternatives(args, with_auth=bool(auth)) if described else ()
    order = Order(EMPTY_AUTH, auth, pcrs, parent.handle, parent.auth, pin, ways=ways)
    note_source(args.tpm_path)
    if template.type == TPM_ALG.RSA:
        note("creating an RSA key; this can take several minutes")
    with open_tpm(args) as tpm:
        if place.handle is not None:
            check_free(tpm, place.handle, force=args.force)
        parent.prepare(tpm)
        key = make_signing_key(tpm, order, template)
        put_in_place(tpm, [Placement.of(tpm, key, place, parent.owner)], force=args.force)
    if described:
        note("the key was not tested, because its policy may not be satisfied at present")
    note(f"the new key is at {place}")
    if next_steps:
        _note_next_steps(args, place)
    name = key.loaded.name.hex()
    handle = None if place.handle is None else f"0x{place.handle:08x}"
    made = {"file": place.file, "handle": handle, "name": name, "public_key": to_pem(key.file.public)}
    print(json.dumps(made, indent=2) if args.json else name)
    return 0


def _note_next_steps(args: Settings, place: Place) -> None:
    key = f"handle:{place.texts[-1]}" if place.handle is not None else place.texts[0]
    pcrs = args.pcrs if args.pcrs and "=" not in args.pcrs and place.handle is not None else None
    note(f"next: tpmwire roles-anywhere csr --private-key {key} --subject CN=NAME --out host.csr")
    if pcrs:
        note(f"for the PCRs, use `tpmwire roles-anywhere csr --pcrs {pcrs}`")
    if args.key_auth_file:
        note(f"for the password, use `tpmwire roles-anywhere csr --keyPass-file {args.key_auth_file}`")
