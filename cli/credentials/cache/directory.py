"""Lists and removes all files of the cache's directory, without the TPM and without opening them."""

import os
import re
from typing import NamedTuple

from .key_data import SUFFIX
from .sealed import DamagedError, read_clear
from .store import CacheFile, UnfitError, place

__all__ = ["Entry", "clear", "entries"]

# A digest, its companion files, and drafts of killed runs.
_OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(SUFFIX)})?(\.lock|\.[0-9a-f]+)?")


class Entry(NamedTuple):
    """A cache: `about` describes its owner; `due` is its time of renewal in POSIX seconds, None if unreadable."""

    name: str
    about: str
    due: int | None


def entries() -> list[Entry]:
    """Lists the caches of this user by their unencrypted part, which is not authenticated without the TPM.

    Raises UnfitError for a directory that does not belong to this user.
    """
    store = _open_directory()
    if store is None:
        return []
    found = []
    try:
        for name in _ours(store):
            if "." not in name:
                found += _entry(store, name)
    finally:
        store.close()
    return found


def _entry(store: CacheFile, name: str) -> list[Entry]:
    store.name = name
    try:
        octets = store.read()
        if octets is None:
            return []  # removed meanwhile
        shown = read_clear(octets)
    except (DamagedError, UnfitError):
        return [Entry(name, "damaged, or written by a different version", None)]
    return [Entry(name, shown.about, shown.refresh_at)]


def clear() -> int:
    """Removes the caches, the data about the TPM, and the locks; returns the number of caches.

    Raises UnfitError for a directory that does not belong to this user, or a file that cannot be removed.
    """
    store = _open_directory()
    if store is None:
        return 0
    try:
        names = _ours(store)
        for name in names:
            store.remove(name)
    finally:
        store.close()
    return sum("." not in name for name in names)


def _open_directory() -> CacheFile | None:
    path = place()
    try:
        os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnfitError(f"{path}: {error.strerror}; set XDG_RUNTIME_DIR to a directory that you own") from error
    return CacheFile(path, "")


def _ours(store: CacheFile) -> list[str]:
    return [name for name in store.names() if _OURS.fullmatch(name)]
