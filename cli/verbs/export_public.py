"""Prints this TPM's public key, for somebody elsewhere to wrap a secret for it.

On the target:

  tpmwire export-public > web-1.json

anywhere, with or without a TPM:

  printf %s "$SECRET" | tpmwire wrap --to web-1.json --out web-1.pem

and on the target again:

  tpmwire import-key web-1.pem --persistent-handle 0x81010002

The key is the owner's standard primary (h2), which every key file can name; --key ek-rsa or ek-ecc gives an
endorsement key, whose certificate is put in and lets the other side check that it is a real TPM's.
"""

import argparse
import socket
from typing import TYPE_CHECKING

from ..messages import UsageError
from ..options import add_tpm_options

if TYPE_CHECKING:
    from tpmwire.spec.structures import TPMT_PUBLIC
    from tpmwire.tpm import Tpm

__all__ = ["HELP", "configure", "run"]

HELP = "print this TPM's public key, to wrap a secret for it elsewhere"

CERTIFICATES = {"ek-rsa": 0x01C00002, "ek-ecc": 0x01C0000A}
"""NV indices of the EK certificates (TCG EK Credential Profile, §2.2.1.4)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    from ..auths import add_auth_options

    add_tpm_options(parser, "60s")
    parser.add_argument(
        "--key",
        choices=("h2", "h1", "srk", "srk-rsa", "ek-rsa", "ek-ecc"),
        default="h2",
        help="which key: the owner's standard primary (h1: its RSA form), the storage root key at 0x81000001, "
        "or an endorsement key (default: h2; h1 if the TPM lacks ECC)",
    )
    parser.add_argument("--host", metavar="NAME", help="name of this host in the output (default: its host name)")
    parser.add_argument("--out", metavar="FILE", help="write to a file instead of standard output")
    add_auth_options(
        parser, "parent", "the password of the key's hierarchy: endorsement for ek-*, else the owner's"
    )
    add_auth_options(parser, "owner", "the owner's password, another name for the same with h2")


def run(args: argparse.Namespace) -> int:
    """Makes the key, reads its certificate, prints one line of JSON."""
    from tpmwire.channel import authorized_once
    from tpmwire.parents import PARENTS
    from tpmwire.primary import WELL_KNOWN, create_primary, read_loaded
    from tpmwire.spec.constants import TPM_RH
    from tpmwire.tpm import Tpm

    from ..auths import auth_of
    from ..files import write_whole
    from ..targets import Target

    place = WELL_KNOWN[args.key]
    auth = auth_of(args, "parent")
    if not auth and place.hierarchy == TPM_RH.OWNER:
        auth = auth_of(args, "owner")
    with Tpm.open(args.tpm_path, args.timeout) as tpm:
        if place.handle is not None and place.hierarchy == TPM_RH.OWNER:
            # A key file names the storage root key by its handle: it has to be there.
            public, parent = read_loaded(tpm, place.handle).public, place.handle
        else:
            public = create_primary(tpm, place.hierarchy, place.template(), authorized_once(tpm, auth)).public
            parent = PARENTS[args.key].parent
        kind = _kind(args.key, public)
        certificate = _certificate(tpm, CERTIFICATES[args.key]) if args.key in CERTIFICATES else None
    text = Target(args.host or socket.gethostname(), kind, parent, public, certificate).to_json() + "\n"
    if args.out:
        write_whole(args.out, text.encode())
    else:
        print(text, end="")
    return 0


def _kind(asked: str, public: "TPMT_PUBLIC") -> str:
    """Which key it is: a TPM may have the RSA one of two where the ECC one is asked for. Raises UsageError."""
    from tpmwire.primary import WELL_KNOWN

    from ..targets import OTHER

    kinds = {"srk": ("srk", "srk-rsa"), "h2": ("h2", "h1")}.get(asked, (asked,))
    for kind in kinds:
        if WELL_KNOWN[kind].fits(public):
            return kind
    if asked != "srk":
        raise UsageError(f"the key at 0x{WELL_KNOWN[asked].handle or 0:08x} is not of the kind {asked}")
    return OTHER


def _certificate(tpm: "Tpm", index: int) -> str | None:
    """The EK certificate in PEM, where the TPM stores one."""
    from tpmwire import nv
    from tpmwire.nv_certificate import without_padding

    if index not in nv.handles(tpm, index, index):
        return None
    import base64

    body = base64.encodebytes(without_padding(nv.read(tpm, index))).decode().replace("\n", "")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
