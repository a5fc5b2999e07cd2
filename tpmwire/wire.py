"""Whole commands and responses: header, handles, authorization area, parameters (TPM 2.0 Part 1, §18; Part 3, §4).

The module has no I/O and no keys. A parameter that a session encrypts stays `Encrypted`.
"""

from __future__ import annotations

import io
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence

from .errors import DecodeError, EncodeError, TpmError, TransportError
from .record import Record
from .spec.command import Command, command_class, role_of
from .spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from .spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .wires import Encrypted, Sized, byte_count, bytes_left, wire_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "HEADER_SIZE",
    "CommandMessage",
    "ResponseMessage",
    "Transport",
    "parse_command",
    "parse_response",
    "response_size",
]

HEADER_SIZE = 10
"""Bytes of tag, size and code, in commands and in responses."""

_CODEC = struct.Struct(">HII")

# As ints, because operations on enumerations are slow.
_DECRYPT, _ENCRYPT = int(TPMA_SESSION.DECRYPT), int(TPMA_SESSION.ENCRYPT)

# Lookups in the tables of the enumerations are faster than calls of their classes.
_TAGS: Any = TPM_ST._value2member_map_
_CODES: Any = TPM_CC._value2member_map_

MAX_RESPONSE = 16384
"""Bytes; TPMs of version 1.85 return at most 8192, others 4096. A larger size is not a TPM's."""


class Transport(ABC):
    """A connection to a TPM. A custom transport for `Tpm` needs only `transceive` and `close`."""

    path = ""
    """The TPM's path, for messages."""
    timeout = 2.0
    """Timeout of `transceive` in seconds, and the limit for repeating a command when the TPM requests it."""
    close_waits = False
    """Whether `close` waits for the command in progress, as the kernel does with its devices."""
    close_flushes = False
    """Whether `close` flushes the connection's objects and sessions, as the kernel's resource manager does."""
    swaps = False
    """Whether a resource manager loads and saves the connection's objects and sessions around each command."""

    @abstractmethod
    def transceive(self, command: bytes) -> bytes:
        """Sends a command and returns the whole response.

        Raises TransportError or a subclass if the TPM cannot be reached or does not respond in time.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the connection. A second call has no effect."""

    def resume(self, seconds: float) -> bytes:
        """Returns the pending response of an interrupted `transceive`, after at most `seconds`.

        `Tpm.close` calls this method before it flushes. Raises TransportError if the TPM does not respond;
        `Tpm.close` then flushes nothing. A transport that cannot resume need not define this method.
        """
        raise TransportError(f"{type(self).__name__} cannot resume an interrupted command")

    def release(self) -> None:
        """Closes the connection in this process only, while a child process continues to use it."""
        self.close()


class Area:
    """The handles and the parameters of a command or response. cpHash or rpHash covers the bytes `parameters`."""

    __slots__ = ("handles", "parameters")

    def __init__(self, handles: tuple[int, ...], parameters: bytes) -> None:
        self.handles = handles
        self.parameters = parameters


_layouts: dict[type[Record], tuple[tuple[str, bool, Any], ...]] = {}


def _layout(record: type[Record]) -> tuple[tuple[str, bool, Any], ...]:
    """Returns (name, whether it is a handle, construct) for each field of a command or response.

    The result is cached, because every message needs it.
    """
    found = _layouts.get(record)
    if found is None:
        fields = ((name, role_of(a) is not None, wire_of(a)) for name, a in record.fields())
        found = _layouts[record] = tuple(fields)
    return found


def split(value: Record) -> Area:
    """Returns the handles and the parameter bytes of a command or response.

    Raises EncodeError for an invalid value.
    """
    handles: list[int] = []
    stream = io.BytesIO()
    values = vars(value)
    for name, handle, wire in _layout(type(value)):
        target = io.BytesIO() if handle else stream
        try:
            wire._build(values[name], target, values, "")
        except EncodeError as error:
            raise error.within(name).within(type(value).__qualname__) from None
        if target is not stream:
            handles.append(values[name])
    return Area(tuple(handles), stream.getvalue())


def join(record: type[Record], handles: Sequence[int], parameters: bytes, offset: int = 0) -> Any:
    """Returns the record of the class `record` with these handles and parameter bytes.

    `offset` is the position of the parameters in the message, for error messages. Raises DecodeError if the
    parameters are not valid.
    """
    values: dict[str, Any] = {}
    stream = io.BytesIO(parameters)
    given = iter(handles)
    name = record.__qualname__
    try:
        for name, handle, wire in _layout(record):
            values[name] = next(given) if handle else wire._parse(stream, values, "")
    except DecodeError as error:
        raise error.within(name, offset).within(record.__qualname__) from None
    left = bytes_left(stream)
    if left:
        raise DecodeError(
            f"trailing data: {byte_count(left)} after the last parameter",
            offset + stream.tell(),
            left,
            (record.__qualname__,),
        )
    return record._from(values)


