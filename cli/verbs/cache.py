"""Lists the credentials that `aws-tpm-process-credential --cache` stores for this user, or removes them.

  tpmwire cache
  tpmwire cache --json
  tpmwire cache clear

Each line shows the access key ID, the requested role or session, the region, and until when runs use the cached
credentials. The credentials themselves are sealed by the TPM and not shown; this verb does not open the TPM. After
a change of a role's policy, use `clear` to make the next run request new credentials; it also removes cached data
about the TPM. Credentials that a program already has stay valid until they expire.
"""

import argparse
import json
import time

from ..credentials.cache.directory import clear, entries
from ..credentials.cache.store import UnfitError, place
from ..terminal.messages import UsageError, note

__all__ = ["Settings", "configure", "run"]


class Settings:
    """The verb's options."""

    action: str
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "clear"),
        default="list",
        help="list the caches (default), or remove them",
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(args: Settings) -> int:
    """Lists or removes the caches. Raises UsageError if the cache directory does not belong to the user."""
    try:
        if args.action == "clear":
            if args.json:
                raise UsageError("--json cannot be used with clear; remove --json")
            number = clear()
            print(f"{number} cache{'' if number == 1 else 's'} removed from {place()}")
            return 0
        found = entries()
    except UnfitError as error:
        raise UsageError(str(error)) from error
    if args.json:
        rows = [{"file": f"{place()}/{one.name}", "about": one.about, "renewed_at": one.due} for one in found]
        print(json.dumps(rows, indent=2))
        return 0
    if not found:
        note(f"tpmwire: no cached credentials in {place()}")
    for one in found:
        about = "".join(character if character.isprintable() else "?" for character in one.about)
        print(f"{about}  {_describe_renewal(one.due)}")
    return 0


def _describe_renewal(due: int | None) -> str:
    if due is None:
        return "not used: the next run replaces it"
    left = due - time.time()
    if left <= 0:
        return "expiring: the next run renews it"
    minutes = int(left // 60)
    try:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))
    except (OverflowError, ValueError, OSError):
        return "not used: the next run replaces it"
    return f"until {when}, {minutes // 60} h {minutes % 60} min"
