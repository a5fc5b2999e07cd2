"""Prints a public key of this TPM, with which others can wrap secrets for the TPM.

On the target:

  tpmwire export-public > web-1.json

anywhere, with or without a TPM:

  printf %s "$SECRET" | tpmwire wrap --to web-1.json --out web-1.pem

and on the target again:

  tpmwire import-key web-1.pem --persistent-handle 0x81010020

The default key is the owner's standard primary (h2), which every key file can name. --key ek-rsa or ek-ecc prints
an endorsement key with its certificate, by which the other side can verify that it belongs to a genuine TPM.
"""

import argparse
import base64
import socket

from tpmwire.channel import authorized_once
from tpmwire.keys.nv_certificate import without_padding
from tpmwire.primary import create_primary, read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_HT, TPM_RH
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.state import nv
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import KINDS, template_of
from tpmwire.use.parents import PARENTS, is_of

from ..keys.targets import OTHER, Target
from ..terminal.files import write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.open import open_tpm
from ..tpm.options import OwnerSettings, ParentSettings, add_auth_options
from ..tpm.passwords import owner_auth, parent_auth

__all__ = ["Settings", "configure", "run"]


class Settings(OwnerSettings, ParentSettings, TpmSettings):
    """The verb's options."""

    key: str
    host: str | None
    out: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, "60s")
    parser.add_argument(
        "--key",
        choices=("h2", "h1", "srk", "srk-rsa", "ek-rsa", "ek-ecc", "ek-p384"),
        default="h2",
        help="key to export: h2, the owner's standard primary (h1: as RSA); srk, the storage root key at "
        "0x81000001; or an endorsement key (default: h2; h1 if the TPM lacks ECC)",
    )
    parser.add_argument("--host", metavar="NAME", help="name of this host in the output (default: its host name)")
    parser.add_argument("--out", metavar="FILE", help="file to write the public key to (default: standard output)")
    add_auth_options(
        parser, "parent", "the password of the key's hierarchy: endorsement for ek-*, else the owner's"
    )
    add_auth_options(parser, "owner", "the owner's password, for h1 and h2; same as --parent-auth")


def run(args: Settings) -> int:
    """Reads or creates the key, adds the certificate of an EK, and writes one line of JSON."""
    place = PARENTS[args.key]
    auth, parent, certificate = parent_auth(args), place.parent, None
    if not auth and place.hierarchy == TPM_RH.OWNER:
        auth = owner_auth(args)
    with open_tpm(args) as tpm:
        if place.is_endorsement:
            public, certificate = _endorsement_key(tpm, parent, auth)
        elif parent >> 24 == TPM_HT.PERSISTENT:
            # A key file names the storage root key by its handle, so the key must be persistent.
            public = read_loaded(tpm, parent).public
        else:
            public = create_primary(tpm, place.hierarchy, place.template(), authorized_once(tpm, auth)).public
    kind = _kind(args.key, public)
    text = Target(args.host or socket.gethostname(), kind, parent, public, certificate).to_json() + "\n"
    if args.out:
        write_whole(args.out, text.encode())
    else:
        print(text, end="")
    return 0


def _kind(asked: str, public: "TPMT_PUBLIC") -> str:
    """Returns the kind of the key with public area `public`: `asked`, or its RSA variant, such as srk-rsa.

    A key with a template other than the standard ones is of the kind OTHER. Raises UsageError if the key does not
    fit `asked`.
    """
    kinds = {"srk": ("srk", "srk-rsa"), "h2": ("h2", "h1")}.get(asked, (asked,))
    for kind in kinds:
        if is_of(public, PARENTS[kind]):
            return kind
    if asked != "srk" and not PARENTS[asked].is_endorsement:
        raise UsageError(f"the TPM created a key that does not have the template of {asked}; use --key srk")
    return OTHER  # a key with another template, such as the manufacturer's


def _endorsement_key(tpm: "Tpm", handle: int, auth: "Secret") -> "tuple[TPMT_PUBLIC, str | None]":
    """Creates the EK whose standard persistent handle is `handle`; returns (public area, certificate).

    The certificate is PEM, or None if the TPM has none. `auth` is the endorsement password.
    """
    kind = next(kind for kind in KINDS if kind.handle == handle)
    present = nv.handles(tpm, kind.certificate, kind.template_index)
    template = template_of(tpm, kind, present)
    public = create_primary(tpm, TPM_RH.ENDORSEMENT, template, authorized_once(tpm, auth)).public
    return public, _certificate(tpm, kind.certificate) if kind.certificate in present else None


def _certificate(tpm: "Tpm", index: int) -> str:
    """Reads the EK certificate in an NV index, and returns it as PEM."""
    body = base64.encodebytes(without_padding(nv.read_index(tpm, index))).decode().replace("\n", "")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
