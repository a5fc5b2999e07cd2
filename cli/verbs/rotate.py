"""Replaces a profile's access key with a new key. The TPM imports the secret directly from IAM's response.

  tpmwire rotate --profile work
  tpmwire rotate --profile work --delete-old
  tpmwire rotate --profile work --resume

The old key signs a CreateAccessKey request; the TPM imports the new secret, which never touches a disk. Once AWS
accepts the new key, the profiles that used the old key switch to it, and the old key is deactivated. --delete-old
deletes the old key: at once, or in a later run. AWS allows two access keys per user.

rotate can be interrupted at any point: one key always works, and --resume continues. The progress is stored in a
file beside ~/.aws/config, without secrets. The user needs iam:CreateAccessKey, ListAccessKeys, UpdateAccessKey and
DeleteAccessKey on itself. The new key gets the old key's password, PCRs (with their current values) and parent; a
policy in a key file with more than PCRs and a password is copied unchanged.

A SigV4A key belongs to one access key: --sigv4a-out or --sigv4a-handle creates the new one during the rotation,
which is the only time when the secret is available. To remove the old one, delete its file, or `tpmwire evict` it.
"""

import argparse
import shlex
import time
from collections.abc import Callable
from typing import TypeVar

from sigv4.errors import StsError
from sigv4.iam import CreateAccessKey, DeleteAccessKey, ListAccessKeys, UpdateAccessKey
from tpmwire.crypto.formulas import name_of
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_HT
from tpmwire.tpm import undisturbed

from ..keys.create import Order, make_key
from ..keys.options import Sigv4aSettings, add_sigv4a_options, new_handle
from ..keys.place import Place, Placement, put_in_place, read_public_at, remove_key_at
from ..keys.secret import hmac_key_of
from ..keys.sigv4a import check_installed, make_sigv4a_key
from ..lifecycle.aws import ask_identity, iam_client
from ..lifecycle.checkpoint import Checkpoint, no_checkpoint
from ..lifecycle.profile_command import ProfileCommand
from ..lifecycle.profiles import switch_profiles
from ..lifecycle.rotation import (
    NewPlaces,
    begin_rotation,
    check_place,
    check_sigv4a,
    new_command,
    new_place,
    old_command,
    open_tpm_for,
    order_for,
    place_from_values,
    place_values,
)
from ..lifecycle.state import State, rotation_lock
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, filled
from ..terminal.progress import activity
from ..terminal.prompts import check_agreed
from ..tpm.options import OwnerSettings, add_auth_options
from ..tpm.passwords import owner_auth
from ..tpm.path import warn_of_soft

__all__ = ["Settings", "configure", "rotate", "run"]

Result = TypeVar("Result")

_PATIENCE = 90.0
"""Seconds to retry until AWS knows a new key everywhere."""


class Settings(OwnerSettings, Sigv4aSettings):
    """The verb's options."""

    profile: str
    resume: bool
    delete_old: bool
    discard: str | None
    yes: bool
    out: str | None
    persistent_handle: int | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--profile",
        action=Once,
        type=filled,
        default="default",
        metavar="NAME",
        help="profile to rotate (default: default)",
    )
    parser.add_argument("--resume", action="store_true", help="resume an interrupted rotation")
    parser.add_argument(
        "--delete-old", action="store_true", help="delete the old key permanently, in IAM and in the TPM"
    )
    parser.add_argument(
        "--discard",
        metavar="ID",
        help="with --resume: delete the new key with this ID, created by the interrupted rotation, and "
        "start again",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation before a key is deleted")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--out", action=Once, metavar="FILE", help="new key file (default: KEYID.pem beside the old one)"
    )
    place.add_argument(
        "--persistent-handle",
        type=new_handle,
        metavar="HANDLE",
        help="handle of the new key (default: the next free one, if the old key has a handle)",
    )
    add_sigv4a_options(parser)
    add_auth_options(parser, "owner", "the owner's password, needed to make the key persistent")


def run(args: Settings) -> int:
    """Rotates the profile's key."""
    return rotate(args, no_checkpoint)


def rotate(args: Settings, checkpoint: Checkpoint) -> int:
    """Runs the rotation, and calls `checkpoint` with the name of each completed step.

    The names are `begun`, `answered`, `created`, `made`, `put`, `placed`, `proven`, `rewritten`, `switched`,
    `disabled` and `inactive`; with --delete-old also `deleted` and `cleared`. With a SigV4A key, `beside` precedes
    `put`.
    """
    owner = owner_auth(args)
    for wanted, what in ((args.delete_old, "old access key"), (args.discard, f"new access key {args.discard}")):
        if wanted:
            question = f"Delete the {what} of the profile {args.profile} permanently, in IAM and in the TPM?"
            check_agreed(question, yes=args.yes)
    with rotation_lock():
        _continue(args, State.load(args.profile), owner, checkpoint)
    return 0


