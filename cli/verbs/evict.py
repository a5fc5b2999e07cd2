"""Removes a persistent key from the TPM.

  tpmwire evict 0x81010002

The key is gone at once and for good, unless it is also in a key file (`tpmwire import --out`). `tpmwire list`
shows what is where. Handles from 0x81800000 on are the platform's: the owner cannot remove them.
"""

import argparse

from ..messages import UsageError, note
from ..options import add_tpm_options, persistent_handle

__all__ = ["HELP", "configure", "run"]

HELP = "remove a persistent key from the TPM"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    from ..auths import add_auth_options

    parser.add_argument("handle", type=persistent_handle, metavar="HANDLE", help="such as 0x81010002")
    add_auth_options(parser, "owner", "the owner's password")
    add_tpm_options(parser, "20s")


def run(args: argparse.Namespace) -> int:
    """Removes it."""
    from tpmwire.channel import authorized_once

    from ..auths import auth_of
    from ..keys import evict, is_occupied, open_tpm

    owner = auth_of(args, "owner")
    with open_tpm(args) as tpm:
        if not is_occupied(tpm, args.handle):
            raise UsageError(f"there is nothing at 0x{args.handle:08x}; `tpmwire list` shows what is where")
        name = tpm.name(args.handle)
        evict(tpm, args.handle, authorized_once(tpm, owner))
    note(f"removed the key at 0x{args.handle:08x}, whose Name was {name.hex()}")
    return 0
