"""Random bytes of the soft TPM, from the operating system or from a repeatable generator with a seed."""

import builtins
import hashlib
import os
from dataclasses import dataclass

__all__ = ["Generator"]


@dataclass(repr=False)
class Generator:
    """A source of random bytes.

    With `seed`, the bytes are repeatable: SHA-256 blocks over the seed and a counter. Without `seed`, the bytes
    come from the operating system.
    """

    seed: "builtins.bytes | None" = None
    counter: int = 0

    def bytes(self, count: int) -> "builtins.bytes":
        """Returns `count` random bytes."""
        if self.seed is None:
            return os.urandom(count)
        blocks = []
        for _ in range(0, count, 32):
            self.counter += 1
            blocks.append(hashlib.sha256(self.seed + self.counter.to_bytes(8, "big")).digest())
        return b"".join(blocks)[:count]

    def stir(self, data: "builtins.bytes") -> None:
        """Mixes `data` into the seed of a repeatable generator (TPM2_StirRandom). No effect without a seed."""
        if self.seed is not None:
            self.seed = hashlib.sha256(self.seed + data).digest()
