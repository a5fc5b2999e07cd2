"""A key's policy, stated in a policy session: as its file has it, or as options and the key's own digest say."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..crypto.formulas import digest_size
from ..errors import TpmError
from ..primary import create_primary, lacks_ecc, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Session
from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT

if TYPE_CHECKING:
    from ..keys.keyfile import KeyFile
    from ..policy.policy import Statement
    from ..spec.structures import TPMT_PUBLIC
    from .run import Run

__all__ = ["Satisfying"]

_ENDORSEMENT_KINDS = ("ek-rsa", "ek-ecc", "ek-p384", "ek-ecc-h2")
"""Those that are made to learn their Names; the larger RSA keys take a chip a minute."""


class Satisfying:
    """States the policy of a run's key in `session`, anew for each use, which ends it (Part 1, §19.7)."""

    def __init__(self, run: "Run", session: Session) -> None:
        self.run, self.session = run, session
        self.key, self.tpm = run.key, run.tpm
        # What stands after the PCRs, once a refusal has asked for it.
        self.completion: list[Statement] = []

    def satisfy(self, handle: int) -> Secret:
        """Executes the key's policy; returns the authValue that its authorization then takes."""
        file = self.key.file or self.key.described
        if self.key.pcrs is None and file is not None and file.auth_policy:
            self._state_alternatives(file)
        elif self.key.pcrs is None and file is not None and file.policy is not None:
            self._state_file_policy(file)
        else:
            self._state_from_options(handle)
        return self.key.auth if self.session.wants_auth_value else EMPTY_AUTH

    def completes(self, public: "TPMT_PUBLIC") -> bool:
        """States what PCRs alone left open, on the same session: the usual key needs no look at its policy."""
        if self.key.pcrs is None or self.key.auth or self.key.ek_parent:
            return False
        if self.completion:
            return False  # Stated already, and it was not enough.
        self.completion = self._missing_statements(public.auth_policy)
        self._state_plain(self.completion)
        return bool(self.completion)

    def _state_plain(self, statements: "Sequence[Statement]") -> None:
        for statement in statements:
            self.tpm.execute(statement.command(self.session.handle))
            self.session.wants_auth_value |= statement.code == TPM_CC.PolicyAuthValue

    def _state_from_options(self, handle: int) -> None:
        """PCRs, password and endorsement parent say the policy; where that is open, the key's digest does."""
        from ..policy.policy import PolicyPCR

        key = self.key
        if key.pcrs is not None:
            # No digest: the PCRs are taken as they are, and the policy of the key says whether they fit.
            self.tpm.execute(PolicyPCR(b"", key.pcrs).command(self.session.handle))
            if not key.auth and not key.ek_parent:
                self._state_plain(self.completion)
                return
        if self.run.public is None:
            self.run.public = read_loaded(self.tpm, handle).public
        self._state_plain(self._missing_statements(self.run.public.auth_policy))

    def _missing_statements(self, wanted: bytes) -> "list[Statement]":
        """What has to be stated after the PCRs for the policy digest `wanted`.

        The password, and for a key that can be or was duplicated the choice between its use and its duplication;
        as the Go program's users make them, and `tpmwire` does. None where nothing fits: the TPM will refuse.
        """
        from ..policy.policy import PolicyAuthValue, PolicyOR
        from ..spec.commands.policies import PolicyGetDigest

        alg = self.session.auth_hash
        start = bytes(digest_size(alg))
        so_far = self.tpm.execute(PolicyGetDigest(self.session.handle)).policy_digest if self.key.pcrs else start
        uses = [([], so_far), ([PolicyAuthValue()], PolicyAuthValue().extended(alg, so_far))]
        for password, reached in uses:
            if reached == wanted:
                return [*password]
        for moved in self._ways_out(alg):
            for password, reached in uses:
                for branches in ((reached, moved), (moved, reached)):
                    choice = PolicyOR(branches)
                    if choice.extended(alg, start) == wanted:
                        return [*password, choice]
        return []

    def _ways_out(self, alg: TPM_ALG) -> Iterator[bytes]:
        """Policy digests of duplication that may stand beside a key's use: to any parent, to one of this TPM."""
        from ..keys.wrapping import to_any
        from ..policy.policy import PolicyDuplicationSelect

        yield to_any(with_auth=False).digest(alg)
        yield to_any(with_auth=True).digest(alg)
        for name in self._parent_names():
            yield PolicyDuplicationSelect(b"", name, False).extended(alg, bytes(digest_size(alg)))

    def _parent_names(self) -> Iterator[bytes]:
        """Names of the keys that may be the parent, or were when the key came here; as few as are asked for."""
        if self.run.parent_name is not None:
            yield self.run.parent_name
            return
        from ..state.nv import handles
        from .parents import ENDORSEMENT, PARENTS

        srk = PARENTS["srk"].parent
        known, kinds = ([srk], ("h2",)) if not self.key.ek_parent else (list(ENDORSEMENT), _ENDORSEMENT_KINDS)
        for handle in handles(self.tpm, min(known), max(known)):
            if handle in known:
                yield read_loaded(self.tpm, handle).name
        for kind in kinds:
            place, auth = PARENTS[kind], self.run.authorized(self.key.parent_auth)
            try:
                made = create_primary(self.tpm, place.hierarchy, place.template(), *auth)
            except TpmError as error:
                if not lacks_ecc(error):
                    raise
                continue  # this TPM has no such keys
            self.tpm.flush(made.handle)
            yield made.name

    def _state_file_policy(self, file: "KeyFile") -> None:
        """The policy that the key file carries."""
        from ..policy.policy import Policy

        policy, *others = Policy.ways(file.policy or (), file.public)
        if others:
            self._state_alternatives(file)
            return
        for statement in policy.statements:
            self._state(statement)
        self.session.wants_auth_value = policy.wants_auth_value or policy.wants_password

    def _state_alternatives(self, file: "KeyFile") -> None:
        """The key file's policy or, where that fails, the first of its alternatives that holds."""
        from ..policy.choice import alternatives_of, satisfy

        choices, wanted = alternatives_of(file), file.public.auth_policy
        policy = satisfy(self.tpm, self.session, choices, wanted, self._state)
        self.session.wants_auth_value = policy.wants_auth_value or policy.wants_password

    def _state(self, statement: "Statement") -> None:
        from ..policy.policy import PolicyAuthValue, PolicyPassword

        # The same digest, and the password does not cross the bus.
        proven = PolicyAuthValue() if isinstance(statement, PolicyPassword) else statement
        auths = self.run.authorized(self._entity_auth(proven)) if proven.wants_authorization else ()
        proven.state(self.tpm, self.session.handle, auths)

    def _entity_auth(self, statement: "Statement") -> Secret:
        """The authValue of a PolicySecret's entity: a hierarchy's, or what is given as the key's for an object.

        The password of an NV index or an object stands in for the key's own, as openssl_tpm2_engine has it.
        """
        entity = getattr(statement, "object_hint", 0)
        return self.key.auth if entity and entity >> 24 != TPM_HT.PERMANENT else self.key.parent_auth
