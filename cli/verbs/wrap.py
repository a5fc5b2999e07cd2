"""Wraps an AWS secret for another machine's TPM; only that TPM can import it. This machine needs no TPM.

  printf %s "$SECRET" | tpmwire wrap --to web-1.json --out web-1.pem

web-1.json is the output of `tpmwire export-public` on the target, or its public key in another form: PEM, DER,
TPM2B_PUBLIC or TPMT_PUBLIC (binary, hex, base64), an EK certificate, or JSON printed by `aws ec2
get-instance-tpm-ek-pub` or `gcloud compute instances get-shielded-identity`. A bare public key is assumed to be
the endorsement key; --to-key selects another kind. On the target, `tpmwire import-key web-1.pem` imports the key.
The key works on that TPM only and never leaves it. With --pcrs the key works only while the PCRs have the given
values (sha256:7=HEX) or, without a value, zeros.

A fleet: --fleet is a directory of exported *.json files, or a file with one host per line (JSON Lines, or CSV with
a header: host, kind, public, and optionally parent, name, certificate). A host may have values of its own: secret,
aws_access_key_id, pcrs, policy, password_file. Each host gets OUT/HOST.pem and a line in OUT/manifest.jsonl; a bad
host is reported and does not affect other hosts. With --fleet - and --out -, wrap reads and writes JSON Lines.

  printf %s "$SECRET" | tpmwire wrap --fleet hosts/ --out wrapped/ \\
      --ca maker-ca.pem
"""

import argparse
import os
import re
import sys

from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.wrapping import wrap_ecdsa_key
from tpmwire.secret import Secret

from ..keys.fleet.hosts import Fleet, survey
from ..keys.fleet.run import STDOUT, FleetPlan, wrap_fleet
from ..keys.fleet.wrap import Inputs, WrapOrder, inputs_of, wrap_for_target
from ..keys.options import (
    FormatSettings,
    SecretSettings,
    TargetSettings,
    add_format_option,
    add_secret_options,
    add_target_options,
)
from ..keys.place import Place, check_path
from ..keys.secret import key_id_of, parse_secret, read_key
from ..keys.sigv4a import check_places, private_value, required_key_id
from ..keys.targets import Target, format_key_file, read_target
from ..keys.trust import read_trust
from ..keys.wrap_policy import KeyUse, policy_of_use
from ..terminal.files import read_small, write_whole
from ..terminal.messages import UsageError, note
from ..terminal.options import auth_from, filled, secret_file

__all__ = ["Settings", "configure", "run"]


class Settings(TargetSettings, FormatSettings, SecretSettings):
    """The verb's options."""

    to: str | None
    fleet: str | None
    out: str
    secret_file: str | None
    key_auth_file: str | None
    pcrs: str | None
    policy_json: str | None
    sigv4a_out: str | None
    aws_access_key_id: str | None
    ca: list[str]
    force: bool
    resume: bool
    shard: str | None
    json: bool
    jobs: int | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--to",
        metavar="FILE",
        help="file with the target's public key: export-public JSON, PEM, DER, TPM structure or EK certificate",
    )
    target.add_argument(
        "--fleet",
        metavar="HOSTS",
        help="wrap for many targets: a directory, a .csv or JSON Lines file, or - for standard input",
    )
    add_target_options(parser)
    add_format_option(parser)
    parser.add_argument(
        "--out",
        metavar="PATH",
        required=True,
        help="key file to write; with --fleet, a directory for the key files, or - for JSON Lines on "
        "standard output",
    )
    add_secret_options(parser)
    parser.add_argument(
        "--secret-file", metavar="FILE", help="file with the AWS secret access key (default: standard input)"
    )
    parser.add_argument(
        "--key-auth-file",
        type=filled,
        metavar="FILE",
        help="file with a password for the key (env: TPM_KEY_AUTH contains the password)",
    )
    bound = parser.add_mutually_exclusive_group()
    bound.add_argument(
        "--pcrs",
        type=filled,
        metavar="PCRS",
        help="PCRs to bind the key to, with their values, such as sha256:7=HEX,23 (all zeros if a value is "
        "omitted)",
    )
    bound.add_argument(
        "--policy",
        dest="policy_json",
        type=filled,
        metavar="FILE",
        help="JSON file with the key's policy, which must not contain branches (see `tpmwire policy --help`)",
    )
    parser.add_argument(
        "--sigv4a-out",
        metavar="FILE",
        help="with --to: also wrap the SigV4A key, derived from access key ID and secret, and write it to FILE "
        "(see docs/sigv4a.md)",
    )
    parser.add_argument(
        "--aws-access-key-id",
        metavar="ID",
        help="access key ID that belongs to the secret, for --sigv4a-out and the fleet manifest "
        "(env: AWS_ACCESS_KEY_ID)",
    )
    parser.add_argument(
        "--ca",
        nargs="+",
        default=[],
        metavar="FILE",
        help="files with CA certificates; each target must have an EK certificate that one of them issued",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an existing key file; accept a secret that does not have AWS's format",
    )
    parser.add_argument("--resume", action="store_true", help="resume an interrupted --fleet run")
    parser.add_argument(
        "--shard", metavar="K/N", help="wrap only the K-th of N parts of the --fleet hosts, such as 2/8"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the summary of a --fleet run in JSON (on stderr with --out -)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="number of processes of a --fleet run (default: one per core; always one for --fleet -)",
    )


