"""Takes the plaintext key of a profile in ~/.aws/credentials into the TPM, and the profile with it.

  tpmwire enroll --profile default
  tpmwire enroll --profile work --persistent-handle 0x81010002 --remove-plaintext

The key is imported and proven, by a GetCallerIdentity that is signed through the TPM; then the profile in
~/.aws/config gets its credential_process, with the Names of the key and of this TPM pinned and with --cache. Last,
with --remove-plaintext or when you say so at the prompt, the old lines go. Until then programs go on using them.
Ended at any point, the same command goes on from there.

There is no way back (--undo says why). The secret has been on a disk: `tpmwire rotate` makes that one worthless.
"""

import argparse
import hmac
import os

from tpmwire.channel import Loaded
from tpmwire.crypto.formulas import name_of, random_bytes
from tpmwire.errors import TpmError
from tpmwire.keys.templates import hmac_key
from tpmwire.secret import Secret

from ..awsconfig.edit import config_path, credentials_path, section_of
from ..awsconfig.files import check_writable, read_setting
from ..awsconfig.overrides import check_overrides, warn_of_environment, warn_of_proof
from ..awsconfig.plaintext import check_removable, find_plaintext, remove_plaintext
from ..awsconfig.process_line import join_line
from ..awsconfig.profiles import (
    credential_process,
    endpoint_options,
    existing_profile,
    salt_pin,
    tell_passwords,
    write_profile,
)
from ..keys.create import Made, Order, make_key, policy_of
from ..keys.options import add_parent_options, add_pin_options, add_sigv4a_options, new_handle, parentage_of
from ..keys.persist import parent_at
from ..keys.secret import check_key_id, key_id_of, read_key
from ..keys.sigv4a import check_places, check_tpm, is_wanted, required_key_id
from ..lifecycle.enroll_sigv4a import enroll_sigv4a
from ..lifecycle.profile_command import (
    Checkpoint,
    Place,
    ProfileCommand,
    identity,
    no_checkpoint,
    plaintext_identity,
    public_at,
    put,
)
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, Untyped, add_tpm_options, filled, pcrs_from
from ..terminal.prompts import agreed
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_options
from ..tpm.passwords import new_key_auth
from ..tpm.pins import pin_from

__all__ = ["configure", "enroll", "run"]

PLAINTEXT = ("aws_access_key_id", "aws_secret_access_key")

_NO_UNDO = (
    "a key cannot be exported from the TPM; create a new access key in IAM for a plaintext profile, and "
    "delete this one"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--profile", action=Once, default="default", metavar="NAME", help="profile to enroll (default: default)"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--out", action=Once, metavar="FILE", help="key file (default: tpmwire/KEYID.pem beside the config file)"
    )
    place.add_argument(
        "--persistent-handle",
        type=new_handle,
        metavar="HANDLE",
        help="keep the key at this handle in the TPM instead",
    )
    parser.add_argument(
        "--remove-plaintext",
        action="store_true",
        help="remove the plaintext lines without asking, once the key is verified",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an existing key or credential_process; accept a secret that AWS would not issue",
    )
    parser.add_argument("--undo", action="store_true", help="not possible; prints the reason")
    parser.add_argument(
        "--aws-region",
        metavar="REGION",
        help="use this region's STS (default: the profile's, else the global one)",
    )
    parser.add_argument(
        "--pcrs", type=filled, metavar="PCRS", help="bind the key to PCRs: 23, 7,23 or sha256:7,23"
    )
    add_sigv4a_options(parser)
    add_auth_options(parser, "key", "a password for the key")
    add_parent_options(parser)
    add_tpm_options(parser, "60s")
    add_pin_options(parser)


def run(args: Untyped) -> int:
    """Enrolls the profile."""
    return enroll(args, no_checkpoint)


