"""Loads a key file and makes its key persistent.

  tpmwire persist key.pem 0x81010020
  aws-tpm-process-credential --aws-access-key-id=AKIA... \\
      --persistentHandle=0x81010020 --key-name=000b...

A persistent key is faster to use than a key file; you may delete the file or keep it as a backup. Prints the
key's Name: with it as --key-name, aws-tpm-process-credential need not read the Name in each run.
"""

import argparse
import json

from ..keys.create import NewKey
from ..keys.options import OWNER
from ..keys.persist import check_free, load_under, parent_of
from ..keys.place import Place, Placement, put_in_place
from ..terminal.files import read_key_file
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options, persistent_handle
from ..tpm.open import open_tpm
from ..tpm.options import OwnerSettings, ParentSettings, add_auth_options
from ..tpm.passwords import owner_auth, parent_auth

__all__ = ["Settings", "configure", "run"]


class Settings(OwnerSettings, ParentSettings, TpmSettings):
    """The verb's options."""

    file: str
    handle: int
    force: bool
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("file", metavar="FILE", help="key file (TSS2 PRIVATE KEY) with the key to make persistent")
    parser.add_argument(
        "handle",
        type=persistent_handle,
        metavar="HANDLE",
        help="persistent handle to store the key at, such as 0x81010020",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing object at HANDLE")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object with the file, the handle and the Name"
    )
    add_auth_options(parser, "parent", "the password of the file's parent, or of its hierarchy")
    add_auth_options(parser, "owner", "the owner's password, if it differs from the parent's")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Loads the key, makes it persistent, and prints its Name."""
    file = read_key_file(args.file)
    if file.is_importable:
        raise UsageError(
            f"{args.file} was wrapped on another machine; run: tpmwire import-key {args.file} "
            f"--persistent-handle 0x{args.handle:08x}"
        )
    password, owner = parent_auth(args), owner_auth(args)
    if file.hierarchy == OWNER:
        # If the parent is the owner's primary key, the owner's password is the same as the parent's.
        password, owner = password or owner, owner or password
    with open_tpm(args) as tpm:
        check_free(tpm, args.handle, force=args.force)
        parent = parent_of(tpm, file, password, None)
        key = NewKey(file, load_under(tpm, parent, file.public, file.private), parent)
        put_in_place(tpm, [Placement.of(tpm, key, Place(args.handle), owner)], force=args.force)
    note(f"{args.file} is persistent at 0x{args.handle:08x}")
    name = key.loaded.name.hex()
    made = {"file": args.file, "handle": f"0x{args.handle:08x}", "name": name}
    print(json.dumps(made, indent=2) if args.json else name)
    return 0
