"""Lists the contents of the TPM: keys, sessions, NV indices and hierarchies; and the profiles that use a key.

  tpmwire list
  tpmwire list --json

Shows type, attributes, Name and authorization policy of each handle. The policy is a digest; without one, a
password is sufficient. Transient objects and sessions stay until they are flushed (`tpmwire flush`) or the machine
restarts; behind /dev/tpmrm0 each program sees only its own.

Key files that profiles of ~/.aws/config use are listed last. They are not in the TPM.
"""

import argparse
import json
import os
from typing import Any, NamedTuple

from sigv4.config import load_config
from sigv4.errors import RequestError
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import KeyFileError
from tpmwire.transport import default_path

from ..keys.location import Place
from ..lifecycle.profile_keys import find_profile_keys
from ..terminal.files import read_key_file
from ..terminal.messages import UsageError, warn
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.inventory import Row, describe_public, rows
from ..tpm.open import open_tpm
from ..tpm.path import chosen_path

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list of handles and key files")


class ProfileUse(NamedTuple):
    """A key that a profile uses.

    `place` is the key's handle or file, `name` the value of --key-name in the profile or None, and `profile` the
    profile's name.
    """

    place: Place
    name: str | None
    profile: str


def run(args: Settings) -> int:
    """Prints the TPM's handles, and the key files of profiles, with the profiles that use each of them."""
    with open_tpm(args) as tpm:
        found = list(rows(tpm))
    uses = _find_uses(chosen_path(args.tpm_path) or default_path())
    listed = [(row, _profiles_of(row, uses)) for row in found]
    files = dict.fromkeys(use.place.file for use in uses if use.place.file)
    listed += [(_file_row(file), [use.profile for use in uses if use.place.file == file]) for file in files]
    if args.json:
        print(json.dumps([_to_json(*each) for each in listed], indent=2))
        return 0
    for row, profiles in listed:
        print(_text(row, profiles))
    return 0


def _find_uses(path: str) -> list[ProfileUse]:
    """Returns the uses of keys by profiles with the TPM at `path`. Warns if AWS's files cannot be read."""
    try:
        found = find_profile_keys(load_config(os.environ))
    except RequestError as error:
        warn(f"profiles are not shown: {error}")
        return []
    uses = []
    for each in found:
        if each.settings is None:
            warn(f"{each.profile} is not shown: {each.problem}")
            continue
        if not each.uses_tpm(path):
            continue
        name = each.settings.key_name
        uses += [ProfileUse(each.place, name, each.profile.name)] if each.place else []
        uses += [ProfileUse(each.totp_place, None, each.profile.name)] if each.totp_place else []
    return uses


def _profiles_of(row: Row, uses: list[ProfileUse]) -> list[str]:
    """Returns the names of the profiles that use the handle in `row`.

    Profiles whose --key-name is another Name are omitted.
    """
    return [
        use.profile
        for use in uses
        if use.place.handle is not None and row.handle == f"0x{use.place.handle:08x}"
        if use.name is None or use.name.removeprefix("0x").lower() == row.name
    ]


def _file_row(path: str) -> Row:
    if os.path.exists(path) and not os.path.isfile(path):
        return Row("key file", path, "unknown", problem="not a regular file, and was not read")
    try:
        public = read_key_file(path).public
    except (UsageError, KeyFileError) as error:
        return Row("key file", path, "unknown", problem=str(error))
    attributes = public.object_attributes.described()
    return Row(
        "key file", path, describe_public(public), attributes, name_of(public).hex(), public.auth_policy.hex()
    )


def _to_json(row: Row, profiles: list[str]) -> dict[str, Any]:
    found = {**row.to_json(), "file": None, "profiles": profiles}
    return {**found, "handle": None, "file": row.handle} if row.kind == "key file" else found


def _text(row: Row, profiles: list[str]) -> str:
    lines = [f"{row.handle}  {row.kind}: {row.type}"]
    if row.attributes is not None:
        lines.append(f"    attributes   {row.attributes}")
        lines.append(f"    Name         {row.name}")
        lines.append(f"    auth policy  {row.auth_policy or 'none'}")
    if profiles:
        lines.append(f"    profiles     {', '.join(dict.fromkeys(profiles))}")
    if row.problem is not None:
        lines.append(f"    problem      {row.problem}")
    return "\n".join(lines)
