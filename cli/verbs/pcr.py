"""Reads platform configuration registers (PCRs): all of them, or a selection.

  tpmwire pcr
  tpmwire pcr sha256:7,23
  tpmwire pcr sha1:0+sha256:0,1 --json

Prints one line per PCR: bank, number, value in hex. A selection without a bank means sha256. All values are read
at the same moment: if another program extends a PCR in between, they are read again.
"""

import argparse
import json

from tpmwire.policy.pcr_selection import format_pcrs, pcrs_in
from tpmwire.state.pcrs import banks, read_pcrs

from ..terminal.options import TpmSettings, add_tpm_options, pcrs_from
from ..tpm.open import open_tpm

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    selection: str | None
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "selection", nargs="?", metavar="SELECTION", help="PCRs, such as 7,23 or sha256:7,23 (default: all)"
    )
    add_tpm_options(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object with values by bank and number")


def run(args: Settings) -> int:
    """Prints the values of the selected PCRs."""
    wanted = None if args.selection is None else pcrs_from(args.selection)
    with open_tpm(args) as tpm:
        selection = banks(tpm) if wanted is None else wanted
        values = read_pcrs(tpm, selection)
    # The bank's name is the part before the colon in `sha256:0,1`.
    rows = [
        (format_pcrs((bank,)).partition(":")[0], number, values[place].hex())
        for bank in selection
        for place in pcrs_in((bank,))
        for number in place[1:]
    ]
    if args.json:
        document: dict[str, dict[str, str]] = {}
        for bank_name, number, value in rows:
            document.setdefault(bank_name, {})[str(number)] = value
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(f"{bank_name}:{number:<2}  {value}" for bank_name, number, value in rows))
    return 0
