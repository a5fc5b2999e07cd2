"""The secret that opens a cache, from the TPM: by the AWS key itself, or by a key that ends with this boot."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["root_key"]


def root_key(args: "argparse.Namespace", message: bytes) -> bytes:
    """32 octets that only this TPM can tell again; `message` is `sealed.label` of the file.

    With --cache-key=key they are the AWS key's HMAC, so its password, policy and PCRs hold for the cache too. With
    --cache-key=boot they are that of a key of the null hierarchy, whose seed each reset of the TPM changes:
    whoever may use the TPM may use it. Raises what `ask_tpm` does.
    """
    from cli.tpm_key import ask_tpm, key_from

    key = key_from(args)
    if args.cache_key == "boot":
        from .boot_key import BootKey

        key = BootKey(key)
    return ask_tpm(args, key, message)
