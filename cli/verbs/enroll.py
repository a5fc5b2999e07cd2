"""Moves the plaintext key of a profile in ~/.aws/credentials into the TPM, and switches the profile to it.

  tpmwire enroll --profile default
  tpmwire enroll --profile work --persistent-handle 0x81010020 \\
      --remove-plaintext

enroll imports the key and verifies it with a GetCallerIdentity request that the TPM signs. Then the profile in
~/.aws/config gets a credential_process with --cache, and with the Names of the key and of this TPM pinned. Last,
with --remove-plaintext or if you confirm the prompt, the plaintext lines are removed. Until then AWS programs keep
using them. To resume after an interruption, run the same command again.

This cannot be undone; --undo prints the reason. The old secret has been on a disk in plaintext: `tpmwire rotate`
replaces the key.
"""

import argparse
import hmac
import os
from typing import NamedTuple

from tpmwire.crypto.formulas import name_of, random_bytes
from tpmwire.errors import TpmError
from tpmwire.keys.templates import hmac_key
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm

from ..awsconfig.edit import config_path, credentials_path, section_of
from ..awsconfig.files import check_writable, read_setting
from ..awsconfig.overrides import check_overrides, warn_of_environment, warn_of_proof
from ..awsconfig.plaintext import check_removable, find_plaintext, remove_plaintext
from ..awsconfig.profiles import endpoint_options, existing_profile, write_profile
from ..keys.create import Order, make_key, policy_of
from ..keys.options import (
    Sigv4aSettings,
    add_parent_options,
    add_pin_options,
    add_sigv4a_options,
    new_handle,
    parentage_of,
)
from ..keys.persist import parent_at
from ..keys.place import Place, Placement, put_in_place, read_public_at
from ..keys.secret import check_key_id, key_id_of, read_key
from ..keys.sigv4a import check_places, check_tpm, required_key_id
from ..lifecycle.aws import ask_identity, ask_plaintext_identity
from ..lifecycle.checkpoint import Checkpoint, no_checkpoint
from ..lifecycle.enroll_sigv4a import enroll_sigv4a
from ..lifecycle.process_line import join_line
from ..lifecycle.profile_command import ProfileCommand
from ..lifecycle.profile_line import LineSettings, credential_process, salt_pin, tell_passwords
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, add_tpm_options, filled, pcrs_from
from ..terminal.prompts import agreed
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_options
from ..tpm.passwords import new_key_auth
from ..tpm.path import is_soft, note_source
from ..tpm.pins import pin_from

__all__ = ["Settings", "configure", "enroll", "run"]

PLAINTEXT = ("aws_access_key_id", "aws_secret_access_key")

_NO_UNDO = (
    "a key cannot be exported from the TPM; for a plaintext profile, create a new access key in IAM, "
    "and delete the enrolled key"
)


class Settings(LineSettings, Sigv4aSettings):
    """The verb's options."""

    profile: str
    out: str | None
    persistent_handle: int | None
    remove_plaintext: bool
    force: bool
    undo: bool
    aws_region: str | None


class Enrolment(NamedTuple):
    """The plan of an enrolment.

    `key_id` and `secret` are the plaintext key, `place` and `sigv4a` the locations for the new keys. `options` are
    endpoint options for the credential_process line.
    """

    key_id: str
    secret: Secret
    place: Place
    sigv4a: Place
    options: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--profile",
        action=Once,
        type=filled,
        default="default",
        metavar="NAME",
        help="profile to enroll (default: default)",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--out", action=Once, metavar="FILE", help="key file (default: tpmwire/KEYID.pem beside the config file)"
    )
    place.add_argument(
        "--persistent-handle",
        type=new_handle,
        metavar="HANDLE",
        help="persistent handle for the key, instead of a key file",
    )
    parser.add_argument(
        "--remove-plaintext",
        action="store_true",
        help="remove the key's plaintext lines from ~/.aws without asking, once the TPM's key is verified",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an existing key or credential_process; accept a secret that does not have AWS's format",
    )
    parser.add_argument("--undo", action="store_true", help="not possible; prints the reason")
    parser.add_argument(
        "--aws-region",
        metavar="REGION",
        help="region of the STS endpoint (default: the profile's region, else the global endpoint)",
    )
    parser.add_argument(
        "--pcrs", type=filled, metavar="PCRS", help="PCRs to bind the key to, such as 7,23 or sha256:7,23"
    )
    add_sigv4a_options(parser)
    add_auth_options(parser, "key", "a password for the key")
    add_parent_options(parser)
    add_tpm_options(parser, "60s")
    add_pin_options(parser)


