"""Lists the contents of the TPM: keys, sessions, NV indices and hierarchies.

  tpmwire list
  tpmwire list --json

Shows type, attributes, Name and authorization policy of each handle. The policy is a digest; without one, a
password is sufficient. Transient objects and sessions stay until they are flushed (`tpmwire flush`) or the machine
restarts; behind /dev/tpmrm0 each program sees only its own.
"""

import argparse
import json

from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.inventory import Row, rows
from ..tpm.open import open_tpm

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per handle")


def run(args: Settings) -> int:
    """Prints the inventory."""
    with open_tpm(args) as tpm:
        found = list(rows(tpm))
    if args.json:
        print(json.dumps([row.to_json() for row in found], indent=2))
        return 0
    for row in found:
        print(_text(row))
    return 0


def _text(row: "Row") -> str:
    lines = [f"{row.handle}  {row.kind}: {row.type}"]
    if row.attributes is not None:
        lines.append(f"    attributes   {row.attributes}")
        lines.append(f"    Name         {row.name}")
        lines.append(f"    auth policy  {row.auth_policy or 'none'}")
    if row.problem is not None:
        lines.append(f"    problem      {row.problem}")
    return "\n".join(lines)
