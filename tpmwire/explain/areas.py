"""Splits a message into its areas, as bytes for HMACs and ciphers."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from ..errors import WireError
from ..record import Record
from ..spec.command import Command
from ..spec.constants import TPM_ST
from ..wire import authorizations, join, opened, read_handles

__all__ = ["MessageAreas", "authorized_places", "first_content", "join_values", "replace_first", "split_message"]


class MessageAreas(NamedTuple):
    """The areas of a command or a successful response. `parameters` are unparsed bytes that begin at `offset`."""

    handles: tuple[int, ...]
    parameters: bytes
    offset: int
    authorizations: Sequence[Any]


@cache
def authorized_places(kind: type[Command]) -> tuple[int, ...]:
    """Returns the indices of the handles, in the handle area, that need an authorization."""
    return tuple(place for place, (_, role) in enumerate(kind.handle_fields()) if role.authorized)


def split_message(data: bytes, kind: type[Record], auth: Any, *, command: bool) -> MessageAreas:
    """Splits a message into its areas. Raises DecodeError for a damaged message.

    `auth` is the class of the message's authorizations. `command` is false for a response.
    """
    tag, _, stream = opened(data)
    handles = read_handles(kind, stream)
    if tag != TPM_ST.SESSIONS:
        offset = stream.tell()
        return MessageAreas(handles, stream.read(), offset, [])
    size = int.from_bytes(stream.read(4), "big")
    if command:
        auths = authorizations(auth, stream, stream.tell() + size)
        offset = stream.tell()
        return MessageAreas(handles, stream.read(), offset, auths)
    offset = stream.tell()
    parameters = stream.read(size)
    return MessageAreas(handles, parameters, offset, authorizations(auth, stream, len(data)))


def first_content(parameters: bytes) -> bytes:
    """Returns the content of the TPM2B at the beginning of the parameters."""
    return parameters[2 : 2 + int.from_bytes(parameters[:2], "big")]


def replace_first(parameters: bytes, content: bytes | None) -> bytes:
    """Returns `parameters` with the content of the first TPM2B replaced by `content`, which has the same size.

    Returns `parameters` unchanged if `content` is None.
    """
    return parameters if content is None else parameters[:2] + content + parameters[2 + len(content) :]


def join_values(kind: type[Record], handles: Sequence[int], parameters: bytes | None) -> Any:
    """Returns a record of the class `kind` with these handles and parameters.

    Returns None if the parameters are missing or invalid.
    """
    if parameters is None:
        return None
    try:
        return join(kind, handles, parameters)
    except WireError:
        return None
