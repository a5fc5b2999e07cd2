"""Removes leftover transient objects and sessions from the TPM.

  tpmwire flush
  tpmwire flush --sessions

Objects and sessions that a program does not flush stay in the TPM, until nothing more can be loaded
(TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY). flush prints one removed handle per line. Persistent keys stay. On
/dev/tpm0 the objects may belong to a running program. Behind /dev/tpmrm0 the kernel cleans up after each program,
and only saved sessions can be flushed.
"""

import argparse
import json

from tpmwire.errors import TpmError

from ..terminal.messages import note, warn
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.inventory import list_handles
from ..tpm.open import open_tpm

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    transient: bool
    sessions: bool
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--transient", action="store_true", help="flush transient objects only")
    which.add_argument("--sessions", action="store_true", help="flush sessions only, loaded and saved")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per removed handle")
    add_tpm_options(parser)


def run(args: Settings) -> int:
    """Flushes objects and sessions, and prints their handles."""
    kinds = [] if args.sessions else ["transient"]
    kinds += [] if args.transient else ["loaded session", "saved session"]
    failed: TpmError | None = None
    removed: list[dict[str, str]] = []
    with open_tpm(args) as tpm:
        found = [(kind, handle) for kind in kinds for handle in list_handles(tpm, kind)]
        if found and "tpmrm" not in tpm.transport.path and tpm.transport.path.startswith("/dev/"):
            warn(f"the objects in {tpm.transport.path} may belong to a program that is running")
        for kind, handle in found:
            try:
                tpm.flush(handle)
            except TpmError as error:
                # Continue, since the other handles can still be flushed.
                failed = failed or error
                continue
            removed.append({"handle": f"0x{handle:08x}", "kind": kind})
            if not args.json:
                print(f"0x{handle:08x}  {kind}")
    if args.json:
        print(json.dumps(removed, indent=2))
    if failed is not None:
        raise failed
    if not found:
        note("nothing to flush")
    return 0
