"""Whole messages: header, handles, authorization area, parameters  ⇄  bytes (TPM 2.0 Part 1, §18; Part 3, §4).

Sans-io and without keys: a parameter that crosses the bus encrypted stays `Encrypted` here.
"""

import io
from collections.abc import Sequence
from typing import Any

from .errors import DecodeError, EncodeError, TpmError
from .record import Record
from .spec.command import Command, command_class, role_of
from .spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from .spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .wires import Encrypted, Sized, octets_left, wire_of

__all__ = [
    "HEADER_SIZE",
    "CommandMessage",
    "ResponseMessage",
    "parse_command",
    "parse_response",
    "response_size",
]

HEADER_SIZE = 10
"""Octets of tag, size and code, in commands and responses alike."""

MAX_RESPONSE = 16384
"""Octets; known TPMs answer at most 4096. What claims to be larger is no TPM's answer."""


class Area:
    """The octets of a command or response, apart; `parameters` as they stand in cpHash and rpHash."""

    __slots__ = ("handles", "parameters")

    def __init__(self, handles: tuple[int, ...], parameters: bytes) -> None:
        self.handles = handles
        self.parameters = parameters


_layouts: dict[type[Record], tuple[tuple[str, bool, Any], ...]] = {}


def _layout(record: type[Record]) -> tuple[tuple[str, bool, Any], ...]:
    """A command's or response's fields: name, whether it is a handle, wire. Kept: each message asks for it."""
    found = _layouts.get(record)
    if found is None:
        fields = ((name, role_of(a) is not None, wire_of(a)) for name, a in record.fields())
        found = _layouts[record] = tuple(fields)
    return found


def split(value: Record) -> Area:
    """Builds a command's or response's values into handles and parameter octets. Raises EncodeError."""
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
    """The value of handles and parameter octets; `offset` is where those start, for errors. DecodeError."""
    values: dict[str, Any] = {}
    stream = io.BytesIO(parameters)
    given = iter(handles)
    name = record.__qualname__
    try:
        for name, handle, wire in _layout(record):
            values[name] = next(given) if handle else wire._parse(stream, values, "")
    except DecodeError as error:
        raise error.within(name, offset).within(record.__qualname__) from None
    left = octets_left(stream)
    if left:
        raise DecodeError(
            f"{left} octets after the last parameter", offset + stream.tell(), left, (record.__qualname__,)
        )
    return record._from(values)


def first_parameter(record: type[Record]) -> Sized | None:
    """The wire of the first parameter where it is a TPM2B, so that a session can encrypt it (Part 1, §21)."""
    for _, handle, wire in _layout(record):
        if not handle:
            return wire if isinstance(wire, Sized) else None
    return None


