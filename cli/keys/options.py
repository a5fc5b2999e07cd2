"""Options of the verbs that create keys: secret, parent, salt key, target, and the SigV4A key."""

import argparse
from typing import NamedTuple

from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm

from ..terminal.options import filled, persistent_handle
from ..tpm.options import OwnerSettings, ParentSettings, add_auth_options
from ..tpm.passwords import owner_auth, parent_auth
from .persist import LAST_OWNER_HANDLE, make_srk

__all__ = [
    "OWNER",
    "SRK",
    "FormatSettings",
    "Parentage",
    "ParentageSettings",
    "PinSettings",
    "SecretSettings",
    "Sigv4aSettings",
    "TargetSettings",
    "add_format_option",
    "add_parent_options",
    "add_pin_options",
    "add_secret_options",
    "add_sigv4a_options",
    "add_target_options",
    "new_handle",
    "parentage_of",
]

OWNER = int(TPM_RH.OWNER)

SRK = 0x81000001
"""The storage root key (TCG TPM v2.0 Provisioning Guidance, §7.8)."""


def new_handle(text: str) -> int:
    """Parses a persistent handle in the owner's range (TPM 2.0 Part 3, §28.5).

    Raises ArgumentTypeError for any other text.
    """
    value = persistent_handle(text)
    if value > LAST_OWNER_HANDLE:
        raise argparse.ArgumentTypeError(
            f"{text} belongs to the platform; choose a handle from 0x81000000 to 0x817fffff"
        )
    return value


class ParentageSettings(ParentSettings, OwnerSettings):
    """Values of the options that `add_parent_options` adds."""

    parent: int
    make_srk: bool


def add_parent_options(parser: argparse.ArgumentParser) -> None:
    """Adds --parent, --make-srk, and the passwords of parent and owner."""
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
        help="use the storage root key at 0x81000001 as the parent, and create it if missing (needs the "
        "owner's password once)",
    )
    add_auth_options(parser, "parent", "the password of the parent or, without --parent, of the owner")
    add_auth_options(parser, "owner", "the owner's password, to make a key persistent when --parent is given")


class Parentage(NamedTuple):
    """The parent of a new key: its handle or hierarchy, its password, and the owner's password."""

    handle: int
    auth: Secret
    owner: Secret
    make_srk: bool

    def prepare(self, tpm: Tpm) -> None:
        """Creates the parent if --make-srk was given and the parent is missing.

        Raises TpmError if the TPM refuses, UsageError if the handle has no storage key.
        """
        if self.make_srk:
            make_srk(tpm, self.handle, self.owner)


def parentage_of(args: ParentageSettings) -> Parentage:
    """Returns the parent that the options describe. Without --parent, the parent's password is the owner's."""
    parent, owner = parent_auth(args), owner_auth(args)
    if args.make_srk:
        return Parentage(SRK, EMPTY_AUTH, owner or parent, True)
    if args.parent == OWNER:
        return Parentage(OWNER, parent or owner, owner or parent, False)
    return Parentage(args.parent, parent, owner, False)


class PinSettings:
    """Values of the options that `add_pin_options` adds."""

    tpm_session_encrypt_with_name: str | None
    tpm_session_encrypt_with_public: str | None


def add_pin_options(parser: argparse.ArgumentParser, what_for: str = "") -> None:
    """Adds --tpm-session-encrypt-with-name and --tpm-session-encrypt-with-public, for `pins.pin_from`.

    `what_for` is added to the help text of the first option.
    """
    parser.add_argument(
        "--tpm-session-encrypt-with-name",
        type=filled,
        metavar="NAME[@WHERE]",
        help=f"hex Name of the TPM key to pin, printed by `tpmwire ek`; a different TPM is refused{what_for}",
    )
    parser.add_argument(
        "--tpm-session-encrypt-with-public",
        type=filled,
        metavar="FILE",
        help="file with the public key to pin, instead of its Name; or base64:TPM2B_PUBLIC[@WHERE]",
    )


class SecretSettings:
    """Values of the options that `add_secret_options` adds."""

    from_profile: str | None


def add_secret_options(parser: argparse._ActionsContainer) -> None:
    """Adds --from-profile; without it the secret comes from standard input."""
    parser.add_argument(
        "--from-profile",
        metavar="NAME",
        help="profile of ~/.aws/credentials with the secret (default: standard input, or a prompt)",
    )


class TargetSettings:
    """Values of the options that `add_target_options` adds."""

    to_key: str | None
    to_handle: int | None


def add_target_options(parser: argparse.ArgumentParser, option: str = "--to") -> None:
    """Adds OPTION-handle and OPTION-key, for target files that do not state the key's handle or type."""
    parser.add_argument(
        f"{option}-key",
        metavar="KIND",
        help="type of the target's parent key, if the file does not contain it: ek-rsa, ek-ecc, ek-p384, h2, srk, "
        "srk-rsa",
    )
    parser.add_argument(
        f"{option}-handle",
        type=persistent_handle,
        metavar="HANDLE",
        help="persistent handle of the target's parent key (default: the standard handle of its type)",
    )


class FormatSettings:
    """Value of the option that `add_format_option` adds."""

    format: str


def add_format_option(parser: argparse.ArgumentParser) -> None:
    """Adds --format, the format of the key file that is sent to the target."""
    parser.add_argument(
        "--format",
        choices=("pem", "tpmcopy"),
        default="pem",
        help="format of the key file: pem (TSS2) or tpmcopy (JSON of tpmcopy) (default: pem)",
    )


class Sigv4aSettings:
    """Values of the options that `add_sigv4a_options` adds."""

    sigv4a_out: str | None
    sigv4a_handle: int | None


def add_sigv4a_options(parser: argparse._ActionsContainer) -> None:
    """Adds --sigv4a-out and --sigv4a-handle."""
    parser.add_argument(
        "--sigv4a-out",
        metavar="FILE",
        help="also create the SigV4A key (for S3's multi-region access points and other multi-region "
        "requests), and write it to FILE in TSS2 PEM format",
    )
    parser.add_argument(
        "--sigv4a-handle", type=new_handle, metavar="HANDLE", help="make the SigV4A key persistent at this handle"
    )
