"""A message's areas as octets, as its HMACs and ciphers take them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import WireError
from ..record import Record
from ..spec.constants import TPM_ST
from ..wire import authorizations, join, opened, read_handles

__all__ = ["Message", "apart", "first", "joined", "replaced"]


class Message(NamedTuple):
    """A command or a successful response, apart: its parameters are as they crossed, at `offset`."""

    handles: tuple[int, ...]
    parameters: bytes
    offset: int
    authorizations: Sequence[Any]


def apart(data: bytes, kind: type[Record], auth: Any, *, command: bool) -> Message:
    """Handles, authorizations (of the class `auth`) and parameters. Raises DecodeError."""
    tag, _, stream = opened(data)
    handles = read_handles(kind, stream)
    if tag != TPM_ST.SESSIONS:
        offset = stream.tell()
        return Message(handles, stream.read(), offset, [])
    size = int.from_bytes(stream.read(4), "big")
    if command:
        auths = authorizations(auth, stream, stream.tell() + size)
        offset = stream.tell()
        return Message(handles, stream.read(), offset, auths)
    offset = stream.tell()
    parameters = stream.read(size)
    return Message(handles, parameters, offset, authorizations(auth, stream, len(data)))


def first(parameters: bytes) -> bytes:
    """The content of the TPM2B in front."""
    return parameters[2 : 2 + int.from_bytes(parameters[:2], "big")]


def replaced(parameters: bytes, content: bytes | None) -> bytes:
    """With other content, of the same size, in the TPM2B in front; None leaves them as they are."""
    return parameters if content is None else parameters[:2] + content + parameters[2 + len(content) :]


def joined(kind: type[Record], handles: Sequence[int], parameters: bytes | None) -> Any:
    """The values of handles and parameters; None where there are none, or they do not parse."""
    if parameters is None:
        return None
    try:
        return join(kind, handles, parameters)
    except WireError:
        return None
