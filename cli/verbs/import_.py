"""Puts an AWS secret access key into the TPM, as an HMAC key that never leaves it.

  printf %s "$SECRET" | tpmwire import --out key.pem --persistent-handle 0x81010002
  tpmwire import --from-profile default --persistent-handle 0x81010002
  tpmwire import --out key.pem --pcrs sha256:7,23 --key-auth-prompt
  tpmwire import --out key.pem --sigv4a-out v4a.pem --aws-access-key-id AKIA...

The secret comes from standard input, from a prompt on a terminal, or from a profile of ~/.aws/credentials. The TPM
makes a key of "AWS4" and the secret, which cannot leave it but by --duplicable-to, and the key is tried before
anything is put in place. --persistent-handle keeps it inside the TPM: quickest to use, with room for a few.
--out writes a file that this TPM alone can use. On standard output is a profile for ~/.aws/config; with `--out -`
the key file.

--sigv4a-out or --sigv4a-handle also keeps the P-256 key of SigV4A, which AWS derives from id and secret, for
requests that hold in several regions (S3's multi-region access points). It has the HMAC key's password and PCRs.

With --pcrs the key works only while these PCRs have their values of now. A password protects it too: it is tried
but a few times, then the TPM's dictionary attack protection locks all such keys for a while.
"""

import argparse
import os

from tpmwire.keys.wrapping import to_any, to_parent
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.spec.constants import TPM_ALG

from ..awsconfig.profiles import (
    check_profile,
    credential_process,
    endpoint_options,
    existing_profile,
    profile_lines,
    salt_pin,
    tell_passwords,
    write_profile,
)
from ..keys.create import Made, Order, make_key
from ..keys.options import (
    OWNER,
    add_parent_options,
    add_pin_options,
    add_secret_options,
    add_sigv4a_options,
    new_handle,
    parentage_of,
)
from ..keys.persist import check_free
from ..keys.place import Placed, check_path, put_in_place
from ..keys.policy_options import described_policy
from ..keys.secret import check_key_id, key_id_of, read_key
from ..keys.sigv4a import check_places, check_tpm, is_wanted, make_sigv4a_key, places_of, required_key_id
from ..keys.targets import read_target
from ..lifecycle.profile_command import plaintext_identity
from ..terminal.messages import UsageError, note
from ..terminal.options import Once, Untyped, add_tpm_options, filled, pcrs_from
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_options
from ..tpm.passwords import new_key_auth
from ..tpm.pins import pin_from

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_secret_options(parser)
    parser.add_argument(
        "--out", action=Once, metavar="FILE", help="write the key as a TSS2 PEM file; - is standard output"
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
        help="replace existing files and handles, those of the SigV4A key too; accept a secret that AWS would "
        "not issue",
    )
    add_sigv4a_options(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--pcrs",
        type=filled,
        metavar="PCRS",
        help="bind the key to PCRs: 23, 7,23 or sha256:7,23; with future values: sha256:7=HEX",
    )
    group.add_argument(
        "--policy",
        dest="policy_json",
        type=filled,
        metavar="FILE",
        help="policy in JSON (`tpmwire policy --help`), which need not be satisfied now; the key is not tested",
    )
    add_auth_options(parser, "key", "a password for the key")
    parser.add_argument(
        "--duplicable-to",
        type=filled,
        metavar="FILE",
        help="make the key duplicable: `tpmwire duplicate` can copy it to this parent, a file from `tpmwire "
        "export-public` on the other machine; `any` allows every parent, and so lets anyone with access "
        "and password copy it out (default: the key never leaves this TPM)",
    )
    parser.add_argument(
        "--duplicable-to-key",
        metavar="KIND",
        help="kind of the key in its TPM, if the file does not state it: ek-rsa, ek-ecc, ek-p384, h2, srk, "
        "srk-rsa",
    )
    parser.add_argument(
        "--aws-access-key-id",
        metavar="ID",
        help="access key id of the secret, for the profile and for SigV4A (AWS_ACCESS_KEY_ID)",
    )
    parser.add_argument(
        "--write-profile",
        action=Once,
        metavar="NAME",
        help="write a profile to ~/.aws/config, with the Names of the key and of this TPM pinned",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check with AWS (GetCallerIdentity) that access key id and secret belong together, before "
        "anything is created",
    )
    parser.add_argument(
        "--aws-region",
        metavar="REGION",
        help="use this region's STS (default: the profile's, else the global one)",
    )
    add_parent_options(parser)
    add_tpm_options(parser, "60s")
    add_pin_options(parser, ": the secret then goes to that TPM only")


