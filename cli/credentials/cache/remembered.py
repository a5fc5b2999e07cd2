"""The file beside a cache with data about a key: not secret, and validated.

The values are those of `tpmwire.use.remembered`.

Layout: FORMAT, the record, and SHA-256 of both, to detect accidents. The TPM itself protects the saved contexts.
"""

from hashlib import sha256

from tpmwire.errors import DecodeError
from tpmwire.use.remembered import Kept, Memory

from ...terminal.messages import note
from ..options import PROGRAM, RunSettings
from .store import CacheFile, UnfitError, place

__all__ = ["FORMAT", "SUFFIX", "KeptFile", "build_kept", "parse_kept", "remembered"]

FORMAT = b"tpmwire kept 1\n"
SUFFIX = ".tpm"
_DIGEST = 32


class KeptFile(Memory):
    """A `Memory` in the file `name` of the cache's directory."""

    def __init__(self, name: str, kept: Kept | None) -> None:
        super().__init__(kept)
        self.name = name

    def save(self) -> None:
        """Writes what a run has changed. A failure only costs later runs some commands."""
        if not self.changed or self.kept is None:
            return
        try:
            store = CacheFile(place(), self.name)
        except UnfitError:
            return
        try:
            store.write(build_kept(self.kept))
            self.changed = False
        except UnfitError:
            pass
        finally:
            store.close()


def remembered(settings: RunSettings, key_name: bytes) -> KeptFile:
    """Returns what earlier runs with these options stored about the key.

    `key_name` is the Name of a key file's key, or empty. Warns of damaged data.
    """
    which = key_name or settings.persistentHandle
    # Which key is meant, and what its sessions are salted to.
    options = [
        ("tpm_path", settings.tpm_path),
        ("useEKParent", settings.useEKParent),
        ("key_name", settings.key_name),
        ("no_session_encryption", settings.no_session_encryption),
        ("tpm_session_encrypt_with_name", settings.tpm_session_encrypt_with_name),
        ("tpm_session_encrypt_with_public", settings.tpm_session_encrypt_with_public),
    ]
    chosen = repr((which, options))
    name = sha256(chosen.encode("utf-8", "surrogateescape")).hexdigest()[:32] + SUFFIX
    try:
        store = CacheFile(place(), name)
    except UnfitError:
        return KeptFile(name, None)  # The cache itself reports this.
    try:
        octets = store.read()
    except UnfitError:
        octets = None
    finally:
        store.close()
    kept = None if octets is None else parse_kept(octets)
    if octets is not None and kept is None:
        note(f"{PROGRAM}: cache: ignoring damaged data about the key, and replacing it")
    return KeptFile(name, kept)


def parse_kept(octets: bytes) -> Kept | None:
    """Parses a file; returns None if it is damaged."""
    body, digest = octets[:-_DIGEST], octets[-_DIGEST:]
    if not body.startswith(FORMAT) or sha256(body).digest() != digest:
        return None
    try:
        return Kept.parse(body[len(FORMAT) :])
    except DecodeError:
        return None


def build_kept(kept: Kept) -> bytes:
    """Returns the content of a file."""
    body = FORMAT + kept.build()
    return body + sha256(body).digest()
