"""Removes a persistent key from the TPM.

  tpmwire evict 0x81010020
  tpmwire evict 0x81010020 --yes

The key is lost permanently, unless it is also in a key file (`tpmwire import --out`). At a terminal, evict asks
for confirmation. `tpmwire list` shows the handles in use. Handles from 0x81800000 on belong to the platform: the
owner cannot remove them.
"""

import argparse

from tpmwire.channel import authorized_once

from ..keys.persist import evict, is_occupied
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options, persistent_handle
from ..terminal.prompts import check_agreed
from ..tpm.open import open_tpm
from ..tpm.options import OwnerSettings, add_auth_options
from ..tpm.passwords import owner_auth

__all__ = ["Settings", "configure", "run"]


class Settings(OwnerSettings, TpmSettings):
    """The verb's options."""

    handle: int
    yes: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "handle",
        type=persistent_handle,
        metavar="HANDLE",
        help="persistent handle of the key to remove, such as 0x81010020",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_auth_options(parser, "owner", "the owner's password")
    add_tpm_options(parser, "20s")


def run(args: Settings) -> int:
    """Removes the persistent key at the handle, after the user confirms it."""
    owner = owner_auth(args)
    with open_tpm(args) as tpm:
        if not is_occupied(tpm, args.handle):
            raise UsageError(f"no object at 0x{args.handle:08x}; `tpmwire list` shows the occupied handles")
        name = tpm.name(args.handle)
    # Asked before the TPM is opened, so that other programs can use the TPM meanwhile.
    check_agreed(f"Remove the key at 0x{args.handle:08x}, Name {name.hex()}, permanently?", yes=args.yes)
    with open_tpm(args) as tpm:
        if tpm.name(args.handle) != name:
            raise UsageError(
                f"the key at 0x{args.handle:08x} changed during the confirmation; nothing was removed"
            )
        evict(tpm, args.handle, authorized_once(tpm, owner))
    note(f"removed the key at 0x{args.handle:08x}, Name {name.hex()}")
    return 0
