"""The secret that opens a cache, from the TPM: by the AWS key itself, or by a key that ends with this boot."""

from typing import TYPE_CHECKING, NamedTuple

from ...terminal.options import Untyped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpmwire.use.hmac import HmacKey
    from tpmwire.use.remembered import Memory

__all__ = ["Keys"]


class Keys(NamedTuple):
    """The key of a run's options, and the one that opens its cache.

    With --cache-key=key they are the same, so that the password, policy and PCRs hold for the cache too. With
    --cache-key=boot the second is a key of the null hierarchy, whose seed each reset of the TPM changes: whoever
    may use the TPM may use it.
    """

    args: Untyped
    key: "HmacKey"
    opener: "HmacKey"
    memory: "Memory | None"

    @classmethod
    def of(cls, args: Untyped) -> "Keys":
        """Those of the options. Raises what `key_from` does."""
        from cli.credentials.key import key_from

        key, memory = key_from(args), None
        # A persistent key in clear needs only one command anyway.
        if key.file is not None or key.protected:
            from tpmwire.crypto.formulas import name_of
            from tpmwire.use.remembered import RememberedKey

            from .remembered import remembered

            memory = remembered(args, b"" if key.file is None else name_of(key.file.public))
            key = RememberedKey(memory=memory, **vars(key))
        if args.cache_key != "boot":
            return cls(args, key, key, memory)
        from .boot_key import BootKey

        return cls(args, key, BootKey(key, memory), memory)

    def day_key(self, date: bytes) -> bytes:
        """The HMAC of a date (ASCII, YYYYMMDD). Raises what `ask_tpm` does."""
        return self._ask([(self.key, [date])])[0]

    def root(self, label: bytes) -> bytes:
        """32 octets that only this TPM can tell again; `label` is `sealed.label` of the file. Raises likewise."""
        return self._ask([(self.opener, [label])])[0]

    def day_key_and_root(self, date: bytes, label: bytes) -> tuple[bytes, bytes]:
        """Both, in one opening of the TPM. Raises likewise."""
        if self.opener is self.key:
            day, root = self._ask([(self.key, [date, label])])
        else:
            day, root = self._ask([(self.key, [date]), (self.opener, [label])])
        return day, root

    def _ask(self, wanted: "Sequence[tuple[HmacKey, Sequence[bytes]]]") -> list[bytes]:
        """The HMACs; then saves what the keys have learned of the TPM."""
        from cli.credentials.key import ask_tpm_each

        found = ask_tpm_each(self.args, wanted)
        if self.memory is not None:
            self.memory.save()
        return found
