"""Saved contexts: objects and sessions that the TPM encrypts and authenticates for itself (Part 1, §30)."""

from typing import Any

from ..crypto.formulas import digest_size, equal, hmac_digest
from ..crypto.pure.aes import cfb
from ..spec.constants import TPM_RH
from ..spec.response_codes import TPM_RC
from ..spec.storage import TPMS_NV_PUBLIC
from ..spec.structures import TPMS_CONTEXT, TPMT_PUBLIC, TPMT_SENSITIVE, TPMT_SYM_DEF
from .entities import Hierarchy, KeyedObject, NvIndex
from .freeze import Freezer
from .objects import split_buffer
from .observer import derive, show_handle
from .refusal import Refusal, require
from .sequence import SoftSequence
from .session import PolicyState, SoftSession
from .tickets import PROOF_ALG
from .tpm_state import Lockout, TpmState

__all__ = ["open_context", "seal_context"]

FINGERPRINT = 8
"""Minimum size of the encrypted data of a context in bytes."""

FREEZER = Freezer(
    Hierarchy,
    KeyedObject,
    Lockout,
    NvIndex,
    PolicyState,
    SoftSequence,
    SoftSession,
    TPMS_NV_PUBLIC,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF,
)


def _keys(tpm: TpmState, hierarchy: int, sequence: int, handle: int) -> tuple[bytes, bytes]:
    """Returns (encryption key || IV, HMAC key) for a saved context."""
    proof = tpm.proof(hierarchy)
    numbers = sequence.to_bytes(8, "big"), handle.to_bytes(4, "big")
    source = f"proof of {show_handle(hierarchy)}"
    return derive("context key", source, PROOF_ALG, proof, b"CONTEXT", *numbers, 256 + 128), proof


def seal_context(tpm: TpmState, value: Any, sequence: int, handle: int, hierarchy: int) -> TPMS_CONTEXT:
    """Returns the saved context of an object or session. `handle` is savedHandle (Part 2, §14.5)."""
    key, proof = _keys(tpm, hierarchy, sequence, handle)
    encrypted = cfb(key[:32], key[32:], FREEZER.dump(value), True)
    covered = _covered(tpm, sequence, handle, encrypted)
    mac = hmac_digest(PROOF_ALG, proof, covered)
    return TPMS_CONTEXT(sequence, handle, TPM_RH(hierarchy), len(mac).to_bytes(2, "big") + mac + encrypted)


def _covered(tpm: TpmState, sequence: int, handle: int, encrypted: bytes) -> bytes:
    # Contexts end with a reset, and those of stClear objects with a restart too (Part 1, §30.3.2).
    epochs = tpm.total_resets.to_bytes(8, "big")
    if handle == 0x80000002:
        epochs += tpm.restart_count.to_bytes(4, "big")
    return epochs + sequence.to_bytes(8, "big") + handle.to_bytes(4, "big") + encrypted


def open_context(tpm: TpmState, context: TPMS_CONTEXT) -> Any:
    """Returns the object or session in a saved context.

    Raises Refusal if the context is not from this TPM, or was saved before the last TPM reset.
    """
    require(context.hierarchy in tpm.hierarchies, TPM_RC.VALUE)
    mac, encrypted = split_buffer(context.context_blob)
    require(len(mac) == digest_size(PROOF_ALG) and len(encrypted) >= FINGERPRINT, TPM_RC.SIZE)
    key, proof = _keys(tpm, context.hierarchy, context.sequence, context.saved_handle)
    covered = _covered(tpm, context.sequence, context.saved_handle, encrypted)
    if not equal(mac, hmac_digest(PROOF_ALG, proof, covered)):
        raise Refusal(TPM_RC.INTEGRITY)
    if not tpm.hierarchies[context.hierarchy].enabled:
        raise Refusal(TPM_RC.HIERARCHY)
    return FREEZER.load(cfb(key[:32], key[32:], encrypted, False))
