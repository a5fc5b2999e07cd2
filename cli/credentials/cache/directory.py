"""Lists and removes the files in the cache's directory, without decrypting them or using the TPM."""

import os
import re
from typing import NamedTuple

from .key_data import SUFFIX
from .sealed import DamagedError, read_clear
from .store import CacheFile, UnfitError, place

__all__ = ["Entry", "clear", "entries"]

# Matches cache files, their companion files, and temporary files that killed runs left.
_OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(SUFFIX)})?(\.lock|\.[0-9a-f]+)?")


class Entry(NamedTuple):
    """A cache file.

    `about` describes the credentials: access key ID, role or user, and region. `due` is the time of their renewal
    in POSIX seconds, or None if the file cannot be read.
    """

    name: str
    about: str
    due: int | None


def entries() -> list[Entry]:
    """Returns an entry for each cache file of the user, from the file's clear part, without authenticating it.

    Raises UnfitError for a directory that does not belong to this user.
    """
    store = _open_directory()
    if store is None:
        return []
    found = []
    try:
        for name in _list_own_files(store):
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
            return []  # another run has removed the file
        shown = read_clear(octets)
    except (DamagedError, UnfitError):
        return [Entry(name, "damaged, or written by a different version", None)]
    return [Entry(name, shown.about, shown.refresh_at)]


def clear() -> int:
    """Removes all cache files, TPM data and locks of the user; returns the number of removed caches.

    Raises UnfitError for a directory that does not belong to this user, or a file that cannot be removed.
    """
    store = _open_directory()
    if store is None:
        return 0
    try:
        names = _list_own_files(store)
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


def _list_own_files(store: CacheFile) -> list[str]:
    return [name for name in store.names() if _OURS.fullmatch(name)]
