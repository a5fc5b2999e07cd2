"""Tickets: HMACs that prove that the TPM itself performed an operation (Part 1, §11.4.6.3; Part 2, §10.7)."""

from ..crypto.formulas import hmac_digest
from ..spec.constants import TPM_ALG, TPM_RH, TPM_ST
from ..spec.structures import TPMT_TK_CREATION, TPMT_TK_HASHCHECK
from .observer import hidden, joined, note, show_handle
from .tpm_state import TpmState

__all__ = ["PROOF_ALG", "creation_ticket", "hash_ticket", "ticket_digest"]

PROOF_ALG = TPM_ALG.SHA512
"""The hash algorithm of tickets and contexts (TPM_PT_CONTEXT_HASH)."""


def ticket_digest(tpm: TpmState, hierarchy: int, tag: TPM_ST, *parts: bytes) -> bytes:
    """Returns the digest of a ticket: HMAC(proof of the hierarchy, tag || parts)."""
    proof = tpm.proof(hierarchy)
    digest = hmac_digest(PROOF_ALG, proof, tag.to_bytes(2, "big"), *parts)
    shown = f"proof of {show_handle(hierarchy)} {hidden(proof)}, {tag.name} || {joined(parts)}"
    note("ticket", f"HMAC-SHA512({shown}) = {digest.hex()}")
    return digest


def creation_ticket(tpm: TpmState, hierarchy: int, name: bytes, creation_hash: bytes) -> TPMT_TK_CREATION:
    """Returns the ticket that proves that the TPM created the object with this Name and creation data."""
    if hierarchy == TPM_RH.NULL:
        return TPMT_TK_CREATION(TPM_ST.CREATION, TPM_RH.NULL, b"")
    digest = ticket_digest(tpm, hierarchy, TPM_ST.CREATION, name, creation_hash)
    return TPMT_TK_CREATION(TPM_ST.CREATION, hierarchy, digest)


def hash_ticket(tpm: TpmState, hierarchy: int, alg: int, digest: bytes, external: bool) -> TPMT_TK_HASHCHECK:
    """Returns the ticket that proves that a hashed message does not start with TPM_GENERATED_VALUE.

    `external` is false for a message that starts with TPM_GENERATED_VALUE; its ticket is empty.
    """
    if hierarchy == TPM_RH.NULL or not external:
        return TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
    proven = ticket_digest(tpm, hierarchy, TPM_ST.HASHCHECK, alg.to_bytes(2, "big"), digest)
    return TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, hierarchy, proven)
