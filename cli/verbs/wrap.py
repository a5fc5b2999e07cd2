"""Wraps an AWS secret for another TPM, so that this TPM alone can take it in. It needs no TPM here.

  printf %s "$SECRET" | tpmwire wrap --to web-1.json --out web-1.pem

web-1.json is what `tpmwire export-public` printed on the target; `tpmwire import-key web-1.pem` takes the key in
there. It can be used there and never leaves: it is bound to that TPM by its policy where it has one. With --pcrs
the key works only while the PCRs have the values given (sha256:7=HEX) or, without a value, zero.

A fleet: --fleet is a directory of exported *.json files, or a file with one host a line (JSON Lines, or CSV with a
header: host, kind, public, and if there are: parent, name, certificate, secret). Each host gets OUT/HOST.pem and a
line in OUT/manifest.jsonl; a bad host is reported and costs the others nothing.

  printf %s "$SECRET" | tpmwire wrap --fleet hosts/ --out wrapped/ --ca maker-ca.pem
"""

import argparse
import os
from typing import TYPE_CHECKING

from ..aws_secret import add_secret_options, key_id_of, read_key
from ..messages import UsageError, note
from ..options import auth_from

if TYPE_CHECKING:
    from tpmwire.keyfile import KeyFile
    from tpmwire.policy import Policy

    from ..fleet import Order
    from ..targets import Target

__all__ = ["HELP", "configure", "run"]

HELP = "wrap an AWS secret for another TPM, or for a fleet of them"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--to", metavar="FILE", help="the target, as `tpmwire export-public` printed it")
    target.add_argument("--fleet", metavar="HOSTS", help="many targets: a directory, a .csv or a JSON Lines file")
    parser.add_argument("--out", metavar="PATH", required=True, help="the key file, or a fleet's directory")
    add_secret_options(parser)
    parser.add_argument(
        "--key-auth-file", metavar="FILE", help="file with a password for the key (or TPM_KEY_AUTH)"
    )
    bound = parser.add_mutually_exclusive_group()
    bound.add_argument(
        "--pcrs", metavar="PCRS", help="bind the key to PCRs: sha256:7=HEX,23 (zero where no value)"
    )
    bound.add_argument(
        "--policy",
        dest="policy_json",
        metavar="FILE",
        help="a policy without branches in JSON (`tpmwire policy --help`)",
    )
    parser.add_argument(
        "--sigv4a-out",
        metavar="FILE",
        help="with --to: also wrap the key of SigV4A, which AWS derives from id and secret (docs/sigv4a.md)",
    )
    parser.add_argument(
        "--aws-access-key-id", metavar="ID", help="for it: the id that belongs to the secret (AWS_ACCESS_KEY_ID)"
    )
    parser.add_argument(
        "--ca", nargs="+", default=[], metavar="FILE", help="CA certificates that EK certificates must come from"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing key file")
    parser.add_argument("--resume", action="store_true", help="go on with a fleet that was interrupted")
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes for a fleet (default: all cores)",
    )


def run(args: argparse.Namespace) -> int:
    """Wraps for one target or for many."""
    from ..fleet import Order, read_fleet, wrap_fleet
    from ..trust import trust_from

    auth = auth_from(None, args.key_auth_file, "TPM_KEY_AUTH")
    trust = trust_from(args.ca)
    policy = _json_policy(args) if args.policy_json else _policy(args.pcrs, with_auth=bool(auth))
    if args.policy_json and auth and not (policy and (policy.wants_auth_value or policy.wants_password)):
        raise UsageError(f"{args.policy_json} does not take the password in: add PolicyAuthValue, or leave it out")
    if args.to:
        from ..placing import check_path

        check_path(args.out, "--out", force=args.force)
    if args.sigv4a_out:
        _check_sigv4a(args)
    if args.to:
        return _one(args, Order(read_key(args), auth, policy, trust, args.out))
    hosts = read_fleet(args.fleet)
    each = all(host.fields.get("secret") for host in hosts)
    order = Order(None if each else read_key(args), auth, policy, trust, args.out)
    bad = wrap_fleet(hosts, order, args.jobs, resume=args.resume)
    note(f"{len(hosts) - bad} of {len(hosts)} hosts wrapped; see {args.out}")
    return 1 if bad else 0


def _one(args: argparse.Namespace, order: "Order") -> int:
    from ..files import read_small, write_whole
    from ..fleet import wrapped_for
    from ..targets import Target

    target = Target.from_json(read_small(args.to).decode("utf-8", "replace"), args.to)
    wrapped = {args.out: wrapped_for(target, order, None)}
    if args.sigv4a_out:
        wrapped[args.sigv4a_out] = _sigv4a(args, order, target)
    for path, file in wrapped.items():
        write_whole(path, file.to_pem().encode(), force=args.force)
        note(f"{path} is for the TPM of {target.host}; there: tpmwire import-key {os.path.basename(path)}")
    return 0


def _check_sigv4a(args: argparse.Namespace) -> None:
    """Before the secret is asked for. Raises UsageError."""
    from ..sigv4a_key import check_places, required_key_id

    if args.fleet:
        raise UsageError("--sigv4a-out is for one target (--to); a fleet gets HMAC keys")
    check_places(args.sigv4a_out, None, args.out, None, force=args.force)
    if args.from_profile and not args.aws_access_key_id:
        args.aws_access_key_id = key_id_of(args.from_profile)
    required_key_id(args)


def _sigv4a(args: argparse.Namespace, order: "Order", target: "Target") -> "KeyFile":
    from tpmwire.wrapping import wrap_ecdsa_key

    from ..sigv4a_key import private_value, required_key_id

    assert order.secret is not None  # one target has no secret of its own
    private = private_value(order.secret, required_key_id(args))
    return wrap_ecdsa_key(private, target.public, target.parent, auth=order.auth, policy=order.policy)


def _json_policy(args: argparse.Namespace) -> "Policy | None":
    from tpmwire.spec.constants import TPM_ALG

    from ..policies import described_policy

    found = described_policy(args, TPM_ALG.SHA256)
    if found is not None and len(found.alternatives) > 1:
        raise UsageError(
            f"{args.policy_json} has branches, which a wrapped key's file cannot carry: let PolicyAuthorize stand "
            "for them, and approve each with `tpmwire policy sign`"
        )
    return found.alternatives[0] if found is not None else None


def _policy(pcrs: str | None, *, with_auth: bool) -> "Policy | None":
    """The policy of a key that is bound to PCRs, and to a password if it has one."""
    if not pcrs:
        return None
    from tpmwire.crypto import digest_size
    from tpmwire.errors import PolicyError
    from tpmwire.policy import Policy, PolicyAuthValue, PolicyPCR, parse_pcr_values, pcrs_in
    from tpmwire.spec.constants import TPM_ALG

    try:
        selection, given = parse_pcr_values(pcrs)
        values = {place: bytes(digest_size(place[0])) for place in pcrs_in(selection)} | given
        statement = PolicyPCR.of_values(TPM_ALG.SHA256, selection, values)
    except PolicyError as error:
        raise UsageError(str(error)) from error
    return Policy(statement, PolicyAuthValue()) if with_auth else Policy(statement)
