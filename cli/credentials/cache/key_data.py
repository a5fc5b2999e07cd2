"""A file beside the cache with public data about a key (see `tpmwire.use.cached_key`), validated when read.

Layout: FORMAT, the record, and SHA-256 of both, to detect accidental damage. The TPM itself protects the saved
contexts.
"""

from hashlib import sha256

from tpmwire.errors import DecodeError
from tpmwire.use.cached_key import KeyData, Memory

from ...terminal.messages import note
from ...tpm.path import lasting_path
from ..settings import PROGRAM, RunSettings
from .store import CacheFile, UnfitError, place

__all__ = ["FORMAT", "SUFFIX", "KeyDataFile", "build_key_data", "parse_key_data", "read_key_data"]

FORMAT = b"tpmwire kept 1\n"
SUFFIX = ".tpm"
_DIGEST = 32


class KeyDataFile(Memory):
    """A `Memory` that is stored in the file `name` of the cache's directory."""

    def __init__(self, name: str, data: KeyData | None) -> None:
        super().__init__(data)
        self.name = name

    def save(self) -> None:
        """Writes the data if it changed. Errors are ignored, since later runs then only send more TPM commands."""
        if not self.changed or self.data is None:
            return
        try:
            store = CacheFile(place(), self.name)
        except UnfitError:
            return
        try:
            store.write(build_key_data(self.data))
            self.changed = False
        except UnfitError:
            pass
        finally:
            store.close()


def read_key_data(settings: RunSettings, key_name: bytes) -> KeyDataFile:
    """Returns the key data that earlier runs with these options stored; `data` is None if nothing is stored.

    `key_name` is the Name of the key in a key file, or empty for a persistent key. Prints a note if data is
    damaged.
    """
    which = key_name or settings.persistentHandle
    # The options that select the key, and the key to which its sessions are salted.
    options = [
        ("tpm_path", lasting_path(settings.tpm_path)),
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
        return KeyDataFile(name, None)  # The cache itself warns of an unfit directory.
    try:
        octets = store.read()
    except UnfitError:
        octets = None
    finally:
        store.close()
    data = None if octets is None else parse_key_data(octets)
    if octets is not None and data is None:
        note(f"{PROGRAM}: cache: ignoring damaged data about the key, and replacing it")
    return KeyDataFile(name, data)


def parse_key_data(octets: bytes) -> KeyData | None:
    """Parses the content of a key data file; returns None if it is damaged."""
    body, digest = octets[:-_DIGEST], octets[-_DIGEST:]
    if not body.startswith(FORMAT) or sha256(body).digest() != digest:
        return None
    try:
        return KeyData.parse(body[len(FORMAT) :])
    except DecodeError:
        return None


def build_key_data(data: KeyData) -> bytes:
    """Returns the content of a key data file."""
    body = FORMAT + data.build()
    return body + sha256(body).digest()