def first_parameter(record: type[Record]) -> Sized | None:
    """Returns the construct of the first parameter if it is a TPM2B, else None.

    A session can encrypt only a TPM2B (Part 1, §21).
    """
    for _, handle, wire in _layout(record):
        if not handle:
            return wire if isinstance(wire, Sized) else None
    return None


def build_command(code: int, area: Area, authorizations: Sequence[TPMS_AUTH_COMMAND] = ()) -> bytes:
    """Returns the bytes of a whole command: header, handles, authorizations and parameters."""
    body = b"".join(handle.to_bytes(4, "big") for handle in area.handles)
    if authorizations:
        auths = b"".join(auth.build() for auth in authorizations)
        body += len(auths).to_bytes(4, "big") + auths
    body += area.parameters
    tag = TPM_ST.SESSIONS if authorizations else TPM_ST.NO_SESSIONS
    return tag.to_bytes(2, "big") + (HEADER_SIZE + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body


def response_size(header: bytes) -> int:
    """Returns the size in a response's header. Raises DecodeError if the size is impossible."""
    size = int.from_bytes(header[2:6], "big")
    if not HEADER_SIZE <= size <= MAX_RESPONSE:
        raise DecodeError(
            f"invalid response size: expected {HEADER_SIZE} to {MAX_RESPONSE} bytes, got {size}",
            2,
            len(header) - 2,
            ("size",),
        )
    return size


class Message:
    """Base class of command and response messages, which are compared by their values."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def build(self) -> bytes:
        """Returns the message's bytes; for a parsed message, the original bytes.

        Raises EncodeError for an invalid value.
        """
        raise NotImplementedError


class CommandMessage(Message):
    """A command as sent to the TPM.

    `code` is the command code, `authorizations` the authorization area, `tag` the structure tag. `command` has the
    values; for an undeclared command, such as a vendor's, it has the bytes after the header.
    """

    def __init__(
        self,
        code: int,
        command: Command | bytes,
        authorizations: Sequence[TPMS_AUTH_COMMAND] = (),
        tag: TPM_ST | None = None,
    ) -> None:
        self.tag = tag or (TPM_ST.SESSIONS if authorizations else TPM_ST.NO_SESSIONS)
        self.code = _CODES.get(code) or TPM_CC(code)
        self.command = command
        self.authorizations = tuple(authorizations)

    def build(self) -> bytes:
        if isinstance(self.command, bytes):
            return _header(self.tag, len(self.command), self.code) + self.command
        return build_command(self.code, split(self.command), self.authorizations)


class ResponseMessage(Message):
    """A response as received from the TPM.

    `rc` is the response code. If it is 0, `response` contains the values (the bytes after the header for an
    undeclared command) and `authorizations` the authorization area. An error has only a header.
    """

    def __init__(
        self,
        rc: int,
        code: int | None,
        response: Record | bytes = b"",
        authorizations: Sequence[TPMS_AUTH_RESPONSE] = (),
        tag: TPM_ST = TPM_ST.NO_SESSIONS,
    ) -> None:
        self.tag = tag
        self.rc = rc
        self.code = None if code is None else _CODES.get(code) or TPM_CC(code)
        self.response = response
        self.authorizations = tuple(authorizations)

    @property
    def error(self) -> TpmError | None:
        """Returns the exception for the response code; None for success."""
        return TpmError(self.rc, self.code) if self.rc else None

    def build(self) -> bytes:
        if isinstance(self.response, bytes):
            return _header(self.tag, len(self.response), self.rc) + self.response
        area = split(self.response)
        body = b"".join(handle.to_bytes(4, "big") for handle in area.handles)
        if self.tag == TPM_ST.SESSIONS:
            body += len(area.parameters).to_bytes(4, "big")
        body += area.parameters + b"".join(auth.build() for auth in self.authorizations)
        return _header(self.tag, len(body), self.rc) + body


def _header(tag: int, body: int, code: int) -> bytes:
    return tag.to_bytes(2, "big") + (HEADER_SIZE + body).to_bytes(4, "big") + code.to_bytes(4, "big")


def opened(data: bytes) -> tuple[TPM_ST, int, io.BytesIO]:
    """Returns the tag, the command or response code, and the stream after the header.

    Raises DecodeError if the header is truncated, or if its size is not the number of bytes.
    """
    if len(data) < HEADER_SIZE:
        raise DecodeError(
            f"truncated: expected at least {HEADER_SIZE} bytes, got {len(data)}", 0, len(data), ("header",)
        )
    tag, size, code = _CODEC.unpack_from(data)
    if size != len(data):
        raise DecodeError(f"expected {size} bytes, got {len(data)}", 2, len(data) - 2, ("size",))
    stream = io.BytesIO(data)
    stream.seek(HEADER_SIZE)
    return _TAGS.get(tag) or TPM_ST(tag), code, stream


def read_handles(record: type[Record], stream: io.BytesIO) -> tuple[int, ...]:
    """Returns the handles of a command or response. Raises DecodeError for truncated handles."""
    handles = []
    for name, handle, wire in _layout(record):
        if handle:
            try:
                handles.append(wire._parse(stream, {}, ""))
            except DecodeError as error:
                raise error.within(name).within(record.__qualname__) from None
    return tuple(handles)


def authorizations(record: Any, stream: io.BytesIO, end: int) -> list[Any]:
    """Parses the authorizations from the stream's position up to byte `end`.

    `record` is the class of an authorization. Raises DecodeError if one is not valid or extends beyond `end`.
    """
    values: list[Any] = []
    while stream.tell() < end:
        try:
            values.append(record.wire()._parse(stream, {}, ""))
        except DecodeError as error:
            raise error.within(f"[{len(values)}]").within("authorizations") from None
    if stream.tell() > end:
        raise DecodeError("the authorization area ends inside an authorization", end, 0, ("authorizations",))
    return values


def _values(record: type[Record], handles: tuple[int, ...], data: bytes, offset: int, encrypted: bool) -> Any:
    """Returns the record of the class `record` with these handles and the parameters in `data`.

    `offset` is the position of the parameters in the message. If `encrypted`, the first parameter becomes
    `Encrypted`. Raises DecodeError if the parameters are not valid.
    """
    first = first_parameter(record) if encrypted else None
    if first is None:
        return join(record, handles, data, offset)
    stream = io.BytesIO(data)
    try:
        sealed = Encrypted(Sized(size=first.size).take(stream))
    except DecodeError as error:
        raise error.within(record.__qualname__, offset) from None
    values: dict[str, Any] = {}
    given, pending = iter(handles), True
    for name, handle, wire in _layout(record):
        if handle:
            values[name] = next(given)
        elif pending:
            values[name], pending = sealed, False
        else:
            try:
                values[name] = wire._parse(stream, values, "")
            except DecodeError as error:
                raise error.within(name, offset).within(record.__qualname__) from None
    if bytes_left(stream):
        raise DecodeError(
            f"trailing data: {byte_count(bytes_left(stream))} after the last parameter",
            offset + stream.tell(),
            bytes_left(stream),
        )
    return record._from(values)


def parse_command(data: bytes) -> CommandMessage:
    """Parses a command. Raises DecodeError if the bytes are not a valid command."""
    tag, code, stream = opened(data)
    if tag not in (TPM_ST.NO_SESSIONS, TPM_ST.SESSIONS):
        raise DecodeError(f"expected TPM_ST_NO_SESSIONS or TPM_ST_SESSIONS, got {tag!r}", 0, len(data), ("tag",))
    record = command_class(code)
    if record is None:
        return CommandMessage(code, stream.read(), (), tag)
    handles = read_handles(record, stream)
    auths: list[TPMS_AUTH_COMMAND] = []
    if tag == TPM_ST.SESSIONS:
        start = stream.tell()
        size = int.from_bytes(stream.read(4), "big")
        if bytes_left(stream) < size or len(data) < start + 4 or not size:
            raise DecodeError(
                f"invalid size of the authorization area: {byte_count(size)}",
                start,
                len(data) - start,
                ("authorizationSize",),
            )
        auths = authorizations(TPMS_AUTH_COMMAND, stream, stream.tell() + size)
    encrypted = any(int(a.session_attributes) & _DECRYPT for a in auths)
    offset = stream.tell()
    return CommandMessage(code, _values(record, handles, stream.read(), offset, encrypted), auths, tag)


def parse_response(
    data: bytes, command: bytes | int | Command | type[Command] | CommandMessage
) -> ResponseMessage:
    """Parses the response to `command`, because a response does not contain the code of its command.

    `command` may be bytes, a command code, a class or a message. Raises DecodeError if the bytes are not a valid
    response.
    """
    if isinstance(command, (bytes, bytearray)):
        code = int.from_bytes(command[6:10], "big")
    else:
        code = command if isinstance(command, int) else command.code
    tag, rc, stream = opened(data)
    if tag not in (TPM_ST.NO_SESSIONS, TPM_ST.SESSIONS, TPM_ST.RSP_COMMAND):
        raise DecodeError(f"{tag!r} is not the tag of a response", 0, len(data), ("tag",))
    record = command_class(code)
    # An error response has only a header (Part 1, §18.4). Further bytes are preserved but not parsed.
    if rc or record is None or tag == TPM_ST.RSP_COMMAND:
        return ResponseMessage(rc, code, stream.read(), (), tag)
    response = record.Response
    handles = read_handles(response, stream)
    if tag == TPM_ST.NO_SESSIONS:
        offset = stream.tell()
        return ResponseMessage(0, code, join(response, handles, stream.read(), offset), (), tag)
    start = stream.tell()
    size = int.from_bytes(stream.read(4), "big")
    offset = stream.tell()
    if offset != start + 4 or bytes_left(stream) < size:
        raise DecodeError(
            f"invalid size of the parameters: {byte_count(size)}", start, len(data) - start, ("parameterSize",)
        )
    parameters = stream.read(size)
    auths = authorizations(TPMS_AUTH_RESPONSE, stream, len(data))
    encrypted = any(int(a.session_attributes) & _ENCRYPT for a in auths)
    return ResponseMessage(0, code, _values(response, handles, parameters, offset, encrypted), auths, tag)
