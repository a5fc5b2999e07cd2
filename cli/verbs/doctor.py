"""Checks the TPM, the AWS profiles that use it, and this machine, and prints the next step for each problem.

  tpmwire doctor
  tpmwire doctor --network
  tpmwire doctor --json

Each line begins with ok, warning or error. The exit code is 1 if a line is an error, else 0. docs/doctor.md
describes each check.

doctor changes nothing: it flushes every object that it loads, and sends no password to the TPM. It uses no network
without --network, which compares this machine's clock with the STS endpoints' clocks.
"""

import argparse
import json

from ..doctor.machine import Machine
from ..doctor.run import Result, run_checks
from ..terminal.options import TpmSettings, add_tpm_options
from ..terminal.streams import printable

__all__ = ["Settings", "configure", "print_result", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    json: bool
    network: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object with all results")
    parser.add_argument(
        "--network", action="store_true", help="send one unsigned request to each STS endpoint in use"
    )
    add_tpm_options(parser, "5s")


def run(args: Settings) -> int:
    """Prints the results of all checks; returns 1 if a check found an error."""
    found = []
    with Machine(args.tpm_path, args.timeout, network=args.network) as machine:
        for result in run_checks(machine):
            found.append(result)
            if not args.json:
                print_result(result)
    status = next((one for one in ("error", "warning") if one in (each.status for each in found)), "ok")
    if args.json:
        print(json.dumps({"status": status, "checks": [each._asdict() for each in found]}, indent=2))
    return 1 if status == "error" else 0


def print_result(result: Result) -> None:
    """Prints the result of a check on one line."""
    step = f"; {result.step}" if result.step else ""
    # A text may quote a path or a variable, which may have a line end.
    print(printable(f"{result.status:8} {result.check}: {result.text}{step}"), flush=True)
