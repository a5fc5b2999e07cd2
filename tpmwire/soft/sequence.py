"""Hash, HMAC and event sequences (Part 1, §32.4)."""

from dataclasses import dataclass, field
from typing import Any

from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC
from .entities import KeyedObject

__all__ = ["SoftSequence"]

NO_PARAMETERS: Any = None
NO_KEY = TPMT_PUBLIC(TPM_ALG.NULL, TPM_ALG.NULL, TPMA_OBJECT.USER_WITH_AUTH, b"", NO_PARAMETERS, b"")
"""The public area of a sequence: of no type, so that each command that needs a key refuses it."""


@dataclass
class SoftSequence(KeyedObject):
    """A sequence: the data so far, its hash algorithm (NULL for an event) and, for an HMAC, the key.

    `first` is the first block, which decides whether a restricted key may sign the digest.
    """

    public: TPMT_PUBLIC = field(default=NO_KEY, metadata={"saved": False})
    hash_alg: int = TPM_ALG.NULL
    key: bytes | None = None
    data: bytes = b""
    first: bytes | None = None
    guarded: bool = False

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts: as for the key of an HMAC sequence, and never for another sequence."""
        return self.guarded

    def takes_auth(self, role: object, writes: bool) -> bool:
        """Returns True."""
        return True