def run(args: Settings) -> int:
    """Moves the profile's key into the TPM."""
    return enroll(args, no_checkpoint)


def enroll(args: Settings, checkpoint: Checkpoint) -> int:
    """Runs the enrolment, and calls `checkpoint` with the name of each completed step.

    The names are `placed`, `proven`, `written` and `removed`.
    """
    if args.undo:
        raise UsageError(_NO_UNDO)
    check_writable(config_path())
    present = read_setting(config_path(), section_of(args.profile), "credential_process")
    plain = find_plaintext(args.profile)
    if plain is None and present is not None:
        return _check_enrolled(args.profile, present)
    key_id = key_id_of(args.profile)
    if plain is not None and plain.token is not None:
        raise UsageError(f"the key of [{args.profile}] is temporary; enroll the user's long-term key")
    check_key_id(key_id, force=args.force)
    secret = read_key(args.profile, force=args.force)
    profile = existing_profile(args.profile)
    check_overrides(profile, force=args.force, but=PLAINTEXT)
    if args.remove_plaintext:
        if is_soft(args.tpm_path):
            raise UsageError("a soft TPM does not protect the key; without --remove-plaintext, enroll keeps both")
        check_removable(args.profile)
    note_source(args.tpm_path)
    place = _place_of(args, key_id)
    sigv4a = Place(args.sigv4a_handle, args.sigv4a_out).absolute
    if sigv4a:
        _check_sigv4a(args, key_id, place, sigv4a)
    _check_present(args, key_id, present)
    join_line([place.file or ""])  # rejects a path that the profile's line cannot contain
    options = endpoint_options(args.aws_region, profile)
    # Asked before any change, because AWS may refuse the key, for example in another partition.
    ask_plaintext_identity(key_id, secret, options)
    command = _import(args, Enrolment(key_id, secret, place, sigv4a, options))
    checkpoint("placed")
    who = ask_identity(command)
    note(f"AWS accepts the key in the TPM as {who.arn}")
    checkpoint("proven")
    if present != command.text:
        note(f"wrote the profile {args.profile} to {write_profile(args.profile, command.text)}")
    warn_of_proof(command.text)
    warn_of_environment(args.profile)
    checkpoint("written")
    if plain is not None and not is_soft(args.tpm_path) and _may_remove(args, plain.path):
        remove_plaintext(args.profile, plain)
        checkpoint("removed")
        note("the secret was on this disk in plaintext; `tpmwire rotate` replaces it with one that never was")
    else:
        note(
            f"the plaintext lines are still in {credentials_path()}, and AWS programs use them; "
            "--remove-plaintext removes them"
        )
    return 0


def _may_remove(args: Settings, path: str) -> bool:
    """Returns whether the user agrees, by option or at a prompt, to remove the plaintext key from `path`."""
    return args.remove_plaintext or bool(agreed(f"Remove the plaintext key from {path} now?"))


def _place_of(args: Settings, key_id: str) -> Place:
    """Returns the location for the key: the given handle or file, or else a file beside ~/.aws/config."""
    if args.persistent_handle is not None:
        return Place(args.persistent_handle)
    beside = os.path.join(os.path.dirname(config_path()), "tpmwire", f"{key_id}.pem")
    return Place(file=args.out or beside).absolute