def run(args: Settings) -> int:
    """Wraps the secret for one target or for a fleet."""
    shard = _check(args)
    auth = auth_from(None, args.key_auth_file, "TPM_KEY_AUTH")
    use, trust = _use_of(args), read_trust(args.ca)
    policy_of_use(use, with_auth=bool(auth))
    if args.fleet is not None:
        order = WrapOrder(None, auth, use, trust, args.aws_access_key_id or "")
        return _wrap_fleet(args, Fleet(args.fleet, shard), order, shard)
    assert args.to is not None  # argparse requires one of the two
    key_id = _sigv4a_key_id(args) if args.sigv4a_out else ""
    return _wrap_one(args, args.to, WrapOrder(_read_secret(args), auth, use, trust), key_id)


def _check(args: Settings) -> tuple[int, int]:
    """Returns the shard as (K, N) after checking the options. Raises UsageError for conflicting options."""
    if args.fleet is None:
        check_path(args.out, "--out", force=args.force)
        for option, given in (("--resume", args.resume), ("--shard", args.shard), ("--json", args.json)):
            if given:
                raise UsageError(f"{option} needs --fleet")
    elif args.sigv4a_out:
        raise UsageError("--sigv4a-out is for one target (--to); remove it to wrap HMAC keys for a fleet")
    if args.resume and args.out == STDOUT:
        raise UsageError("--resume needs a directory with a manifest; --out - has none")
    once = args.fleet is not None and Fleet(args.fleet).once
    if args.resume and once:
        raise UsageError("--resume reads the hosts twice; give --fleet a file or a directory")
    if args.jobs not in (None, 1) and once:
        raise UsageError("--jobs is for hosts in a file; hosts from a pipe are wrapped in one process")
    return (1, 1) if args.shard is None else _shard(args.shard)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--shard {text} is not valid; expected K/N with K from 1 to N, such as 2/8")
    return int(found[1]), int(found[2])


def _use_of(args: Settings) -> KeyUse:
    if args.policy_json:
        return KeyUse(policy=read_small(args.policy_json).decode("utf-8", "replace"), where=args.policy_json)
    return KeyUse(pcrs=args.pcrs or "")


def _read_secret(args: Settings) -> Secret:
    if not args.secret_file:
        return read_key(args.from_profile, force=args.force)

    return parse_secret(secret_file(args.secret_file), force=args.force)


def _wrap_fleet(args: Settings, fleet: Fleet, order: WrapOrder, shard: tuple[int, int]) -> int:
    found = None if fleet.once else survey(fleet)
    if found is not None and not found.hosts and shard[1] == 1:
        raise UsageError(f"{fleet.path} contains no hosts; add one host per file or line")
    if args.secret_file or args.from_profile or (found is not None and not found.own_secrets):
        order = order._replace(secret=_read_secret(args))
    plan = FleetPlan(fleet, order, args.out, shard, args.jobs or (1 if fleet.once else os.cpu_count() or 1))
    summary = wrap_fleet(plan, found, resume=args.resume)
    if args.json:
        print(summary.to_json(plan), file=sys.stderr if args.out == STDOUT else sys.stdout)
    else:
        where = "" if args.out == STDOUT else f"; see {args.out}"
        note(f"{summary.wrapped + summary.done_before} of {summary.hosts} hosts wrapped{where}")
    return 1 if summary.failed else 0


def _wrap_one(args: Settings, to: str, order: WrapOrder, key_id: str) -> int:
    target = read_target(to, args.to_handle, args.to_key)
    if not target.parent:
        raise UsageError(f"{to} does not state the parent's handle; add --to-handle, such as 0x81000001")
    inputs = inputs_of({}, order)
    wrapped = {args.out: wrap_for_target(target, inputs, order.trust)}
    if args.sigv4a_out:
        wrapped[args.sigv4a_out] = _wrap_sigv4a(key_id, inputs, target)
    for path, file in wrapped.items():
        write_whole(path, format_key_file(file, target, args.format).encode(), force=args.force)
        note(f"{path} is for the TPM of {target.host}; run there: tpmwire import-key {os.path.basename(path)}")
    return 0


def _sigv4a_key_id(args: Settings) -> str:
    """Returns the access key id for the SigV4A key. Called before the secret is read.

    Raises UsageError if an output file exists, and for a missing or invalid id.
    """
    check_places(Place(file=args.sigv4a_out), Place(file=args.out), force=args.force)
    if args.from_profile and not args.aws_access_key_id:
        return required_key_id(key_id_of(args.from_profile))
    return required_key_id(args.aws_access_key_id)


def _wrap_sigv4a(key_id: str, inputs: Inputs, target: Target) -> KeyFile:
    private = private_value(inputs.secret, key_id)
    return wrap_ecdsa_key(private, target.public, target.parent, auth=inputs.auth, policy=inputs.policy)
