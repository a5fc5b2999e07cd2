"""Options that describe a policy: a JSON file, or PCR values."""

import argparse
from typing import NamedTuple

from tpmwire.errors import PolicyError
from tpmwire.policy.choice import Either
from tpmwire.policy.pcr_selection import parse_pcr_values
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyPCR
from tpmwire.policy.text import from_json
from tpmwire.spec.constants import TPM_ALG

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import filled
from .weak_pcrs import warn_of_pcrs, warn_of_policies

__all__ = ["DescribedPolicy", "PolicySettings", "add_policy_options", "policy_from_json", "policy_from_options"]


class DescribedPolicy(NamedTuple):
    """A policy, its digest, and its alternatives, the first of which is the main policy in a key file."""

    digest: bytes
    alternatives: "tuple[Policy, ...]"
    policy: "Policy | Either"


class PolicySettings:
    """Values of the options that `add_policy_options` adds."""

    policy_json: str | None
    pcrs: str | None


def add_policy_options(parser: "argparse.ArgumentParser", option: str = "--json") -> None:
    """Adds the option named `option`, a JSON file, and --pcrs. The two are mutually exclusive."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        option,
        dest="policy_json",
        type=filled,
        metavar="FILE",
        help="file with a policy in JSON (`tpmwire policy --help`)",
    )
    group.add_argument(
        "--pcrs",
        type=filled,
        metavar="PCRS",
        help="policy that requires PCR values, such as sha256:7=HEX,23=HEX",
    )


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
