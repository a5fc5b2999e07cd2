"""Imports an AWS secret access key into the TPM as an HMAC key that cannot be read back.

  printf %s "$SECRET" | tpmwire import --persistent-handle 0x81010020
  tpmwire import --from-profile default --persistent-handle 0x81010020
  tpmwire import --out key.pem --pcrs sha256:7,23 --key-auth-prompt
  tpmwire import --out key.pem --sigv4a-out v4a.pem \\
      --aws-access-key-id AKIA...

The secret comes from standard input, from a prompt on a terminal, or from a profile of ~/.aws/credentials. The TPM
creates a key from "AWS4" and the secret, and the key is tested before it is stored. The key never leaves this
TPM, except with --duplicable-to. --persistent-handle stores the key in the TPM, which makes runs fastest, but a
TPM has room for few keys. --out writes a file that only this TPM can use. Standard output is a profile for
~/.aws/config or, with `--out -`, the key file.

--sigv4a-out or --sigv4a-handle also creates the P-256 key of SigV4A, which AWS derives from the access key id and
the secret, for requests to several regions (S3's multi-region access points). The SigV4A key has the same password
and PCRs as the HMAC key.

With --pcrs the key works only while these PCRs keep their current values. A password also protects the key: after
a few wrong passwords, the TPM's dictionary attack protection locks all such keys for a while.
"""

import argparse
import os

from tpmwire.keys.wrapping import to_any, to_parent
from tpmwire.policy.policy import Policy

from ..awsconfig.profiles import (
    check_profile,
    endpoint_options,
    existing_profile,
    profile_lines,
    write_profile,
)
from ..keys.create import NewKey, Order, make_key
from ..keys.options import (
    OWNER,
    SecretSettings,
    Sigv4aSettings,
    add_parent_options,
    add_pin_options,
    add_secret_options,
    add_sigv4a_options,
    new_handle,
    parentage_of,
)
from ..keys.persist import check_free
from ..keys.place import Place, Placement, check_path, put_in_place
from ..keys.policy_options import PolicySettings, add_key_policy_options, is_described, read_alternatives
from ..keys.secret import check_key_id, key_id_of, read_key
from ..keys.sigv4a import check_places, check_tpm, make_sigv4a_key, required_key_id
from ..keys.targets import read_target
from ..lifecycle.aws import ask_plaintext_identity
from ..lifecycle.profile_line import LineSettings, credential_process, salt_pin, tell_passwords
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, add_tpm_options, filled, pcrs_from
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_options
from ..tpm.passwords import new_key_auth
from ..tpm.path import note_source
from ..tpm.pins import pin_from

__all__ = ["Settings", "configure", "run"]


class Settings(LineSettings, PolicySettings, SecretSettings, Sigv4aSettings):
    """The verb's options."""

    out: str | None
    persistent_handle: int | None
    force: bool
    duplicable_to: str | None
    duplicable_to_key: str | None
    aws_access_key_id: str | None
    write_profile: str | None
    verify: bool
    aws_region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_secret_options(parser)
    parser.add_argument(
        "--out", action=Once, metavar="FILE", help="write the key to FILE in TSS2 PEM format; - is standard output"
    )
    parser.add_argument(
        "--persistent-handle",
        action=Once,
        type=new_handle,
        metavar="HANDLE",
        help="make the key persistent at this handle",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace existing key files and persistent keys, including the SigV4A key; accept a secret that "
        "does not have AWS's format",
    )
    add_sigv4a_options(parser)
    add_key_policy_options(parser)
    add_auth_options(parser, "key", "a password for the key")
    parser.add_argument(
        "--duplicable-to",
        type=filled,
        metavar="FILE",
        help="make the key duplicable to the parent key in FILE, written by `tpmwire export-public` on the other "
        "machine; `any` allows every parent, so that anyone with the key's password and access to this TPM can "
        "copy the key (default: the key never leaves this TPM)",
    )
    parser.add_argument(
        "--duplicable-to-key",
        metavar="KIND",
        help="type of the new parent key, if the --duplicable-to file does not contain it: ek-rsa, "
        "ek-ecc, ek-p384, h2, srk, srk-rsa",
    )
    parser.add_argument(
        "--aws-access-key-id",
        metavar="ID",
        help="access key ID that belongs to the secret, for --write-profile, --verify and the SigV4A key "
        "(env: AWS_ACCESS_KEY_ID)",
    )
    parser.add_argument(
        "--write-profile",
        action=Once,
        type=filled,
        metavar="NAME",
        help="write a profile to ~/.aws/config that pins the key and a salt key of this TPM",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check with AWS (GetCallerIdentity) that access key ID and secret match, before anything is created",
    )
    parser.add_argument(
        "--aws-region",
        metavar="REGION",
        help="region of the STS endpoint (default: the profile's region, else the global endpoint)",
    )
    add_parent_options(parser)
    add_tpm_options(parser, "60s")
    add_pin_options(parser, " before the secret is sent")


