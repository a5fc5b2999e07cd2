"""Options of the verbs that make keys: the parent with its passwords, and the key that sessions are salted to."""

from typing import TYPE_CHECKING

from .auths import add_auth_options, auth_of
from .options import persistent_handle

if TYPE_CHECKING:
    import argparse

    from tpmwire.secret import Secret

__all__ = ["OWNER", "add_parent_options", "add_pin_options", "new_handle", "parent_and_owner"]

OWNER = 0x40000001
"""TPM_RH_OWNER (TPM 2.0 Part 2, §7.4)."""


def new_handle(text: str) -> int:
    """A persistent handle that the owner may give (TPM 2.0 Part 3, §28.5). Raises ArgumentTypeError."""
    import argparse

    value = persistent_handle(text)
    if value > 0x817FFFFF:
        raise argparse.ArgumentTypeError(f"{text} is the platform's; the owner has 0x81000000 to 0x817fffff")
    return value


def add_parent_options(parser: "argparse.ArgumentParser") -> None:
    """--parent, and the passwords of parent and owner."""
    parser.add_argument(
        "--parent",
        type=persistent_handle,
        default=OWNER,
        metavar="HANDLE",
        help="persistent handle of the parent, such as 0x81000001 (default: the owner's standard ECC primary)",
    )
    add_auth_options(parser, "parent", "the password of the parent or, without --parent, of the owner")
    add_auth_options(parser, "owner", "the owner's password, for a persistent handle beside --parent")


def parent_and_owner(args: "argparse.Namespace") -> "tuple[Secret, Secret]":
    """The two passwords; without --parent they are one under two names: the parent's is the owner's."""
    parent, owner = auth_of(args, "parent"), auth_of(args, "owner")
    return (parent or owner, owner or parent) if args.parent == OWNER else (parent, owner)


def add_pin_options(parser: "argparse.ArgumentParser", what_for: str = "") -> None:
    """--tpm-session-encrypt-with-name and -public, which `pins.pin_from` takes."""
    parser.add_argument(
        "--tpm-session-encrypt-with-name",
        metavar="NAME[@WHERE]",
        help=f"hex Name of this TPM's endorsement or storage key, as `tpmwire ek` prints it to pin{what_for}",
    )
    parser.add_argument(
        "--tpm-session-encrypt-with-public", metavar="FILE", help="the same key's public area instead of its Name"
    )
