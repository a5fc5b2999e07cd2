"""Responses that arrive in pieces, for sigv4.http_message, without a network."""

from collections.abc import Sequence
from io import BufferedReader, RawIOBase
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from sigv4.http_message import ResponseReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["read_response"]


class _Pieces(RawIOBase):
    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._data = data
        self._sizes = chain(sizes, repeat(sizes[-1]))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        piece = self._data[: min(len(view), next(self._sizes))]
        view[: len(piece)] = piece
        self._data = self._data[len(piece) :]
        return len(piece)


class _Connection:
    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._file = BufferedReader(_Pieces(data, sizes))

    def makefile(self) -> BufferedReader:
        return self._file


def read_response(
    data: bytes, method: str = "GET", sizes: Sequence[int] = (1 << 16,), block: int = 1 << 16
) -> tuple[ResponseReader, bytes]:
    """Reads a response that arrives in pieces of `sizes`; returns the reader, which has the head, and the body."""
    connection: Any = _Connection(data, sizes)
    reader = ResponseReader(connection, method)
    reader.read_head()
    body = b""
    while piece := reader.read(block):
        assert len(piece) <= block
        body += piece
    assert reader.read(block) == b""
    return reader, body