def _continue(args: Settings, state: State | None, owner: Secret, checkpoint: Checkpoint) -> None:
    """Starts a rotation, or continues it after its last completed stage.

    `state` is the state of the unfinished rotation, or None. The rotation ends with the old key inactive or, with
    --delete-old, deleted.
    """
    _check(args, state)
    if state is None:
        if _new_places(args).sigv4a:
            check_installed()
        state = begin_rotation(args.profile, _new_places(args).key)
        checkpoint("begun")
    elif state.stage != "inactive":
        _recover(args, state, owner)
    if state.stage == "begun":
        _create(args, state, owner, checkpoint)
    if state.stage == "placed":
        who = _retry_until_known(lambda: ask_identity(new_command(args.profile, state)))
        note(f"AWS accepts the new key {state.values['new']['id']} as {who.arn}")
        state.reach("proven")
        checkpoint("proven")
    if state.stage == "proven":
        _switch(args.profile, state, checkpoint)
    if state.stage == "switched":
        _disable(args.profile, state, checkpoint)
    if args.delete_old:
        _delete(args.profile, state, owner, checkpoint)
    else:
        last = f"tpmwire rotate --profile {shlex.quote(args.profile)} --delete-old"
        note(f"{state.values['old']['id']} is inactive; once nothing needs it, run: `{last}`")


def _new_places(args: Settings) -> NewPlaces:
    return NewPlaces(Place(args.persistent_handle, args.out), Place(args.sigv4a_handle, args.sigv4a_out))


def _check(args: Settings, state: State | None) -> None:
    """Raises UsageError if the options do not fit the last completed stage of the rotation."""
    if state is None:
        if args.resume or args.discard:
            raise UsageError(
                f"no rotation of the profile {args.profile} to resume; "
                f"remove --{'resume' if args.resume else 'discard'}"
            )
    elif state.stage == "inactive":
        if not (args.delete_old or args.resume):
            raise UsageError(
                f"the old key {state.values['old']['id']} of the last rotation is inactive; --delete-old "
                "deletes it"
            )
    elif not args.resume:
        raise UsageError(
            f"the rotation of {args.profile} was interrupted at the stage {state.stage!r}; run again with --resume"
        )


def _recover(args: Settings, state: State, owner: Secret) -> None:
    """Completes or undoes the step in which an earlier run was interrupted.

    With --discard, deletes the new key. Raises UsageError if --discard does not name the unused new key.
    """
    if state.stage == "begun":
        _find_orphan(args, state)
    elif state.stage == "made":
        new = state.values["new"]
        with open_tpm_for(old_command(args.profile, state)) as tpm:
            public = read_public_at(tpm, place_from_values(new))
        if public is not None and name_of(public).hex() == new["name"]:
            state.reach("placed")
    given_up = args.discard == state.values.get("new", {}).get("id")
    if state.stage in ("created", "made") or (given_up and state.stage in ("placed", "proven")):
        # The new key's secret is lost, or the user discards the key.
        _discard(args.profile, state, owner)
    elif args.discard and state.stage != "begun":
        raise UsageError(
            f"cannot discard {args.discard}: --discard accepts only the new key of an interrupted rotation, "
            "before the profile uses it; continue with --resume alone"
        )


def _find_orphan(args: Settings, state: State) -> None:
    """Finds a new key in IAM whose secret is lost, because the run was killed before it received the response.

    Records the key if --discard names it. Raises UsageError if IAM has any other new key.
    """
    keys = iam_client(old_command(args.profile, state)).call(ListAccessKeys())
    others = [key for key in keys if key.access_key_id not in state.values["before"]]
    for key in others:
        if args.discard != key.access_key_id:
            raise UsageError(
                f"IAM has another new key, {key.access_key_id}, created "
                f"{key.created or 'since the rotation began'}; if the interrupted run created it, continue with "
                f"--resume --discard {key.access_key_id}"
            )
        state.reach("created", new={"id": key.access_key_id})


def _discard(profile: str, state: State, owner: Secret) -> None:
    """Deletes the unused new key in IAM, in the TPM and in its file; the state is then `begun`."""
    new = state.values["new"]
    command = old_command(profile, state)
    _delete_key(command, new["id"])
    if "name" in new:
        with open_tpm_for(command) as tpm:
            for values in [new, *new.get("sigv4a", [])]:
                remove_key_at(tpm, place_from_values(values), bytes.fromhex(values["name"]), owner)
    note(f"deleted the new key {new['id']}, whose secret was lost")
    del state.values["new"]
    state.reach("begun")


def _delete_key(command: ProfileCommand, key_id: str) -> None:
    def delete() -> None:
        try:
            iam_client(command).call(DeleteAccessKey(key_id))
        except StsError as error:
            if error.code != "NoSuchEntity":
                raise

    _retry_until_known(delete)


