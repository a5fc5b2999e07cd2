"""Options of the verbs that make keys: the parent with its passwords, and the key that sessions are salted to."""

import argparse
from typing import NamedTuple

from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.tpm import Tpm

from ..terminal.options import Untyped, filled, persistent_handle
from ..tpm.passwords import add_auth_options, owner_auth, parent_auth
from .persist import make_srk

__all__ = ["OWNER", "Parentage", "add_parent_options", "add_pin_options", "new_handle", "parentage_of"]

OWNER = 0x40000001
"""TPM_RH_OWNER (TPM 2.0 Part 2, §7.4)."""

SRK = 0x81000001
"""The storage root key (TCG TPM v2.0 Provisioning Guidance, §7.8)."""


def new_handle(text: str) -> int:
    """A persistent handle that the owner may give (TPM 2.0 Part 3, §28.5). Raises ArgumentTypeError."""
    value = persistent_handle(text)
    if value > 0x817FFFFF:
        raise argparse.ArgumentTypeError(f"{text} is the platform's; the owner has 0x81000000 to 0x817fffff")
    return value


def add_parent_options(parser: "argparse.ArgumentParser") -> None:
    """--parent or --make-srk, and the passwords of parent and owner."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--parent",
        type=persistent_handle,
        default=OWNER,
        metavar="HANDLE",
        help="persistent handle of the parent, such as 0x81000001 (default: the owner's standard primary)",
    )
    group.add_argument(
        "--make-srk",
        action="store_true",
        help="use the storage root key at 0x81000001 as the parent, and create it if missing: needs the owner's "
        "password once, later runs do not",
    )
    add_auth_options(parser, "parent", "the password of the parent or, without --parent, of the owner")
    add_auth_options(parser, "owner", "the owner's password, for a persistent handle beside --parent")


class Parentage(NamedTuple):
    """The parent of a new key: its handle or hierarchy, the password of that, and the owner's password."""

    handle: int
    auth: "Secret"
    owner: "Secret"
    make_srk: bool

    def prepare(self, tpm: "Tpm") -> None:
        """Makes the parent where that was asked for and there is none. Raises TpmError, UsageError."""
        if self.make_srk:
            make_srk(tpm, self.handle, self.owner)


def parentage_of(args: Untyped) -> Parentage:
    """The parent of the options. Without --parent the two passwords are one under two names: the owner's."""
    parent, owner = parent_auth(args), owner_auth(args)
    if args.make_srk:
        return Parentage(SRK, EMPTY_AUTH, owner or parent, True)
    if args.parent == OWNER:
        return Parentage(OWNER, parent or owner, owner or parent, False)
    return Parentage(args.parent, parent, owner, False)


def add_pin_options(parser: "argparse.ArgumentParser", what_for: str = "") -> None:
    """--tpm-session-encrypt-with-name and -public, which `pins.pin_from` takes."""
    parser.add_argument(
        "--tpm-session-encrypt-with-name",
        type=filled,
        metavar="NAME[@WHERE]",
        help=f"hex Name of this TPM's endorsement or storage key, as `tpmwire ek` prints it to pin{what_for}",
    )
    parser.add_argument(
        "--tpm-session-encrypt-with-public",
        type=filled,
        metavar="FILE",
        help="file with that public key in any form, instead of its Name",
    )
