"""Derives the secret that opens a cache, from the AWS key or from a key that changes when the TPM is reset."""

from __future__ import annotations

from collections.abc import Sequence

from tpmwire.crypto.formulas import name_of
from tpmwire.typed import NamedTuple
from tpmwire.use.hmac import HmacKey

from ..key import ask_tpm_each, key_from
from ..settings import RunSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpmwire.use.cached_key import Memory  # a run without session encryption must not load this module

__all__ = ["Keys"]


class Keys(NamedTuple):
    """The AWS key of a run (`key`), and the key that opens its cache (`opener`).

    With --cache-key=key both are the same key, so that its password, policy and PCRs protect the cache too. With
    --cache-key=boot, `opener` belongs to the null hierarchy, whose seed changes when the TPM is reset. Anyone who
    can use the TPM can then use `opener`.
    """

    settings: RunSettings
    key: HmacKey
    opener: HmacKey
    memory: Memory | None

    @classmethod
    def of(cls, settings: RunSettings) -> Keys:
        """Returns the signing key and the cache key that the options describe. Raises the errors of `key_from`."""
        key, memory = key_from(settings), None
        # A persistent key without session encryption needs only one command, so cached key data saves nothing.
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
        """Returns SigV4's date key: the AWS key's HMAC of `date` (ASCII, YYYYMMDD).

        Raises the errors of `ask_tpm`.
        """
        return self._ask([(self.key, [date])])[0]

    def root(self, label: bytes) -> bytes:
        """Returns the cache key's HMAC of `label`, a result of `sealed.label`.

        The keys that encrypt and authenticate the cache file are derived from this HMAC. Raises the errors of
        `ask_tpm`.
        """
        return self._ask([(self.opener, [label])])[0]

    def day_key_and_root(self, date: bytes, label: bytes) -> tuple[bytes, bytes]:
        """Returns (`day_key(date)`, `root(label)`) and opens the TPM only once. Raises the errors of `ask_tpm`."""
        if self.opener is self.key:
            day, root = self._ask([(self.key, [date, label])])
        else:
            day, root = self._ask([(self.key, [date]), (self.opener, [label])])
        return day, root

    def _ask(self, wanted: Sequence[tuple[HmacKey, Sequence[bytes]]]) -> list[bytes]:
        """Returns the HMACs for all (key, messages) pairs of `wanted`, and saves new key data for later runs."""
        found = ask_tpm_each(self.settings, wanted)
        if self.memory is not None:
            self.memory.save()
        return found
