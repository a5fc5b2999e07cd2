"""Policy statements that a key outside the TPM signs: PolicySigned, and PolicyAuthorize for policies to come.

Their octets in a key file (draft, TPM2_PolicyAuthorize): TPM2B_PUBLIC of the signing key, TPM2B_DIGEST policyRef,
TPMT_SIGNATURE. Where nothing is signed yet, the signature's scheme is TPM_ALG_NULL. PolicySigned, for which the
draft has no form, is kept the same way.
"""

from typing import TYPE_CHECKING

from ..crypto.formulas import digest, name_of
from ..errors import PolicyError
from ..spec.command import Command
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH
from ..spec.structures import TPM2B_NONCE, TPM2B_PUBLIC, TPMT_SIGNATURE
from .policy import Statement

if TYPE_CHECKING:
    from ..sessions import Password, Use
    from ..tpm import Tpm

__all__ = ["PolicyAuthorize", "PolicySigned"]

UNSIGNED = TPMT_SIGNATURE(TPM_ALG.NULL)


class _Approved(Statement, code=TPM_CC.PolicySigned):
    """What both have: a key, a reference, a signature."""

    key_sign: TPM2B_PUBLIC
    policy_ref: TPM2B_NONCE = b""
    signature: TPMT_SIGNATURE = UNSIGNED

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement (PolicyUpdate, Part 3, §23.2.3)."""
        return digest(
            alg, digest(alg, before, self.code.to_bytes(4, "big"), name_of(self.key_sign)), self.policy_ref
        )

    def command(self, session: int) -> Command:
        """Raises PolicyError: the signing key has to be in the TPM first, which `state` sees to."""
        raise PolicyError(f"{type(self).__name__} takes more than one command: it is stated by Statement.state()")

    def _check(self) -> None:
        if self.signature.sig_alg == TPM_ALG.NULL:
            raise PolicyError(
                f"the policy wants a signature by the key {name_of(self.key_sign).hex()}, and holds none: "
                "`tpmwire policy sign` makes one"
            )


class PolicySigned(_Approved, code=TPM_CC.PolicySigned):
    """A signature by this key over `policy_ref`, for ever, any session and command (Part 3, §23.3)."""

    def signed_digest(self) -> bytes:
        """aHash: what is to be signed, in the hash of the key's nameAlg."""
        return digest(self.key_sign.name_alg, bytes(4), self.policy_ref)

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Loads the public key, states the signature, flushes the key. Raises PolicyError, TpmError."""
        from ..spec.commands import policies

        self._check()
        handle = _loaded(tpm, self)
        try:
            tpm.execute(policies.PolicySigned(handle, session, b"", b"", self.policy_ref, 0, self.signature))
        finally:
            tpm.flush(handle)


class PolicyAuthorize(_Approved, code=TPM_CC.PolicyAuthorize):
    """The statements before it were approved by a signature of this key (Part 3, §23.16).

    The digest is the same whatever they are, so that a policy can be replaced without a new key.
    """

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement: that of before does not count."""
        return super().extended(alg, bytes(len(before)))

    def signed_digest(self, approved: bytes) -> bytes:
        """aHash: what is to be signed to approve a policy with this digest, in the hash of the key's nameAlg."""
        return digest(self.key_sign.name_alg, approved, self.policy_ref)

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Has the TPM check the signature on what the session holds. Raises PolicyError, TpmError."""
        from ..spec.commands import policies
        from ..spec.commands.signing import VerifySignature

        self._check()
        approved = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
        handle = _loaded(tpm, self)
        try:
            ticket = tpm.execute(VerifySignature(handle, self.signed_digest(approved), self.signature)).validation
            name = name_of(self.key_sign)
            tpm.execute(policies.PolicyAuthorize(session, approved, self.policy_ref, name, ticket))
        finally:
            tpm.flush(handle)


def _loaded(tpm: "Tpm", statement: _Approved) -> int:
    """The signing key in the owner hierarchy: a ticket of the null hierarchy would prove nothing."""
    from ..spec.commands.objects import LoadExternal

    answer = tpm.execute(LoadExternal(None, statement.key_sign, TPM_RH.OWNER))
    tpm.trust_name(answer.object_handle, name_of(statement.key_sign))
    handle: int = answer.object_handle
    return handle
