"""All files of the cache's directory, as `tpmwire cache` shows and removes them; no TPM, and nothing is opened."""

import os
import re
from typing import NamedTuple

from .remembered import SUFFIX
from .sealed import DamagedError, read_clear
from .store import Store, UnfitError, place

__all__ = ["Entry", "clear", "entries"]

# A digest, what is beside it, and what a run that was killed while it wrote has left.
_OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(SUFFIX)})?(\.lock|\.[0-9]+)?")


class Entry(NamedTuple):
    """A cache. `about` says whose credentials, `due` (POSIX seconds) when a run renews them; None: unreadable."""

    name: str
    about: str
    due: int | None


def entries() -> list[Entry]:
    """The caches of this user. What they say of themselves is in clear, and not checked: that takes the TPM.

    Raises UnfitError for a directory that is not this user's own.
    """
    found = []
    for name in _names():
        if "." in name:
            continue
        store = Store(place(), name)
        try:
            octets = store.read()
            if octets is not None:
                shown = read_clear(octets)
                found.append(Entry(name, shown.about, shown.refresh_at))
        except (DamagedError, UnfitError):
            found.append(Entry(name, "damaged, or of another version", None))
        finally:
            store.close()
    return found


def clear() -> int:
    """Removes the caches, what is remembered of the TPM, and locks; returns how many caches there were.

    Raises UnfitError for a directory that is not this user's own, or a file that cannot be removed.
    """
    names = _names()
    for name in names:
        try:
            os.unlink(os.path.join(place(), name))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UnfitError(f"{place()}/{name}: {error.strerror}") from error
    return sum("." not in name for name in names)


def _names() -> list[str]:
    if not os.path.lexists(place()):
        return []
    Store(place(), "").close()  # Only to see that it is the user's own.
    return sorted(name for name in os.listdir(place()) if _OURS.fullmatch(name))
