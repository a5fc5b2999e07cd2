"""Shows what is in the TPM: keys, sessions, NV indices, hierarchies.

  tpmwire list
  tpmwire list --json

For each handle its type, attributes, Name and authorization policy (a digest; without one a password is enough).
Transient objects and sessions are there until somebody flushes them (`tpmwire flush`) or the machine starts again;
behind /dev/tpmrm0 everybody sees only his own.
"""

import argparse
import json

from tpmwire.tpm import Tpm

from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.inventory import Row, rows

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
    with Tpm.open(args.tpm_path, args.timeout) as tpm:
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