def _check_sigv4a(args: Settings, key_id: str, place: Place, sigv4a: Place) -> None:
    """Raises UsageError if this TPM cannot hold the SigV4A key, or if both keys have the same file or handle."""
    if sigv4a.file:
        os.makedirs(os.path.dirname(sigv4a.file), mode=0o700, exist_ok=True)
    # An existing object may be this very key, from an interrupted run.
    check_places(sigv4a, place, force=True)
    required_key_id(key_id)
    with open_tpm(args) as tpm:
        check_tpm(tpm)


def _check_enrolled(profile: str, present: str) -> int:
    """Tests the TPM key of a profile that has no plaintext key, prints the result, and returns the exit code."""
    try:
        command = ProfileCommand(present, profile)
    except UsageError as error:
        # The reason is omitted, because its advice could be to run `enroll`, which the user just did.
        raise UsageError(
            f"the profile {profile} has no plaintext key to enroll, and its credential_process cannot be used "
            f"({error}); use `tpmwire import --write-profile` for a new key"
        ) from error
    note(f"the profile {profile} is enrolled already; AWS accepts its key as {ask_identity(command).arn}")
    return 0


def _check_present(args: Settings, key_id: str, present: str | None) -> None:
    """Raises UsageError if the profile's credential_process does not use the key `key_id`.

    `present` is the credential_process line, or None. With --force, nothing is checked.
    """
    if present is None or args.force:
        return
    try:
        same = ProfileCommand(present).key_id == key_id
    except UsageError:
        same = False
    if not same:
        raise UsageError(
            f"the credential_process of the profile {args.profile} does not use this key; --force replaces it"
        )


def _import(args: Settings, plan: Enrolment) -> ProfileCommand:
    """Imports and stores the key, unless an earlier run did; returns the command line that uses the key."""
    place = plan.place
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    parentage = parentage_of(args)
    order = Order(plan.secret, new_key_auth(args), pcrs, parentage.handle, parentage.auth, pin)
    with open_tpm(args) as tpm:
        parentage.prepare(tpm)
        present = None if args.force else read_public_at(tpm, place)
        if present is None:
            key = make_key(tpm, order)
            put_in_place(tpm, [Placement.of(tpm, key, place, parentage.owner)], force=args.force)
            name, parent = key.loaded.name, key.parent
        else:
            _check_public(tpm, order, place, present)
            # Opens only the parent, to pin its Name.
            name, parent = name_of(present), parent_at(tpm, parentage.handle, parentage.auth, pin)
        pinned = salt_pin(tpm, parent.key, persistent=place.handle is not None, owner=parentage.owner)
    if plan.sigv4a:
        enroll_sigv4a(args, order, plan.sigv4a, plan.key_id, parentage.owner, force=args.force)
    line = credential_process(args, plan.key_id, place, pinned, name, ["--cache", *plan.options])
    command = ProfileCommand(line)
    # Set here, since a password from a prompt is not part of the command line.
    command.key.auth, command.key.parent_auth = order.auth, parentage.auth
    tell_passwords(args, place, parentage, pinned)
    if present is None:
        note(f"the key is in the TPM, at {place}")
    else:
        _check_same(command, plan.secret, place)
    return command


def _check_public(tpm: Tpm, order: Order, place: Place, present: TPMT_PUBLIC) -> None:
    """Raises UsageError if the stored key's public area is not the one that `order` describes."""
    policy = policy_of(tpm, order)
    wanted = hmac_key(policy.digest() if policy else b"", with_auth=bool(order.auth))
    if present != wanted.replace(unique=present.unique):
        raise UsageError(
            f"{place} has a different key; choose another file or handle, or give --force to replace it"
        )


def _check_same(command: ProfileCommand, secret: Secret, place: Place) -> None:
    """Raises UsageError if the key at `place`, which `command` uses, is not an HMAC key with `secret`."""
    message = random_bytes(32)
    try:
        same = hmac.compare_digest(command.hmac(message), hmac.digest(secret.reveal(), message, "sha256"))
    except TpmError:
        same = False
    if not same:
        raise UsageError(
            f"{place} has a different key; choose another file or handle, or give --force to replace it"
        )
    note(f"the key is already in the TPM, at {place}")