def _create(args: Settings, state: State, owner: Secret, checkpoint: Checkpoint) -> None:
    """Creates the new key in IAM, and stores it in the TPM.

    Signals are deferred meanwhile, since only this process has the secret.
    """
    command = old_command(args.profile, state)
    places = _new_places(args)
    check_place(places.key, command)
    check_sigv4a(places, command)
    client = iam_client(command, once=True)
    warn_of_soft(command.settings.tpm_path)
    with undisturbed():
        try:
            answer = client.call(CreateAccessKey())
        except StsError as error:
            if error.http_status < 500:
                state.remove()  # IAM did not create a key
            raise
        checkpoint("answered")
        state.reach("created", new={"id": answer.access_key_id})
        checkpoint("created")
        secret = hmac_key_of(answer.secret_access_key.encode())
        del answer
        try:
            _import(args.profile, places, state, order_for(command, secret, owner), owner, checkpoint)
        except Exception:
            # The TPM did not import the secret, and no other copy exists.
            _discard(args.profile, state, owner)
            state.remove()
            raise
    new = state.values["new"]
    note(f"the new key {new['id']} is in the TPM, at {place_from_values(new)}")
    if places.sigv4a:
        note(f"SigV4A key of the new key: {places.sigv4a}")
    else:
        old = state.values["old"]["id"]
        note(
            f"a SigV4A key of {old}, if any, will not be valid afterwards; `rotate --sigv4a-out` creates a new one"
        )


def _import(
    profile: str, places: NewPlaces, state: State, order: Order, owner: Secret, checkpoint: Checkpoint
) -> None:
    """Creates the new key in the TPM, and the SigV4A key if requested, and stores them."""
    command, key_id, sigv4a = old_command(profile, state), state.values["new"]["id"], places.sigv4a.absolute
    with open_tpm_for(command) as tpm:
        place = new_place(places, tpm, command, key_id)
        key = make_key(tpm, order)
        # Saved before the key is stored: a later run finds out by the Name whether it was stored.
        new = {"id": key_id, "name": key.loaded.name.hex(), **place_values(place)}
        if sigv4a:
            beside = make_sigv4a_key(tpm, order, key, key_id)
            name = beside.loaded.name.hex()
            new["sigv4a"] = [{"name": name, **place_values(part)} for part in sigv4a.parts]
        state.reach("made", new=new)
        checkpoint("made")
        if sigv4a:
            if key.parent.key.handle >> 24 == TPM_HT.TRANSIENT:
                # The parent is no longer needed: many TPMs have three slots, and making a key persistent needs
                # one.
                tpm.flush(key.parent.key.handle)
            put_in_place(tpm, [Placement.of(tpm, beside, sigv4a, owner)])
            checkpoint("beside")
        # The HMAC key is stored last: once it is in its place, so is the SigV4A key.
        put_in_place(tpm, [Placement.of(tpm, key, place, owner)])
        checkpoint("put")
    state.reach("placed")
    checkpoint("placed")


def _retry_until_known(ask: Callable[[], Result]) -> Result:
    """Calls `ask` until AWS knows the new key, and returns the result of `ask`. Raises the errors of `ask`."""
    deadline = time.monotonic() + _PATIENCE
    with activity("waiting until AWS knows the new key"):
        while True:
            try:
                return ask()
            except StsError as error:
                if error.code != "InvalidClientTokenId" or time.monotonic() > deadline:
                    raise
            time.sleep(2.0)


def _switch(profile: str, state: State, checkpoint: Checkpoint) -> None:
    new = state.values["new"]
    name, place = bytes.fromhex(new["name"]), place_from_values(new)
    sections = switch_profiles(
        state.values["old"]["id"], lambda command: command.rewrite(new["id"], place, name), profile
    )
    checkpoint("rewritten")
    for section in sections:
        note(f"[{section}] uses the new key")
    state.reach("switched")
    checkpoint("switched")


def _disable(profile: str, state: State, checkpoint: Checkpoint) -> None:
    command, old_id = new_command(profile, state), state.values["old"]["id"]
    _retry_until_known(lambda: iam_client(command).call(UpdateAccessKey(old_id)))
    checkpoint("disabled")
    state.reach("inactive")
    checkpoint("inactive")


def _delete(profile: str, state: State, owner: Secret, checkpoint: Checkpoint) -> None:
    """Deletes the old key in IAM, in the TPM and in its file, and ends the rotation."""
    old = state.values["old"]
    command = new_command(profile, state)
    _delete_key(command, old["id"])
    checkpoint("deleted")
    with open_tpm_for(command) as tpm:
        remove_key_at(tpm, place_from_values(old), bytes.fromhex(old["name"]), owner)
    checkpoint("cleared")
    state.remove()
    note(f"deleted the old key {old['id']}, and removed it from {place_from_values(old)}")
