"""Structures whose layout differs between versions of the standard."""

from __future__ import annotations

import io
from functools import cached_property

from ..errors import DecodeError
from ..wires import Empty, Wire, bytes_left, wire_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

__all__ = ["Versioned"]


class Versioned(Wire):
    """A structure with two layouts.

    A structure has the layout `older` if its first two bytes are a number in `marks`, else the layout `newer`.
    Either one of the layouts is empty, or `older` is a record class and `newer` is not. If `behind` bytes remain
    in a message, they belong to the fields behind the structure, and the layout is `newer`.
    """

    def __init__(self, marks: frozenset[int], older: Any, newer: Any, behind: int = -1) -> None:
        super().__init__()
        self.marks = marks
        self._declared = older, newer
        self._behind = behind

    # At first use, because a credential run needs neither of them.
    @cached_property
    def older(self) -> Any:
        """The construct that parses and builds the older layout."""
        return wire_of(self._declared[0])

    @cached_property
    def newer(self) -> Any:
        """The construct that parses and builds the newer layout."""
        return wire_of(self._declared[1])

    def member(self, stream: IO[bytes]) -> Any:
        """Returns the construct for the next value in the stream. The position of the stream does not change."""
        if bytes_left(stream) == self._behind:
            return self.newer
        head = stream.read(2)
        try:
            stream.seek(-len(head), io.SEEK_CUR)
        except (OSError, ValueError):  # construct's streams raise the last error
            raise DecodeError("the next 2 bytes decide on the layout; use a stream that can seek") from None
        return self.older if int.from_bytes(head, "big") in self.marks and len(head) == 2 else self.newer

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return self.member(stream)._parse(stream, context, path)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return self.member_for(obj)._build(obj, stream, context, path)

    def member_for(self, obj: Any) -> Any:
        """Returns the construct that builds the value `obj`."""
        if obj is None:
            return self.newer if isinstance(self.newer, Empty) else self.older
        return self.newer if isinstance(self.older, Empty) or isinstance(obj, bytes) else self.older
