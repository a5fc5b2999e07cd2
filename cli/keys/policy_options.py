"""Options that describe a policy: a JSON file, or PCR values."""

import argparse
from typing import NamedTuple

from tpmwire.errors import PolicyError
from tpmwire.policy.choice import Either
from tpmwire.policy.pcr_selection import parse_pcr_values
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.policy.text import from_json
from tpmwire.spec.constants import TPM_ALG

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import filled
from .weak_pcrs import warn_of_pcrs, warn_of_policies

__all__ = [
    "DescribedPolicy",
    "PolicySettings",
    "add_key_policy_options",
    "add_policy_options",
    "is_described",
    "policy_from_json",
    "policy_from_options",
    "read_alternatives",
]


class DescribedPolicy(NamedTuple):
    """A policy, its digest, and its alternatives, the first of which is the main policy in a key file."""

    digest: bytes
    alternatives: "tuple[Policy, ...]"
    policy: "Policy | Either"


class PolicySettings:
    """Values of the options that `add_policy_options` adds."""

    policy_json: str | None
    pcrs: str | None


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Adds --json, a policy in JSON, and --pcrs, which cannot be combined."""
    _add_options(
        parser,
        "--json",
        "file with a policy in JSON (`tpmwire policy --help`)",
        "policy that requires PCR values, such as sha256:7=HEX,23=HEX",
    )


def add_key_policy_options(parser: argparse.ArgumentParser) -> None:
    """Adds --policy and --pcrs for a new key, which cannot be combined."""
    _add_options(
        parser,
        "--policy",
        "JSON file with the key's policy (see `tpmwire policy --help`); the current state need not satisfy "
        "it, so the new key is not tested",
        "PCRs to bind the key to, such as 7,23 or sha256:7,23; sha256:7=HEX binds to a given value instead "
        "of the current one",
    )


def _add_options(parser: argparse.ArgumentParser, option: str, policy_help: str, pcrs_help: str) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(option, dest="policy_json", type=filled, metavar="FILE", help=policy_help)
    group.add_argument("--pcrs", type=filled, metavar="PCRS", help=pcrs_help)


def policy_from_options(args: PolicySettings, alg: "TPM_ALG") -> DescribedPolicy | None:
    """Returns the policy that the options describe, for an object with nameAlg `alg`, or None.

    Raises UsageError for invalid options.
    """
    if args.policy_json:
        found = policy_from_json(read_small(args.policy_json).decode("utf-8", "replace"), alg, args.policy_json)
        warn_of_policies(found.alternatives, alg)
        return found
    if not args.pcrs:
        return None
    try:
        selection, values = parse_pcr_values(args.pcrs)
        policy = Policy(PolicyPCR.of_values(alg, selection, values))
    except PolicyError as error:
        raise UsageError(str(error)) from error
    warn_of_pcrs(selection, values)
    return DescribedPolicy(policy.digest(alg), (policy,), policy)


def is_described(args: PolicySettings) -> bool:
    """Returns whether the options give a policy or PCR values, so that the key may be unusable at present."""
    return bool(args.policy_json) or "=" in (args.pcrs or "")


def read_alternatives(args: PolicySettings, *, with_auth: bool) -> tuple[Policy, ...]:
    """Returns the alternative policies that --policy or --pcrs with values describes, for a new key.

    `with_auth` is true if the key has a password. Raises UsageError for an invalid policy.
    """
    found = policy_from_options(args, TPM_ALG.SHA256)
    assert found is not None  # one of the options was given
    ways = found.alternatives
    if with_auth and not args.policy_json:
        return (Policy(*ways[0].statements, PolicyAuthValue()),)
    if with_auth and not any(way.wants_auth_value or way.wants_password for way in ways):
        raise UsageError(
            f"{args.policy_json} does not check the password; add PolicyAuthValue, or remove the password"
        )
    return ways


def policy_from_json(text: str, alg: "TPM_ALG", where: str) -> DescribedPolicy:
    """Parses a JSON policy for an object with nameAlg `alg`.

    For an invalid policy, raises UsageError with the name `where`.
    """
    try:
        policy = from_json(text, alg)
        ways = (policy,) if isinstance(policy, Policy) else policy.alternatives(alg)
        return DescribedPolicy(policy.digest(alg), ways, policy)
    except PolicyError as error:
        raise UsageError(f"{where}: {error}") from error
