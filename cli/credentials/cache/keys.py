"""The secret that opens a cache, from the TPM: by the AWS key itself, or by a key that ends with this boot."""

from typing import TYPE_CHECKING, NamedTuple

from ...terminal.options import Untyped

if TYPE_CHECKING:
    from tpmwire.use.hmac import HmacKey

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

    @classmethod
    def of(cls, args: Untyped) -> "Keys":
        """Those of the options. Raises what `key_from` does."""
        from cli.credentials.key import key_from

        key = key_from(args)
        if args.cache_key != "boot":
            return cls(args, key, key)
        from .boot_key import BootKey

        return cls(args, key, BootKey(key))

    def day_key(self, date: bytes) -> bytes:
        """The HMAC of a date (ASCII, YYYYMMDD). Raises what `ask_tpm` does."""
        from cli.credentials.key import ask_tpm

        return ask_tpm(self.args, self.key, date)

    def root(self, label: bytes) -> bytes:
        """32 octets that only this TPM can tell again; `label` is `sealed.label` of the file. Raises likewise."""
        from cli.credentials.key import ask_tpm

        return ask_tpm(self.args, self.opener, label)

    def day_key_and_root(self, date: bytes, label: bytes) -> tuple[bytes, bytes]:
        """Both, in one opening of the TPM. Raises likewise."""
        from cli.credentials.key import ask_tpm_each

        if self.opener is self.key:
            day, root = ask_tpm_each(self.args, [(self.key, [date, label])])
        else:
            day, root = ask_tpm_each(self.args, [(self.key, [date]), (self.opener, [label])])
        return day, root