def run(args: Untyped) -> int:
    """Makes the key, proves it, puts it in place, prints a profile."""
    _check_places(args)
    if args.from_profile and not args.aws_access_key_id:
        args.aws_access_key_id = key_id_of(args.from_profile)
    if args.write_profile:
        check_profile(args.write_profile, force=args.force)
        if args.out == "-":
            raise UsageError("a profile needs a stored key; give --out FILE or --persistent-handle")
    named = _key_id(args)
    options = _endpoint_options(args)
    pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    described = bool(args.policy_json or "=" in (args.pcrs or ""))
    handles = [handle for handle in (args.persistent_handle, args.sigv4a_handle) if handle is not None]
    if described and (handles or args.duplicable_to):
        raise UsageError(
            "--policy needs --out alone: a handle does not store the policy, and --duplicable-to would change it"
        )
    sigv4a = is_wanted(args)
    key_id = ""
    if sigv4a:
        key_id = required_key_id(args.aws_access_key_id)
        with open_tpm(args) as tpm:
            check_tpm(tpm)
    pcrs = pcrs_from(args.pcrs) if args.pcrs and not described else None
    parent = parentage_of(args)
    secret = read_key(args.from_profile, force=args.force)
    if args.verify:
        note(f"AWS accepts the secret as {plaintext_identity(named, secret, options).arn}")
    auth = new_key_auth(args)
    leave = _leave(args, with_auth=bool(auth))
    given = _described(args, with_auth=bool(auth)) if described else ()
    order = Order(secret, auth, pcrs, parent.handle, parent.auth, pin, leave, given)
    with open_tpm(args) as tpm:
        for handle in handles:
            check_free(tpm, handle, force=args.force)
        parent.prepare(tpm)
        made = make_key(tpm, order)
        places = [Placed(made, None if args.out == "-" else args.out, args.persistent_handle)]
        if sigv4a:
            places.append(Placed(make_sigv4a_key(tpm, order, made, key_id), args.sigv4a_out, args.sigv4a_handle))
            if parent.handle == OWNER:
                # It has done its part. Many TPMs have three slots, and putting keys in place takes one more.
                tpm.flush(made.parent.key.handle)
        pinned = salt_pin(tpm, made, persistent=args.persistent_handle is not None, owner=parent.owner)
        command = credential_process(args, pinned, made.key.name, *options)
        put_in_place(tpm, places, parent.owner, force=args.force)
    _report(made, args, command)
    tell_passwords(args, parent, pinned)
    return 0


def _key_id(args: Untyped) -> str:
    """The access key id; empty where it is not given and not needed. Raises UsageError."""
    found = args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID") or ""
    if found:
        check_key_id(found, force=args.force)
    elif args.write_profile or args.verify:
        option = "--write-profile" if args.write_profile else "--verify"
        raise UsageError(f"{option} needs --aws-access-key-id (or AWS_ACCESS_KEY_ID)")
    return found


def _endpoint_options(args: Untyped) -> list[str]:
    """The line's options of AWS's endpoints: those that --verify uses, and those of a profile that exists."""
    if args.write_profile or args.verify:
        return endpoint_options(
            args.aws_region, existing_profile(args.write_profile) if args.write_profile else None
        )
    return [f"--aws-region={args.aws_region}"] if args.aws_region else []


def _check_places(args: Untyped) -> None:
    """Raises UsageError where a key has no place, or where two would have the same."""
    if not args.out and args.persistent_handle is None:
        raise UsageError("no output; give --out FILE, --persistent-handle HANDLE, or both")
    if args.out and args.out != "-":
        check_path(args.out, "--out", force=args.force)
    out = None if args.out == "-" else args.out
    check_places(args.sigv4a_out, args.sigv4a_handle, out, args.persistent_handle, force=args.force)


def _described(args: Untyped, *, with_auth: bool) -> "tuple[Policy, ...]":
    """The ways of the policy of --policy, or of --pcrs with values. Raises UsageError."""
    found = described_policy(args, TPM_ALG.SHA256)
    assert found is not None  # one of the options is there
    ways = found.alternatives
    if with_auth and not args.policy_json:
        return (Policy(*ways[0].statements, PolicyAuthValue()),)
    if with_auth and not any(way.wants_auth_value or way.wants_password for way in ways):
        raise UsageError(
            f"{args.policy_json} does not check the password; add PolicyAuthValue, or leave the password out"
        )
    return ways


def _leave(args: Untyped, *, with_auth: bool) -> "Policy | None":
    """The policy by which the key may be duplicated. Raises UsageError."""
    if not args.duplicable_to:
        return None

    if args.duplicable_to == "any":
        return to_any(with_auth=with_auth)
    if args.pcrs and (args.persistent_handle is not None or args.sigv4a_handle is not None):
        raise UsageError(
            "a handle does not store the policy of --duplicable-to FILE with --pcrs; keep the key in a "
            "file (--out), or leave one of the options out"
        )
    return to_parent(read_target(args.duplicable_to, None, args.duplicable_to_key).public)


def _report(made: "Made", args: Untyped, command: str) -> None:
    handle = args.persistent_handle
    if args.policy_json or "=" in (args.pcrs or ""):
        note("the key was not tested, because its policy need not be satisfied now")
    else:
        note("the TPM's HMAC with the new key equals the host's")
    if handle is not None:
        note(f"the key is persistent at 0x{handle:08x}, Name {made.key.name.hex()}")
    if args.out == "-":
        print(made.file.to_pem(), end="")
    elif args.out:
        note(f"wrote {args.out}")
    if places := places_of(args):
        note(f"SigV4A key: {' and '.join(places)}; sign with it by `tpmwire curl --sigv4a {places[0]}`")
    if args.write_profile:
        path = write_profile(args.write_profile, command)
        note(f"wrote the profile {args.write_profile} to {path}")
    lines = profile_lines(command, args.write_profile or "tpm")
    if args.out == "-":
        note(lines)
    else:
        print(lines)
