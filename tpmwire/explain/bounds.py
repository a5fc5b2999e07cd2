"""Limits of the memory that an explanation uses, because a recording can have any number of messages."""

from typing import TypeVar

__all__ = ["SESSIONS", "STEPS", "Recent"]

SESSIONS = 1000
"""Sessions of a recording that get a history: the first ones."""

STEPS = 500
"""Steps of a session's history: the first ones."""

ENTRIES = 1000
"""Entries of a mapping; a TPM has at most a few dozen sessions and objects at a time."""

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dict that drops its oldest entry when it has more than `ENTRIES`."""

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)  # so that the entry becomes the newest
        super().__setitem__(key, value)
        if len(self) > ENTRIES:
            del self[next(iter(self))]
