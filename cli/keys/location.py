"""The location of a key: a persistent handle, a file, or both."""

import os
from typing import NamedTuple

__all__ = ["Place"]


class Place(NamedTuple):
    """The location of a key: a persistent handle of the TPM, a key file, or both."""

    handle: int | None = None
    file: str | None = None

    @property
    def texts(self) -> list[str]:
        """The path and the handle as text, as options accept them."""
        return [*([self.file] if self.file else []), *([] if self.handle is None else [f"0x{self.handle:08x}"])]

    @property
    def parts(self) -> "list[Place]":
        """The file and the handle, each as a separate location."""
        return [
            *([Place(file=self.file)] if self.file else []),
            *([] if self.handle is None else [Place(handle=self.handle)]),
        ]

    @property
    def absolute(self) -> "Place":
        """Returns a copy of the location with an absolute path."""
        return self._replace(file=os.path.abspath(self.file)) if self.file else self

    def __bool__(self) -> bool:
        """Returns whether the location has a file or a handle."""
        return bool(self.file) or self.handle is not None

    def __str__(self) -> str:
        return " and ".join(self.texts)
