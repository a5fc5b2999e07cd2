"""Limits of the memory that an explanation uses, because a recording can have any number of messages."""

from typing import TypeVar

__all__ = ["SESSIONS", "STEPS", "Recent"]

SESSIONS = 1000
"""Maximum number of sessions in a recording with a history; later sessions have none."""

STEPS = 500
"""Maximum number of steps in a session's history; later steps are only counted."""

ENTRIES = 1000
"""Maximum number of entries in a mapping; a TPM has at most a few dozen sessions and objects at a time."""

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dict that drops its oldest entry when it has more than `ENTRIES`."""

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)  # so that the entry becomes the newest
        super().__setitem__(key, value)
        if len(self) > ENTRIES:
            del self[next(iter(self))]