def run(args: Settings) -> int:
    """Creates the key, tests it, stores it, and prints a profile that uses it."""
    place, sigv4a = _check_places(args)
    key_id = _key_id(args)
    options = _endpoint_options(args)
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    described = is_described(args)
    handles = [each.handle for each in (place, sigv4a) if each.handle is not None]
    if described and handles:
        raise UsageError(
            "--policy (or --pcrs with values) cannot be combined with a persistent handle: a persistent key does "
            "not store its policy; use --out only"
        )
    if described and args.duplicable_to:
        raise UsageError(
            "--policy (or --pcrs with values) cannot be combined with --duplicable-to, which would change "
            "the policy; remove one of the two options"
        )
    if sigv4a:
        required_key_id(key_id)
        with open_tpm(args) as tpm:
            check_tpm(tpm)
    pcrs = pcrs_from(args.pcrs) if args.pcrs and not described else None
    parent = parentage_of(args)
    note_source(args.tpm_path)
    secret = read_key(args.from_profile, force=args.force)
    if args.verify:
        note(f"AWS accepts the secret as {ask_plaintext_identity(key_id, secret, options).arn}")
    auth = new_key_auth(args)
    duplication = _duplication_policy(args, with_auth=bool(auth))
    ways = read_alternatives(args, with_auth=bool(auth)) if described else ()
    order = Order(secret, auth, pcrs, parent.handle, parent.auth, pin, duplication, ways)
    with open_tpm(args) as tpm:
        for handle in handles:
            check_free(tpm, handle, force=args.force)
        parent.prepare(tpm)
        key = make_key(tpm, order)
        placements = [Placement.of(tpm, key, place, parent.owner)]
        if sigv4a:
            placements.append(Placement.of(tpm, make_sigv4a_key(tpm, order, key, key_id), sigv4a, parent.owner))
            if parent.handle == OWNER:
                # The parent is no longer needed: many TPMs have three slots, and making a key persistent needs
                # one.
                tpm.flush(key.parent.key.handle)
        pinned = salt_pin(tpm, key.parent.key, persistent=place.handle is not None, owner=parent.owner)
        command = credential_process(args, key_id, place, pinned, key.loaded.name, options)
        put_in_place(tpm, placements, force=args.force)
    _report(key, args, command, sigv4a)
    tell_passwords(args, place, parent, pinned)
    return 0


def _check_places(args: Settings) -> tuple[Place, Place]:
    """Returns (location for the HMAC key, location for the SigV4A key).

    Raises UsageError if the HMAC key has no location, or if both keys have the same location.
    """
    if not args.out and args.persistent_handle is None:
        raise UsageError("no output; give --out FILE, --persistent-handle HANDLE, or both")
    place = Place(args.persistent_handle, None if args.out == "-" else args.out)
    sigv4a = Place(args.sigv4a_handle, args.sigv4a_out)
    if place.file:
        check_path(place.file, "--out", force=args.force)
    check_places(sigv4a, place, force=args.force)
    return place, sigv4a


def _key_id(args: Settings) -> str:
    """Returns the access key id, or "" if no option gives one and none is needed.

    Raises UsageError for an invalid id, if --write-profile or --verify lacks one, and if the profile to write
    cannot be written or has no stored key.
    """
    given = args.aws_access_key_id
    if args.from_profile and not given:
        given = key_id_of(args.from_profile)
    if args.write_profile:
        check_profile(args.write_profile, force=args.force)
        if args.out == "-":
            raise UsageError("a profile needs a stored key; give --out FILE or --persistent-handle")
    found = given or os.environ.get("AWS_ACCESS_KEY_ID") or ""
    if found:
        check_key_id(found, force=args.force)
    elif args.write_profile or args.verify:
        option = "--write-profile" if args.write_profile else "--verify"
        raise UsageError(f"{option} needs --aws-access-key-id (or AWS_ACCESS_KEY_ID)")
    return found


def _endpoint_options(args: Settings) -> list[str]:
    """Returns the endpoint options for the new credential_process line.

    Their values come from --aws-region and, with --write-profile, from the existing profile.
    """
    if args.write_profile or args.verify:
        return endpoint_options(
            args.aws_region, existing_profile(args.write_profile) if args.write_profile else None
        )
    return [f"--aws-region={args.aws_region}"] if args.aws_region else []


def _duplication_policy(args: Settings, *, with_auth: bool) -> Policy | None:
    """Returns the policy that allows duplicating the key, or None. Raises UsageError for an invalid parent."""
    if not args.duplicable_to:
        return None

    if args.duplicable_to == "any":
        return to_any(with_auth=with_auth)
    if args.pcrs and (args.persistent_handle is not None or args.sigv4a_handle is not None):
        raise UsageError(
            "a handle does not store the policy of --duplicable-to FILE with --pcrs; keep the key in a "
            "file (--out), or remove one of the options"
        )
    return to_parent(read_target(args.duplicable_to, None, args.duplicable_to_key).public)


def _report(key: NewKey, args: Settings, command: str, sigv4a: Place) -> None:
    handle = args.persistent_handle
    if is_described(args):
        note("the key was not tested, because its policy may not be satisfied at present")
    else:
        note("the TPM's HMAC with the new key equals the host's")
    if handle is not None:
        note(f"the key is persistent at 0x{handle:08x}; its Name is {key.loaded.name.hex()}")
    if args.out == "-":
        print(key.file.to_pem(), end="")
    elif args.out:
        note(f"wrote {args.out}")
    if sigv4a:
        note(f"SigV4A key: {sigv4a}; sign with `tpmwire curl --sigv4a {sigv4a.texts[0]}`")
    if args.write_profile:
        path = write_profile(args.write_profile, command)
        note(f"wrote the profile {args.write_profile} to {path}")
    lines = profile_lines(command, args.write_profile or "tpm")
    if args.out == "-":
        note(lines)
    else:
        print(lines)
