"""Hash, HMAC, event and signature sequences (Part 1, §32.4; Part 3, §17)."""

from dataclasses import dataclass, field
from typing import Any

from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC
from .entities import KeyedObject

__all__ = ["SoftSequence"]

NO_PARAMETERS: Any = None
NO_KEY = TPMT_PUBLIC(TPM_ALG.NULL, TPM_ALG.NULL, TPMA_OBJECT.USER_WITH_AUTH, b"", NO_PARAMETERS, b"")
"""The public area of a sequence. It has no type, so commands that require a key refuse the sequence."""


@dataclass(repr=False)
class SoftSequence(KeyedObject):
    """A sequence: its data, its hash algorithm (TPM_ALG_NULL for an event) and its HMAC key.

    `first` is the first block of data, which decides whether a restricted key may sign the digest. A sequence that
    signs or verifies has `signer`, the Name of its key, and `context`, the context string of its signature.
    """

    public: TPMT_PUBLIC = field(default=NO_KEY, metadata={"saved": False})
    hash_alg: int = TPM_ALG.NULL
    key: bytes | None = None
    data: bytes = b""
    first: bytes | None = None
    signer: bytes = b""
    context: bytes = b""
    verifies: bool = False

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts as a failure: never for a sequence (Part 1, §32.4.5)."""
        return False

    def takes_auth(self, role: object, writes: bool) -> bool:
        """Returns True: the authValue of a sequence can authorize every command on the sequence."""
        return True
