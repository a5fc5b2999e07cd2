"""The policies of endorsement keys in the TCG EK Credential Profile (version 2.5, Annex B.6).

PolicyA requires the authValue of the endorsement hierarchy. PolicyC requires the policy in an NV index that the
profile reserves. PolicyB requires one of the two. Keys of the low range have PolicyA, all others PolicyB.

>>> from tpmwire.keys.ek_policies import ek_policies
>>> from tpmwire.spec.constants import TPM_ALG
>>> ek_policies(TPM_ALG.SHA256).b.hex()[:16]
'ca3d0a99a2b93906'
"""

from functools import cache
from typing import NamedTuple

from ..crypto.formulas import digest, digest_size, handle_name, nv_name_of
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPMA_NV
from ..spec.storage import TPMS_NV_PUBLIC

__all__ = ["EkPolicies", "ek_policies"]

_INDICES = {
    TPM_ALG.SHA256: 0x01C07F01,
    TPM_ALG.SHA384: 0x01C07F02,
    TPM_ALG.SHA512: 0x01C07F03,
    TPM_ALG.SM3_256: 0x01C07F04,
}
"""The policy indices I-1 to I-4 (Annex B.5)."""

_ATTRIBUTES = (
    TPMA_NV.POLICYWRITE
    | TPMA_NV.WRITEALL
    | TPMA_NV.PPREAD
    | TPMA_NV.OWNERREAD
    | TPMA_NV.AUTHREAD
    | TPMA_NV.POLICYREAD
    | TPMA_NV.NO_DA
)


class EkPolicies(NamedTuple):
    """The digests PolicyA, PolicyB and PolicyC for a nameAlg, and the public area of the NV index of PolicyC.

    The index contains a TPMT_HA: the digest of the policy that the owner of the endorsement hierarchy approves.
    Until the index is written, its attributes lack TPMA_NV_WRITTEN; PolicyC is for the written index.
    """

    a: bytes
    b: bytes
    c: bytes
    nv_public: TPMS_NV_PUBLIC


@cache
def ek_policies(alg: TPM_ALG) -> EkPolicies | None:
    """Returns the profile's policies for a nameAlg; None if the profile has no policies for it."""
    index = _INDICES.get(alg)
    if index is None:
        return None
    zeros = bytes(digest_size(alg))
    endorsement = handle_name(TPM_RH.ENDORSEMENT)
    assert endorsement is not None
    a = digest(alg, digest(alg, zeros, _code(TPM_CC.PolicySecret), endorsement))
    public = TPMS_NV_PUBLIC(index, alg, _ATTRIBUTES, a, 2 + len(zeros))
    name = nv_name_of(public.replace(attributes=_ATTRIBUTES | TPMA_NV.WRITTEN))
    c = digest(alg, zeros, _code(TPM_CC.PolicyAuthorizeNV), name)
    return EkPolicies(a, digest(alg, zeros, _code(TPM_CC.PolicyOR), a, c), c, public)


def _code(command: TPM_CC) -> bytes:
    return command.to_bytes(4, "big")
