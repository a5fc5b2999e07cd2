"""Shows the TPM's manufacturer, firmware, algorithms, limits and lockout state.

  tpmwire info
  tpmwire info --json

It also lists commands that tpmwire uses and this TPM lacks. Without TPM2_HMAC, each run needs one more command.
"""

import argparse
import json
import textwrap
from typing import Any

from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.capabilities import describe_tpm
from ..tpm.open import open_tpm

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: Settings) -> int:
    """Prints the properties of the TPM."""
    with open_tpm(args) as tpm:
        found = describe_tpm(tpm)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        print(_text(found))
    return 0


def _text(found: dict[str, Any]) -> str:
    specification, lockout = found["specification"], found["lockout"]
    errata = "no date" if specification["errata"] is None else f"errata {specification['errata']}"
    state = "LOCKED OUT" if lockout["locked_out"] else "open"
    rows = {
        "manufacturer": found["manufacturer"],
        "vendor": found["vendor"] or "(not reported)",
        "firmware": found["firmware"],
        "standard": f"TPM {found['family']}, revision {specification['revision']}, "
        f"level {specification['level']}, {specification['date'] or errata}",
        "modes": " ".join(found["modes"]) or "none",
        "lockout": f"{state}: {lockout['failures']} of {lockout['max_failures']} wrong passwords, one forgiven "
        f"every {lockout['interval_seconds']} s; after a wrong lockout password {lockout['recovery_seconds']} s",
        "permanent": " ".join(found["permanent"]) or "none",
        "since start": " ".join(found["startup_clear"]) or "none",
        "limits": _wrap_words([f"{name}={value}" for name, value in found["limits"].items()]),
        "algorithms": _wrap_words(found["algorithms"]),
        "curves": _wrap_words(found["curves"]),
        "post-quantum": " ".join(found["post_quantum"]) or "none",
        "PCR banks": _wrap_words([f"{bank}({_runs(numbers)})" for bank, numbers in found["pcr_banks"].items()]),
        "commands": f"{len(found['commands'])}; of those that tpmwire uses, "
        + (f"missing: {' '.join(found['missing_commands'])}" if found["missing_commands"] else "none is missing"),
    }
    return "\n".join(f"{label + ':':14}{value}" for label, value in rows.items())


def _wrap_words(words: list[str]) -> str:
    lines = textwrap.wrap(" ".join(words), 96, break_long_words=False, break_on_hyphens=False)
    return ("\n" + 14 * " ").join(lines) or "none"


def _runs(numbers: list[int]) -> str:
    """Returns sorted numbers as text: a range such as `0-23` if they are consecutive, else each number."""
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))
