"""The policy of a key, as a whole, for another key that is to take its place."""

from tpmwire.errors import PolicyError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.keyfile_policy import alternatives_of
from tpmwire.policy.conditions import PolicyCpHash, PolicyNameHash
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyDuplicationSelect, PolicyPassword, PolicyPCR
from tpmwire.spec.structures import TPMT_PUBLIC

from ..terminal.messages import UsageError

__all__ = ["is_plain", "ways_kept"]


def is_plain(file: "KeyFile") -> bool:
    """Whether the policy is none, or PCRs and a password: such a one is made anew, with the PCRs' values of now.

    Raises PolicyError for a statement that is not understood.
    """
    if file.auth_policy:
        return False
    if not file.policy:
        return True
    kinds = [type(statement) for statement in Policy.ways(file.policy, file.public)[0].statements]
    return kinds.count(PolicyPCR) == 1 and all(
        issubclass(kind, PolicyPCR | PolicyAuthValue | PolicyPassword) for kind in kinds
    )


def ways_kept(file: "KeyFile") -> "tuple[Policy, ...]":
    """Every way through the file's policy, whose digest the new key has too.

    Raises UsageError where a way is not understood, is not the key's, or names the key itself.
    """
    public, ways = file.public, []
    for label, policy in alternatives_of(file):
        if isinstance(policy, PolicyError):
            raise UsageError(
                f"{label} of the key file is not supported, so it cannot be copied to a new key: {policy}"
            )
        if not _leads_to(policy, public):
            raise UsageError(f"{label} of the key file does not match the key's policy; repair the file")
        if itself := _naming_it(policy):
            raise UsageError(f"{label} contains a {itself}, which names the old key; import the new key by hand")
        ways.append(policy)
    return tuple(ways)


def _leads_to(policy: "Policy", public: "TPMT_PUBLIC") -> bool:
    """False where the digest is known to be another one."""
    try:
        return policy.digest(public.name_alg) == public.auth_policy
    except PolicyError:
        return True  # The TPM's own values go into it, and the TPM has taken it for the old key.


def _naming_it(policy: "Policy") -> str:
    """The statement by which the policy holds for one key only, or ""."""
    for statement in policy.statements:
        chosen = isinstance(statement, PolicyDuplicationSelect) and statement.include_object
        if chosen or isinstance(statement, PolicyCpHash | PolicyNameHash):
            return type(statement).__name__
    return ""
