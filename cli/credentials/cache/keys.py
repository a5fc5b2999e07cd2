"""The secret that opens a cache: from the TPM's AWS key, or from a key that exists until the next reset."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tpmwire.crypto.formulas import name_of
from tpmwire.use.hmac import HmacKey

from ..key import ask_tpm_each, key_from
from ..options import RunSettings

if TYPE_CHECKING:
    from tpmwire.use.cached_key import Memory  # an unencrypted run must not load it

__all__ = ["Keys"]


class Keys(NamedTuple):
    """The key of a run's options, and the key that opens its cache.

    With --cache-key=key they are the same, so that password, policy and PCRs protect the cache too. With
    --cache-key=boot the second key belongs to the null hierarchy, whose seed changes with each reset of the TPM:
    anyone who can use the TPM can use it.
    """

    settings: RunSettings
    key: HmacKey
    opener: HmacKey
    memory: "Memory | None"

    @classmethod
    def of(cls, settings: RunSettings) -> "Keys":
        """Returns the signing key and the cache key that the options describe. Raises the errors of `key_from`."""
        key, memory = key_from(settings), None
        # Without encryption, a persistent key needs only one command anyway.
        if key.file is not None or key.protected:
            from tpmwire.use.cached_key import CachedKey  # noqa: PLC0415 - an unencrypted run caches nothing

            from .key_data import read_key_data  # noqa: PLC0415 - likewise

            memory = read_key_data(settings, b"" if key.file is None else name_of(key.file.public))
            key = CachedKey(memory=memory, **vars(key))
        if settings.cache_key != "boot":
            return cls(settings, key, key, memory)
        from .boot_key import BootKey  # noqa: PLC0415 - for --cache-key=boot only

        return cls(settings, key, BootKey(key, memory), memory)

    def day_key(self, date: bytes) -> bytes:
        """Returns the HMAC of a date (ASCII, YYYYMMDD). Raises the errors of `ask_tpm`."""
        return self._ask([(self.key, [date])])[0]

    def root(self, label: bytes) -> bytes:
        """Returns 32 bytes that only this TPM can repeat, for a file's `sealed.label`.

        Raises the errors of `ask_tpm`.
        """
        return self._ask([(self.opener, [label])])[0]

    def day_key_and_root(self, date: bytes, label: bytes) -> tuple[bytes, bytes]:
        """Returns the HMACs of `day_key` and `root`; opens the TPM once. Raises the errors of `ask_tpm`."""
        if self.opener is self.key:
            day, root = self._ask([(self.key, [date, label])])
        else:
            day, root = self._ask([(self.key, [date]), (self.opener, [label])])
        return day, root

    def _ask(self, wanted: Sequence[tuple[HmacKey, Sequence[bytes]]]) -> list[bytes]:
        """Returns the HMACs, and saves new data about the keys and the TPM."""
        found = ask_tpm_each(self.settings, wanted)
        if self.memory is not None:
            self.memory.save()
        return found
