"""Finds a rotation's old and new key in the profile and the saved state, and a location for the new key."""

import os
import shlex
from typing import NamedTuple

from sigv4.config import load_config
from sigv4.iam import ListAccessKeys
from tpmwire.crypto.formulas import name_of
from tpmwire.keys.keyfile import KeyFile
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyPCR
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMS_PCR_SELECTION
from tpmwire.state import nv
from tpmwire.tpm import Tpm

from ..awsconfig.edit import config_path, section_of
from ..awsconfig.files import read_setting
from ..awsconfig.plaintext import sections_with
from ..credentials.role_chain import without_process
from ..keys.create import Order
from ..keys.options import OWNER
from ..keys.persist import check_free, check_parent
from ..keys.place import Place, read_public_at
from ..keys.policy_copy import copy_alternatives, is_plain
from ..keys.sigv4a import check_places, check_tpm
from ..terminal.messages import UsageError
from ..tpm.open import open_tpm
from .aws import iam_client
from .profile_command import ProfileCommand
from .state import State

__all__ = [
    "NewPlaces",
    "begin_rotation",
    "check_place",
    "check_sigv4a",
    "new_command",
    "new_place",
    "old_command",
    "open_tpm_for",
    "order_for",
    "place_from_values",
    "place_values",
]


class NewPlaces(NamedTuple):
    """The locations for the new HMAC key (`key`) and SigV4A key (`sigv4a`), each empty if no option gives one."""

    key: Place
    sigv4a: Place


def read_command(profile: str) -> ProfileCommand:
    """Returns the profile's current credential_process line. Raises UsageError if it is missing or invalid."""
    text = read_setting(config_path(), section_of(profile), "credential_process")
    if text is None:
        raise UsageError(without_process(load_config(os.environ).profile(profile)))
    return ProfileCommand(text, profile)


def old_command(profile: str, state: State) -> ProfileCommand:
    """Returns the profile's command line before the switch. Raises UsageError if it does not use the old key."""
    command = read_command(profile)
    if command.key_id != state.values["old"]["id"]:
        raise UsageError(
            f"the key of the profile {profile} has changed since the rotation began; restore it, or remove "
            f"{state.path}"
        )
    return command


def new_command(profile: str, state: State) -> ProfileCommand:
    """Returns the command line that uses the new key, whether or not the profile already has this line."""
    new = state.values["new"]
    command = read_command(profile)
    return ProfileCommand(command.rewrite(new["id"], place_from_values(new), bytes.fromhex(new["name"])), profile)


def place_from_values(values: dict[str, str]) -> Place:
    """Returns the location of a key from the key's entry in the state file."""
    return Place(int(values["handle"], 16)) if "handle" in values else Place(file=values["file"])


def place_values(place: Place) -> dict[str, str]:
    """Returns a key's location as values for the key's entry in the state file: `handle` or `file`."""
    return {"file": str(place)} if place.handle is None else {"handle": str(place)}


def open_tpm_for(command: ProfileCommand) -> Tpm:
    """Opens the TPM that a profile's command line selects, with a timeout of 60 seconds."""
    # The profile's time-out is for one HMAC; creating keys takes longer.
    return open_tpm(command.settings, timeout=60.0)


def check_place(place: Place, command: ProfileCommand) -> None:
    """Raises UsageError if the new key cannot be stored at `place`. Called before IAM creates the key."""
    file = command.key.file
    if place.file and os.path.lexists(place.file):
        raise UsageError(f"{place.file} exists; choose another --out")
    if place.handle is not None and file is not None and not _states_policy(file, command):
        raise UsageError("a handle cannot store the policy that the old key's file has; give --out")


def _states_policy(file: KeyFile, command: ProfileCommand) -> bool:
    """Returns whether the profile's options (--pcrs) describe the whole policy in the key file."""
    return is_plain(file) and (not file.policy or bool(command.settings.pcrs))