def build_command(code: int, area: Area, authorizations: Sequence[TPMS_AUTH_COMMAND] = ()) -> bytes:
    """A command's octets."""
    body = b"".join(handle.to_bytes(4, "big") for handle in area.handles)
    if authorizations:
        auths = b"".join(auth.build() for auth in authorizations)
        body += len(auths).to_bytes(4, "big") + auths
    body += area.parameters
    tag = TPM_ST.SESSIONS if authorizations else TPM_ST.NO_SESSIONS
    return tag.to_bytes(2, "big") + (HEADER_SIZE + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body


def response_size(header: bytes) -> int:
    """The size that a response's first `HEADER_SIZE` octets announce. Raises DecodeError if it cannot be."""
    size = int.from_bytes(header[2:6], "big")
    if not HEADER_SIZE <= size <= MAX_RESPONSE:
        raise DecodeError(f"the TPM's answer says that it is {size} octets long", 2, len(header) - 2, ("size",))
    return size


class Message:
    """What commands and responses have in common: values, compared by them, and `build()`."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def build(self) -> bytes:
        """The octets of the message; those it was parsed from. Raises EncodeError."""
        raise NotImplementedError


class CommandMessage(Message):
    """A command as it crosses the bus.

    `code` is its command code, `command` the values (for a command that is not declared, such as a vendor's:
    the octets after the header), `authorizations` the sessions, `tag` the structure tag.
    """

    def __init__(
        self,
        code: int,
        command: Command | bytes,
        authorizations: Sequence[TPMS_AUTH_COMMAND] = (),
        tag: TPM_ST | None = None,
    ) -> None:
        self.tag = tag or (TPM_ST.SESSIONS if authorizations else TPM_ST.NO_SESSIONS)
        self.code = TPM_CC(code)
        self.command = command
        self.authorizations = tuple(authorizations)

    def build(self) -> bytes:
        if isinstance(self.command, bytes):
            return _header(self.tag, len(self.command), self.code) + self.command
        return build_command(self.code, split(self.command), self.authorizations)


class ResponseMessage(Message):
    """A response as it crosses the bus.

    `rc` is the response code; where it is 0, `response` holds the values (for a command that is not declared: the
    octets after the header) and `authorizations` the sessions. An error has the header alone.
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
        self.code = None if code is None else TPM_CC(code)
        self.response = response
        self.authorizations = tuple(authorizations)

    @property
    def error(self) -> TpmError | None:
        """The refusal as an exception, or None for success."""
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
    """Tag, code and the stream behind the header, after the size was checked. Raises DecodeError."""
    if len(data) < HEADER_SIZE:
        raise DecodeError(f"a message has at least {HEADER_SIZE} octets", 0, len(data), ("header",))
    size = int.from_bytes(data[2:6], "big")
    if size != len(data):
        raise DecodeError(f"the size says {size} octets, there are {len(data)}", 2, len(data) - 2, ("size",))
    stream = io.BytesIO(data)
    stream.seek(HEADER_SIZE)
    return TPM_ST(int.from_bytes(data[:2], "big")), int.from_bytes(data[6:10], "big"), stream


def read_handles(record: type[Record], stream: io.BytesIO) -> tuple[int, ...]:
    """The handle area of a command or response. Raises DecodeError."""
    handles = []
    for name, handle, wire in _layout(record):
        if handle:
            try:
                handles.append(wire._parse(stream, {}, ""))
            except DecodeError as error:
                raise error.within(name).within(record.__qualname__) from None
    return tuple(handles)


def authorizations(record: Any, stream: io.BytesIO, end: int) -> list[Any]:
    """The authorizations up to octet `end`. Raises DecodeError."""
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
    """Values from handles and parameters; a first parameter that a session encrypts is kept as it is."""
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
    if octets_left(stream):
        raise DecodeError(
            f"{octets_left(stream)} octets after the last parameter", offset + stream.tell(), octets_left(stream)
        )
    return record._from(values)


def parse_command(data: bytes) -> CommandMessage:
    """A command's octets as a message. Raises DecodeError."""
    tag, code, stream = opened(data)
    if tag not in (TPM_ST.NO_SESSIONS, TPM_ST.SESSIONS):
        raise DecodeError(f"the tag is {tag!r}, not TPM_ST_NO_SESSIONS or TPM_ST_SESSIONS", 0, len(data), ("tag",))
    record = command_class(code)
    if record is None:
        return CommandMessage(code, stream.read(), (), tag)
    handles = read_handles(record, stream)
    auths: list[TPMS_AUTH_COMMAND] = []
    if tag == TPM_ST.SESSIONS:
        start = stream.tell()
        size = int.from_bytes(stream.read(4), "big")
        if octets_left(stream) < size or len(data) < start + 4 or not size:
            raise DecodeError(
                f"an authorization area of {size} octets does not fit",
                start,
                len(data) - start,
                ("authorizationSize",),
            )
        auths = authorizations(TPMS_AUTH_COMMAND, stream, stream.tell() + size)
    encrypted = any(TPMA_SESSION.DECRYPT & a.session_attributes for a in auths)
    offset = stream.tell()
    return CommandMessage(code, _values(record, handles, stream.read(), offset, encrypted), auths, tag)


def parse_response(
    data: bytes, command: "bytes | int | Command | type[Command] | CommandMessage"
) -> ResponseMessage:
    """A response's octets as a message. `command` is what it answers: its octets, code, class or message.

    Raises DecodeError. A response does not name its command; only with the command's octets or message is it known
    whether its first parameter is encrypted where the response does not say so itself.
    """
    if isinstance(command, (bytes, bytearray)):
        code = int.from_bytes(command[6:10], "big")
    else:
        code = command if isinstance(command, int) else command.code
    tag, rc, stream = opened(data)
    if tag not in (TPM_ST.NO_SESSIONS, TPM_ST.SESSIONS, TPM_ST.RSP_COMMAND):
        raise DecodeError(f"the tag is {tag!r}, which no response has", 0, len(data), ("tag",))
    record = command_class(code)
    # An error is a header alone (Part 1, §18.4); anything behind it is kept, not explained.
    if rc or record is None or tag == TPM_ST.RSP_COMMAND:
        return ResponseMessage(rc, code, stream.read(), (), tag)
    answer = record.Response
    handles = read_handles(answer, stream)
    if tag == TPM_ST.NO_SESSIONS:
        offset = stream.tell()
        return ResponseMessage(0, code, join(answer, handles, stream.read(), offset), (), tag)
    start = stream.tell()
    size = int.from_bytes(stream.read(4), "big")
    offset = stream.tell()
    if offset != start + 4 or octets_left(stream) < size:
        raise DecodeError(f"parameters of {size} octets do not fit", start, len(data) - start, ("parameterSize",))
    parameters = stream.read(size)
    auths = authorizations(TPMS_AUTH_RESPONSE, stream, len(data))
    encrypted = any(TPMA_SESSION.ENCRYPT & a.session_attributes for a in auths)
    return ResponseMessage(0, code, _values(answer, handles, parameters, offset, encrypted), auths, tag)
