"""Satisfies a key's policy in a policy session.

The policy comes from the key file, or from the options and the key's policy digest. The modules of `policy` are
imported late, because a policy of only PCRs needs only the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..crypto.formulas import digest_size
from ..errors import TpmError
from ..primary import create_primary, lacks_ecc, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Session, Use
from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT
from ..spec.structures import TPMT_PUBLIC
from ..tpm import Tpm
from .key import Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..keys.keyfile import KeyFile
    from ..policy.statement import Statement

__all__ = ["KeyPolicy"]

_ENDORSEMENT_KINDS = ("ek-rsa", "ek-ecc", "ek-p384", "ek-ecc-h2")
"""Endorsement keys that are created to learn their Names; a larger RSA key takes a chip a minute."""


class KeyPolicy:
    """Satisfies the policy of `key` in the policy session `session`.

    Each use of the key resets the session, so that the policy must be satisfied again (Part 1, §19.7).
    `read_public` returns the public area of the key at a handle. `authorize` returns the authorizations for an
    authValue. `parent_name` is the Name of the key's parent, if known.
    """

    def __init__(
        self,
        tpm: Tpm,
        key: Key,
        session: Session,
        read_public: Callable[[int], TPMT_PUBLIC],
        authorize: Callable[[Secret], tuple[Password | Use, ...]],
        parent_name: bytes | None,
    ) -> None:
        self.tpm, self.key, self.session = tpm, key, session
        self._read_public = read_public
        self._authorize = authorize
        self._parent_name = parent_name
        # The statements after the PCRs; empty until a refusal shows that they are needed.
        self._completion: list[Statement] = []

    def satisfy(self, handle: int) -> Secret:
        """Executes the key's policy, and returns the authValue that the key's authorization then needs.

        Raises TpmError if the TPM refuses a statement, and PolicyError if no policy of the key file can be
        satisfied.
        """
        file = self.key.file or self.key.described
        if self.key.pcrs is None and file is not None and file.auth_policy:
            self._execute_alternatives(file)
        elif self.key.pcrs is None and file is not None and file.policy is not None:
            self._execute_file_policy(file)
        else:
            self._execute_options(handle)
        return self.key.auth if self.session.wants_auth_value else EMPTY_AUTH

    def complete(self, public: TPMT_PUBLIC) -> bool:
        """Finds the statements after the PCRs in the key's policy, and executes them for the next attempt.

        Returns whether there are such statements. Called only after a refusal: for most keys the PCRs are the
        whole policy, and nothing has to be read.
        """
        if self.key.pcrs is None or self.key.auth or self.key.ek_parent:
            return False
        if self._completion:
            return False  # the whole policy has already been executed, and was not sufficient
        self._completion = self._missing_statements(public.auth_policy)
        self._execute_plain(self._completion)
        return bool(self._completion)

    def _execute_plain(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            self.tpm.execute(statement.command(self.session.handle))
            self.session.wants_auth_value |= statement.code == TPM_CC.PolicyAuthValue

    def _execute_options(self, handle: int) -> None:
        """Executes the policy that the options describe (PCRs, password, parent).

        The key's policy digest shows which further statements the policy has.
        """
        from ..spec.commands.policies import PolicyPCR  # late: most runs have no PCRs

        key = self.key
        if key.pcrs is not None:
            # An empty digest stands for the PCRs' current values; the key's policy decides whether these are
            # right.
            self.tpm.execute(PolicyPCR(self.session.handle, b"", key.pcrs))
            if not key.auth and not key.ek_parent:
                self._execute_plain(self._completion)
                return
        self._execute_plain(self._missing_statements(self._read_public(handle).auth_policy))

    def _missing_statements(self, expected: bytes) -> list[Statement]:
        """Returns the statements after the PCRs that result in the policy digest `expected`; empty if none match.

        The statements are PolicyAuthValue and, for a duplicable key, a PolicyOR of use and duplication. Only
        policies that `tpmwire` and users of the Go program create are tried.
        """
        from ..policy.statements import PolicyAuthValue, PolicyOR
        from ..spec.commands.policies import PolicyGetDigest

        alg = self.session.auth_hash
        start = bytes(digest_size(alg))
        so_far = self.tpm.execute(PolicyGetDigest(self.session.handle)).policy_digest if self.key.pcrs else start
        uses = [([], so_far), ([PolicyAuthValue()], PolicyAuthValue().extended(alg, so_far))]
        for password, reached in uses:
            if reached == expected:
                return [*password]
        for moved in self._duplication_digests(alg):
            for password, reached in uses:
                for branches in ((reached, moved), (moved, reached)):
                    choice = PolicyOR(branches)
                    if choice.extended(alg, start) == expected:
                        return [*password, choice]
        return []

    def _duplication_digests(self, alg: TPM_ALG) -> Iterator[bytes]:
        """Yields the policy digests that allow duplication: to any parent, or to a parent in this TPM."""
        from ..keys.wrapping import to_any
        from ..policy.statements import PolicyDuplicationSelect

        yield to_any(with_auth=False).digest(alg)
        yield to_any(with_auth=True).digest(alg)
        for name in self._parent_names():
            yield PolicyDuplicationSelect(b"", name, False).extended(alg, bytes(digest_size(alg)))

    def _parent_names(self) -> Iterator[bytes]:
        """Yields the Names of keys that are possible parents of the key.

        Each Name is read from the TPM when needed.
        """
        if self._parent_name is not None:
            yield self._parent_name
            return
        from ..state.nv import handles
        from .parents import ENDORSEMENT, PARENTS

        srk = PARENTS["srk"].parent
        known, kinds = ([srk], ("h2",)) if not self.key.ek_parent else (list(ENDORSEMENT), _ENDORSEMENT_KINDS)
        for handle in handles(self.tpm, min(known), max(known)):
            if handle in known:
                yield read_loaded(self.tpm, handle).name
        for kind in kinds:
            place, auth = PARENTS[kind], self._authorize(self.key.parent_auth)
            try:
                made = create_primary(self.tpm, place.hierarchy, place.template(), *auth)
            except TpmError as error:
                if not lacks_ecc(error):
                    raise
                continue  # the TPM does not support this template
            self.tpm.flush(made.handle)
            yield made.name

    def _execute_file_policy(self, file: KeyFile) -> None:
        """Sends the commands of the key file's policy in the policy session."""
        from ..policy.policy import Policy

        policy, *others = Policy.ways(file.policy or (), file.public)
        if others:
            self._execute_alternatives(file)
            return
        for statement in policy.statements:
            self._execute(statement)
        self.session.wants_auth_value = policy.wants_auth_value or policy.wants_password

    def _execute_alternatives(self, file: KeyFile) -> None:
        """Executes the first of the key file's alternative policies that succeeds."""
        from ..keys.keyfile_policy import alternatives_of
        from ..policy.choice import satisfy

        choices, expected = alternatives_of(file), file.public.auth_policy
        policy = satisfy(self.tpm, self.session, choices, expected, self._execute)
        self.session.wants_auth_value = policy.wants_auth_value or policy.wants_password

    def _execute(self, statement: Statement) -> None:
        from ..policy.statements import PolicyAuthValue, PolicyPassword

        # PolicyAuthValue has the same digest as PolicyPassword, and does not send the password over the bus.
        proven = PolicyAuthValue() if isinstance(statement, PolicyPassword) else statement
        auths = self._authorize(self._entity_auth(proven)) if proven.wants_authorization else ()
        proven.state(self.tpm, self.session.handle, auths)

    def _entity_auth(self, statement: Statement) -> Secret:
        """Returns the authValue of the entity of a PolicySecret, which is a hierarchy, an object or an NV index.

        For an object or an NV index, the key's password is used, as in openssl_tpm2_engine.
        """
        entity = getattr(statement, "object_hint", 0)
        return self.key.auth if entity and entity >> 24 != TPM_HT.PERMANENT else self.key.parent_auth