def begin_rotation(profile: str, place: Place) -> State:
    """Checks all prerequisites of a rotation, and creates its state file.

    `place` is the location for the new key from the options. Raises UsageError if a prerequisite is missing.
    """
    command = read_command(profile)
    check_place(place, command)
    for path, section, removable in sections_with(command.key_id):
        hint = (
            f"remove it with `tpmwire enroll --profile {shlex.quote(removable)} --remove-plaintext`"
            if removable
            else "remove it from the file"
        )
        raise UsageError(
            f"the secret key of {command.key_id} is still in plaintext in [{section}] of {path}; {hint}"
        )
    if command.settings.useEKParent:
        raise UsageError(
            "cannot rotate a key that was wrapped for this TPM's EK; wrap a new key on the machine "
            "that wrapped the old one"
        )
    with open_tpm_for(command) as tpm:
        if command.key.file is not None:
            check_parent(tpm, command.key.file)
        public = read_public_at(tpm, command.place)
    if public is None:
        raise UsageError(f"no key at {command.place}, where the profile expects it; check `tpmwire list`")
    if command.place.handle is not None and public.auth_policy and command.key.pcrs is None:
        raise UsageError(
            f"the key at {command.place} has a policy, but the profile has no --pcrs; add --pcrs, or create the "
            "new key with `tpmwire import`"
        )
    if command.key.file is not None and not is_plain(command.key.file):
        copy_alternatives(command.key.file)
    keys = [key.access_key_id for key in iam_client(command).call(ListAccessKeys())]
    if len(keys) > 1:
        raise UsageError(f"the user already has two access keys, AWS's maximum; delete one of {', '.join(keys)}")
    old = {"id": command.key_id, "name": name_of(public).hex(), **place_values(command.place)}
    return State.begin(profile, old=old, before=keys)


def _pcrs(command: ProfileCommand) -> tuple[TPMS_PCR_SELECTION, ...] | None:
    """Returns the PCRs that the options select, or else the key file's policy; None if neither selects PCRs."""
    key = command.key
    if key.pcrs is not None or key.file is None or key.file.policy is None:
        return key.pcrs
    statements = Policy.ways(key.file.policy, key.file.public)[0].statements
    return next((statement.pcrs for statement in statements if isinstance(statement, PolicyPCR)), None)


def order_for(command: ProfileCommand, secret: Secret, owner: Secret) -> Order:
    """Returns the order for the new key: the new secret, with the old key's password, policy and parent.

    `owner` is the password of the parent if the command line has no password for it.
    """
    key, parent = command.key, OWNER
    if key.file is not None:
        parent = key.file.persistent_parent or key.file.hierarchy or OWNER
    parent_auth = key.parent_auth or owner
    if key.file is not None and not is_plain(key.file):
        ways = copy_alternatives(key.file)
        return Order(secret, key.auth, None, parent, parent_auth, key.pin, ways=ways, template=key.file.public)
    return Order(secret, key.auth, _pcrs(command), parent, parent_auth, key.pin)


def check_sigv4a(places: NewPlaces, command: ProfileCommand) -> None:
    """Raises UsageError if the new SigV4A key cannot be created or stored. Called before IAM creates the key."""
    if not places.sigv4a:
        return
    check_places(places.sigv4a, places.key, force=False)
    with open_tpm_for(command) as tpm:
        check_tpm(tpm)
        if places.sigv4a.handle is not None:
            check_free(tpm, places.sigv4a.handle, force=False)


def new_place(places: NewPlaces, tpm: Tpm, command: ProfileCommand, key_id: str) -> Place:
    """Returns the new key's location: from the options, or else a new file or handle next to the old key's.

    Raises UsageError if the file exists or the handle is occupied.
    """
    old, place, sigv4a = command.place, places.key, places.sigv4a.absolute
    if place.file or (old.file is not None and place.handle is None):
        file = os.path.abspath(place.file or os.path.join(os.path.dirname(old.file or ""), f"{key_id}.pem"))
        if os.path.lexists(file):
            raise UsageError(f"{file} exists; choose another --out")
        if file == sigv4a.file:
            raise UsageError(f"both new keys would be written to {file}; choose another --out or --sigv4a-out")
        return Place(file=file)
    if place.handle is None:
        assert old.handle is not None
        first, last = old.handle + 1, min(old.handle + 0x100, 0x81FFFFFF)
        occupied = [*nv.handles(tpm, first, last), sigv4a.handle]
        handle = next((handle for handle in range(first, last + 1) if handle not in occupied), None)
        if handle is None:
            raise UsageError(f"no free handle after {old}; choose one with --persistent-handle")
        return Place(handle)

    check_free(tpm, place.handle, force=False)
    return place
