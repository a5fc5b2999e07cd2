"""Private ephemeral keys of TPM2_EC_Ephemeral and TPM2_Commit, identified by counters (Part 1, Annex C.2)."""

from ..crypto.formulas import kdfa
from ..crypto.pure.curves import Curve
from ..spec.constants import TPM_ALG, TPM_RH
from .tpm_state import TpmState

__all__ = ["close_commitment", "derive_commitment", "open_commitment"]

OPEN_MAX = 128
"""Maximum number of unused ephemeral keys; counters of older keys are refused."""


def derive_commitment(tpm: TpmState, curve: Curve, counter: int, name: bytes = b"") -> int:
    """Returns the private ephemeral key with this counter, derived from the proof of the null hierarchy.

    `name` is the Name of the signing key of TPM2_Commit, empty for TPM2_EC_Ephemeral.
    """
    context = curve.p.bit_length().to_bytes(4, "big") + name
    derived = kdfa(
        TPM_ALG.SHA256,
        tpm.proof(TPM_RH.NULL),
        b"ECDAA Commit",
        context,
        counter.to_bytes(8, "big"),
        8 * (curve.size + 8),
    )
    return int.from_bytes(derived, "big") % (curve.n - 1) + 1


def open_commitment(tpm: TpmState) -> int:
    """Returns the counter for a new ephemeral key, and increments the TPM's counter."""
    counter = tpm.commit_counter & 0xFFFF
    tpm.commit_counter += 1
    # A key replaces the one with the same low bits of the counter (Part 1, Annex C.2.3).
    others = [one for one in tpm.open_commits if (one - counter) % OPEN_MAX]
    tpm.open_commits = [*others, counter]
    return counter


def close_commitment(tpm: TpmState, counter: int) -> None:
    """Ends the use of the ephemeral key with this counter."""
    tpm.open_commits.remove(counter)
