"""Policies as values: their digest without a TPM, the commands that satisfy them, their bytes in key files.

    policy = Policy(PolicyPCR.of_values(TPM_ALG.SHA256, parse_pcrs("23"), values), PolicyAuthValue())
    policy.digest()             # for an object's authPolicy
    policy.commands(session)    # to execute, one after the other, on a policy session
    policy.to_steps()           # for `KeyFile.policy`

If a key file's bytes can be parsed in two ways, `Policy.ways` returns the one that matches the key's authPolicy.
"""

from itertools import islice, product
from typing import Self

from ..crypto.formulas import digest_size
from ..errors import DecodeError, EncodeError, PolicyError
from ..spec.command import Command
from ..spec.constants import TPM_ALG, TPM_CC
from ..spec.structures import TPMT_PUBLIC
from .statement import Statement, statement_class
from .statements import PolicyAuthValue, PolicyOR, PolicyPassword

__all__ = ["Policy"]


class Policy:
    """An ordered list of policy statements that must all be satisfied. Immutable, compared by value.

    >>> from tpmwire import Policy, PolicyAuthValue
    >>> print(Policy(PolicyAuthValue()))
    PolicyAuthValue: the key's password
    >>> Policy(PolicyAuthValue()).digest().hex()
    '8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e'

    `PolicyOR` follows the statements of the branch that is used.
    """

    __slots__ = ("statements",)

    statements: tuple[Statement, ...]

    def __init__(self, *statements: Statement) -> None:
        object.__setattr__(self, "statements", statements)

    @classmethod
    def from_steps(cls, steps: "tuple[tuple[int, bytes], ...]") -> Self:
        """Parses the policy steps of a key file, each in the TSS2 draft's encoding if possible (see `ways`).

        Raises PolicyError for an unknown command or invalid parameters.
        """
        return cls(*(_readings(code, data)[0] for code, data in steps))

    @classmethod
    def ways(cls, steps: "tuple[tuple[int, bytes], ...]", public: TPMT_PUBLIC) -> "tuple[Self, ...]":
        """Parses the policy steps of a key file into policies: one, or one per branch of a PolicyOR.

        If a step can be parsed in more than one way, the authPolicy in `public` decides. tpmcopy and go-tpm's
        examples write the branches of a PolicyOR one after the other, followed by the PolicyOR. For such a file,
        each branch is a policy. Raises PolicyError for an unknown command or invalid parameters.
        """
        undecided = None
        # Limits the time for files in which many steps can be parsed in several ways.
        for chosen in islice(product(*(_readings(code, data) for code, data in steps)), 256):
            ways = cls(*chosen)._branches(public.name_alg)
            fits = {way._leads_to(public.auth_policy, public.name_alg) for way in ways}
            if fits == {True}:
                return ways
            if undecided is None and False not in fits:
                undecided = ways
        return undecided or (cls.from_steps(steps),)

    def _branches(self, alg: TPM_ALG) -> "tuple[Self, ...]":
        """Splits a policy in which the branches of its first PolicyOR precede the PolicyOR one after the other.

        Returns a policy for each branch: the branch, the PolicyOR, and the statements after the PolicyOR. Returns
        this policy alone if it is not such a list of branches. `alg` is the policy's hash algorithm.
        """
        place = next((n for n, one in enumerate(self.statements) if isinstance(one, PolicyOR)), 0)
        choice, rest = self.statements[place : place + 1], self.statements[place:]
        if not choice or not isinstance(choice[0], PolicyOR):
            return (self,)
        found, start = [], 0
        try:
            for end in range(1, place + 1):
                if Policy(*self.statements[start:end]).digest(alg) in choice[0].p_hash_list:
                    found.append(type(self)(*self.statements[start:end], *rest))
                    start = end
        except PolicyError:
            return (self,)
        return tuple(found) if start == place and len(found) > 1 else (self,)

    def _leads_to(self, expected: bytes, alg: TPM_ALG) -> bool | None:
        """Returns whether the policy digest of these statements is `expected`; None if only the TPM can tell."""
        reached = bytes(digest_size(alg))
        try:
            for statement in self.statements:
                if isinstance(statement, PolicyOR) and reached not in statement.p_hash_list:
                    return False
                reached = statement.extended(alg, reached)
        except PolicyError:
            return None
        return reached == expected

    def to_steps(self) -> "tuple[tuple[int, bytes], ...]":
        """Returns the policy as the steps of a key file: (command code, parameters) for each statement.

        Raises PolicyError if a value of a statement cannot be encoded.
        """
        try:
            return tuple((int(statement.code), statement.build()) for statement in self.statements)
        except EncodeError as error:
            raise PolicyError(f"the policy cannot be written to a key file: {error}") from error

    def digest(self, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
        """Returns policyDigest, computed with the hash `alg`, for the authPolicy of an object.

        Raises PolicyError if only the TPM knows the digest, as for the PCR values at the time of use.
        """
        value = bytes(digest_size(alg))
        for statement in self.statements:
            value = statement.extended(alg, value)
        return value

    def commands(self, session: int) -> tuple[Command, ...]:
        """Returns the commands for the policy session with this handle, in order.

        Raises PolicyError if a statement needs several commands (PolicySigned, PolicyAuthorize) or lacks a handle.
        """
        return tuple(statement.command(session) for statement in self.statements)

    def __str__(self) -> str:
        """Returns the policy as display text, one line per statement."""
        return "\n".join(map(str, self.statements)) or "nothing"

    @property
    def wants_auth_value(self) -> bool:
        """Returns whether the policy requires the object's authValue, proven by the session's HMAC."""
        return self._last_auth() is PolicyAuthValue

    @property
    def wants_password(self) -> bool:
        """Returns whether the policy requires the object's authValue in cleartext."""
        return self._last_auth() is PolicyPassword

    def _last_auth(self) -> type[Statement] | None:
        """Returns the class of the last PolicyAuthValue or PolicyPassword, or None.

        If a policy has several, the TPM uses the last one (Part 3, §23.18).
        """
        kinds = [type(s) for s in self.statements if isinstance(s, (PolicyAuthValue, PolicyPassword))]
        return kinds[-1] if kinds else None

    def __reduce__(self) -> tuple[type[Self], tuple[Statement, ...]]:
        return type(self), self.statements  # for `copy` and `pickle`

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Policy is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Policy is immutable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.statements == other.statements

    def __hash__(self) -> int:
        return hash(self.statements)

    def __repr__(self) -> str:
        return f"Policy({', '.join(map(repr, self.statements))})"


def _readings(code: int, data: bytes) -> tuple[Statement, ...]:
    name = f"TPM2_{TPM_CC(code).name}" if TPM_CC(code).known else f"command 0x{code:x}"
    kind = statement_class(code)
    if kind is None:
        raise PolicyError(f"the policy contains {name}, which tpmwire does not support")
    try:
        return kind.readings(data)
    except DecodeError as error:
        raise PolicyError(f"the policy has invalid parameters for {name}: {error}") from error
