"""Policy statements that a key outside the TPM signs: PolicySigned and PolicyAuthorize.

In a key file, PolicyAuthorize consists of the signing key's TPM2B_PUBLIC, TPM2B_DIGEST policyRef, and
TPMT_SIGNATURE (TSS2 key file draft, TPM2_PolicyAuthorize). Until it is signed, the signature's scheme is
TPM_ALG_NULL. The draft defines no encoding for PolicySigned; this module encodes both statements in the same way.
"""

from typing import TYPE_CHECKING, Annotated

from ..crypto.formulas import digest, name_of
from ..errors import PolicyError
from ..record import NO_BYTES
from ..spec.command import Command
from ..spec.commands import policies
from ..spec.commands.objects import LoadExternal
from ..spec.commands.signing import VerifySignature
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH
from ..spec.structures import TPM2B_NONCE, TPM2B_PUBLIC, TPMT_SIGNATURE
from .statement import Json, Statement

if TYPE_CHECKING:
    from ..sessions import Password, Use
    from ..tpm import Tpm

__all__ = ["PolicyAuthorize", "PolicySigned"]

UNSIGNED = TPMT_SIGNATURE(TPM_ALG.NULL)


class _Approved(Statement):
    """Base class of PolicySigned and PolicyAuthorize: a signing key, a policyRef and the key's signature."""

    key_sign: Annotated[TPM2B_PUBLIC, Json("key")]
    policy_ref: TPM2B_NONCE = NO_BYTES
    signature: TPMT_SIGNATURE = UNSIGNED

    def command(self, session: int) -> Command:
        """Always raises PolicyError, because the statement needs several commands; see `state`."""
        raise PolicyError(f"{type(self).__name__} needs more than one command; use Statement.state()")

    def _check(self) -> None:
        if self.signature.sig_alg == TPM_ALG.NULL:
            key = name_of(self.key_sign).hex()
            raise PolicyError(
                f"the policy is not signed by key {key}; use `tpmwire policy sign`, or tpmwire.policy.approve"
            )

    @property
    def reference(self) -> str:
        """Returns the part of the display text about policyRef, or "" without policyRef."""
        return f", reference {self.policy_ref.hex()}" if self.policy_ref else ""

    @property
    def state_of_signature(self) -> str:
        """Returns "signed" or "not signed yet", as display text."""
        return "signed" if self.signature.sig_alg != TPM_ALG.NULL else "not signed yet"


class PolicySigned(
    _Approved,
    code=TPM_CC.PolicySigned,
    says="signed by the key {key_sign}{reference}, {state_of_signature}",
    hashes=("key_sign",),
    then="policy_ref",
    names={"key_sign": "auth_object"},
):
    """Requires a signature by this key of `policy_ref` (Part 3, §23.3).

    The statement's own signature is valid for any session and command. A signature that includes a session's
    nonceTPM is valid for this session only (see `calls.satisfy_policy`).
    """

    def signed_digest(self, nonce_tpm: bytes = b"") -> bytes:
        """Returns aHash, the digest that the key signs, computed with the hash of the key's nameAlg."""
        return digest(self.key_sign.name_alg, nonce_tpm, bytes(4), self.policy_ref)

    def state(
        self,
        tpm: "Tpm",
        session: int,
        authorized: "tuple[Password | Use, ...]" = (),
        *,
        nonce_tpm: bytes = b"",
    ) -> None:
        """Loads the signing key, executes the statement with its signature, and flushes the key.

        `nonce_tpm` is the session's nonceTPM if the signature includes it. Raises PolicyError without a signature,
        TpmError if the TPM refuses.
        """
        self._check()
        handle = _load_signer(tpm, self)
        try:
            ref = self.policy_ref
            tpm.execute(policies.PolicySigned(handle, session, nonce_tpm, b"", ref, 0, self.signature))
        finally:
            tpm.flush(handle)


class PolicyAuthorize(
    _Approved,
    code=TPM_CC.PolicyAuthorize,
    says="the preceding statements are approved by the key {key_sign}{reference}, {state_of_signature}",
    hashes=("key_sign",),
    then="policy_ref",
    restarts=True,
):
    """Requires that a signature of this key approves the preceding statements (Part 3, §23.16).

    The digest does not depend on the preceding statements. A policy can therefore be replaced without a new key.
    """

    def signed_digest(self, approved: bytes) -> bytes:
        """Returns aHash, the digest that the key signs to approve a policy.

        `approved` is the digest of the approved policy. aHash is computed with the hash of the key's nameAlg.
        """
        return digest(self.key_sign.name_alg, approved, self.policy_ref)

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Makes the TPM verify the signature over the session's policyDigest.

        Raises PolicyError without a signature, TpmError if the TPM refuses.
        """
        self._check()
        approved = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
        handle = _load_signer(tpm, self)
        try:
            ticket = tpm.execute(VerifySignature(handle, self.signed_digest(approved), self.signature)).validation
            name = name_of(self.key_sign)
            tpm.execute(policies.PolicyAuthorize(session, approved, self.policy_ref, name, ticket))
        finally:
            tpm.flush(handle)


def _load_signer(tpm: "Tpm", statement: _Approved) -> int:
    """Loads the signing key, and returns the key's handle.

    The hierarchy is the owner's, because tickets of the null hierarchy prove nothing.
    """
    response = tpm.execute(LoadExternal(None, statement.key_sign, TPM_RH.OWNER))
    tpm.trust_name(response.object_handle, name_of(statement.key_sign))
    handle: int = response.object_handle
    return handle