def enroll(args: Untyped, checkpoint: Checkpoint) -> int:
    """`run`, with a word to `checkpoint` after each step: placed, proven, written, removed."""
    if args.undo:
        raise UsageError(_NO_UNDO)
    check_writable(config_path())
    present = read_setting(config_path(), section_of(args.profile), "credential_process")
    plain = find_plaintext(args.profile)
    if plain is None and present is not None:
        return _already(args.profile, present)
    args.from_profile = args.profile
    args.aws_access_key_id = key_id_of(args.profile)
    if plain is not None and plain.token is not None:
        raise UsageError(f"the key of [{args.profile}] is temporary; enroll the user's long-term key")
    check_key_id(args.aws_access_key_id, force=args.force)
    secret = read_key(args.from_profile, force=args.force)
    profile = existing_profile(args.profile)
    check_overrides(profile, force=args.force, but=PLAINTEXT)
    if args.remove_plaintext:
        check_removable(args.profile)
    if args.persistent_handle is None:
        beside = os.path.join(os.path.dirname(config_path()), "tpmwire", f"{args.aws_access_key_id}.pem")
        args.out = os.path.abspath(args.out or beside)
    if is_wanted(args):
        _check_sigv4a(args)
    _check_present(args, present)
    join_line([args.out or ""])  # a path that the profile's line cannot have
    options = endpoint_options(args.aws_region, profile)
    # Before anything is made: a key that AWS refuses, as one of another partition, changes nothing.
    plaintext_identity(args.aws_access_key_id, secret, options)
    command = _import(args, secret, options, checkpoint)
    who = identity(command)
    note(f"AWS accepts the key in the TPM as {who.arn}")
    checkpoint("proven")
    if present != command.text:
        note(f"wrote the profile {args.profile} to {write_profile(args.profile, command.text)}")
    warn_of_proof(command.text)
    warn_of_environment(args.profile)
    checkpoint("written")
    if plain is not None and (args.remove_plaintext or agreed(f"Remove the plaintext key from {plain.path} now?")):
        remove_plaintext(args.profile, plain)
        checkpoint("removed")
        note("the secret was on this disk in plaintext; `tpmwire rotate` replaces it with one that never was")
    else:
        note(
            f"the plaintext lines are still in {credentials_path()}, and AWS programs use them; "
            "--remove-plaintext removes them"
        )
    return 0


def _check_sigv4a(args: Untyped) -> None:
    """Raises UsageError where this TPM cannot hold the key of SigV4A, or both keys have the same place."""
    if args.sigv4a_out:
        args.sigv4a_out = os.path.abspath(args.sigv4a_out)
        os.makedirs(os.path.dirname(args.sigv4a_out), mode=0o700, exist_ok=True)
    # What is there may be this very key, of a run that was ended.
    check_places(args.sigv4a_out, args.sigv4a_handle, args.out, args.persistent_handle, force=True)
    required_key_id(args.aws_access_key_id)
    with open_tpm(args) as tpm:
        check_tpm(tpm)


def _already(profile: str, present: str) -> int:
    """The plaintext is gone: says whether what is there instead works."""
    try:
        command = ProfileCommand(present, profile)
    except UsageError as error:
        # The reason as it is could send the user here again.
        raise UsageError(
            f"the profile {profile} has no plaintext key to enroll, and another credential_process "
            f"({error}); use `tpmwire import --write-profile` for another key"
        ) from error
    note(f"the profile {profile} is enrolled already; AWS accepts its key as {identity(command).arn}")
    return 0


def _check_present(args: Untyped, present: str | None) -> None:
    """Raises UsageError where the profile runs something else than a key of this id."""
    if present is None or args.force:
        return
    try:
        same = ProfileCommand(present).key_id == args.aws_access_key_id
    except UsageError:
        same = False
    if not same:
        raise UsageError(f"the profile {args.profile} has another credential_process; --force replaces it")


def _import(args: Untyped, secret: "Secret", options: list[str], checkpoint: Checkpoint) -> ProfileCommand:
    """The key in its place, made now or by an earlier run, and the command line that uses it."""
    place = Place(args.persistent_handle, args.out)
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    parentage = parentage_of(args)
    order = Order(secret, new_key_auth(args), pcrs, parentage.handle, parentage.auth, pin)
    with open_tpm(args) as tpm:
        parentage.prepare(tpm)
        found = None if args.force else public_at(tpm, place)
        if found is None:
            made = make_key(tpm, order)
            put(tpm, made, place, parentage.owner, force=args.force)
        else:
            policy = policy_of(tpm, order)
            wanted = hmac_key(policy.digest() if policy else b"", with_auth=bool(order.auth))
            if found != wanted.replace(unique=found.unique):
                raise UsageError(f"{place} has another key; choose another place, or give --force to replace it")
            # It is in its place, and the pin is asked of its parent only.
            parent = parent_at(tpm, parentage.handle, parentage.auth, pin)
            made = Made(None, Loaded(0, name_of(found), found), parent)  # type: ignore[arg-type]
        pinned = salt_pin(tpm, made, persistent=place.handle is not None, owner=parentage.owner)
    if is_wanted(args):
        enroll_sigv4a(args, order, parentage.owner)
    command = ProfileCommand(credential_process(args, pinned, made.key.name, "--cache", *options))
    # What was typed at a prompt stands in no command line.
    command.key.auth, command.key.parent_auth = order.auth, parentage.auth
    tell_passwords(args, parentage, pinned)
    if found is None:
        note(f"the key is in the TPM, at {place}")
    else:
        _check_same(command, secret, place)
    checkpoint("placed")
    return command


def _check_same(command: ProfileCommand, secret: "Secret", place: Place) -> None:
    """Raises UsageError where what is at the place is not this secret as we put it there."""
    message = random_bytes(32)
    try:
        same = hmac.compare_digest(command.hmac(message), hmac.digest(secret.reveal(), message, "sha256"))
    except TpmError:
        same = False
    if not same:
        raise UsageError(f"{place} has another key; choose another place, or give --force to replace it")
    note(f"the key is already in the TPM, at {place}")
