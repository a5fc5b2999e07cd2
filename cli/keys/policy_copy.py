"""Copies the whole policy of a key to the key that replaces it."""

from tpmwire.errors import PolicyError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.keyfile_policy import alternatives_of
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPassword, PolicyPCR
from tpmwire.spec.structures import TPMT_PUBLIC

from ..terminal.messages import UsageError

__all__ = ["copy_alternatives", "is_plain"]


def is_plain(file: "KeyFile") -> bool:
    """Returns whether the policy is empty, or contains only PCRs and possibly a password.

    A plain policy is rebuilt with the current PCR values. Raises PolicyError for an unsupported statement.
    """
    if file.auth_policy:
        return False
    if not file.policy:
        return True
    kinds = [type(statement) for statement in Policy.ways(file.policy, file.public)[0].statements]
    return kinds.count(PolicyPCR) == 1 and all(
        issubclass(kind, PolicyPCR | PolicyAuthValue | PolicyPassword) for kind in kinds
    )


def copy_alternatives(file: "KeyFile") -> "tuple[Policy, ...]":
    """Returns all alternatives of the file's policy, for a new key with the same policy digest.

    Raises UsageError if an alternative is unsupported, does not match the key's authPolicy, or contains the key's
    Name.
    """
    public, ways = file.public, []
    for label, policy in alternatives_of(file):
        if isinstance(policy, PolicyError):
            raise UsageError(
                f"{label} of the key file is not supported, so it cannot be copied to a new key: {policy}"
            )
        if not _may_have_digest(policy, public):
            raise UsageError(f"{label} of the key file does not match the key's policy; create the key file again")
        if itself := _find_self_reference(policy):
            raise UsageError(
                f"{label} contains a {itself}, which names the old key; "
                "create the new key with `tpmwire import --policy`"
            )
        ways.append(policy)
    return tuple(ways)


def _may_have_digest(policy: "Policy", public: "TPMT_PUBLIC") -> bool:
    """Returns whether the policy's digest is the key's authPolicy; True if the digest cannot be computed here."""
    try:
        return policy.digest(public.name_alg) == public.auth_policy
    except PolicyError:
        return True  # The digest depends on values in the TPM, which has accepted this policy for the old key.


def _find_self_reference(policy: "Policy") -> str:
    """Returns the name of a policy statement that contains the key's own Name, or "".

    A policy with such a statement cannot be used by another key.
    """
    return next((type(statement).__name__ for statement in policy.statements if statement.names_objects), "")
