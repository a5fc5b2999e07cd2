"""The constructs of the TPM's types: small `construct.Construct` subclasses, called wires.

Wires are stricter than construct's own classes. They refuse trailing bytes and unknown selectors, and check a size
before they use it. Their errors name the field, its offset and the remaining bytes. Like other constructs, they
nest in construct's classes, and read from and write to any stream.
"""

from __future__ import annotations

import io
import struct
import sys
from enum import IntEnum, IntFlag

from .constructs import construct
from .errors import DecodeError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, NoReturn

__all__ = [
    "EMPTY",
    "Counted",
    "Declaration",
    "Empty",
    "Encrypted",
    "Fixed",
    "Number",
    "Rest",
    "Select",
    "Sized",
    "SizedRecord",
    "Wire",
    "YesNo",
    "byte_count",
    "bytes_left",
    "nothing_left",
    "select",
    "size_of_next",
    "take",
    "wire_of",
]


class Encrypted(bytes):
    """The bytes of a TPM2B that a session has encrypted. The bytes cannot be parsed."""

    __slots__ = ()


def bytes_left(stream: IO[bytes]) -> int:
    """Returns the number of bytes that remain in a stream; `sys.maxsize` if unknown, as for a socket's stream."""
    try:
        # construct's streams inside another stream tell a position in the outer one.
        return stream.getbuffer().nbytes - io.BytesIO.tell(stream)  # type: ignore[attr-defined, arg-type, no-any-return]
    except (AttributeError, TypeError):
        return _count_bytes_left(stream)


def _count_bytes_left(stream: IO[bytes]) -> int:
    try:
        here = stream.tell()
        stream.seek(0, io.SEEK_END)  # an mmap returns None
        end = stream.tell()
        stream.seek(here)
    except (OSError, AttributeError, ValueError):  # construct's streams raise the last two errors
        return sys.maxsize
    return end - here


def _place(stream: IO[bytes], back: int = 0) -> int:
    """Returns the stream's position minus `back` bytes; 0 if the stream has no position."""
    try:
        return stream.tell() - back
    except (OSError, AttributeError):
        return 0


def take(stream: IO[bytes], count: int, what: str) -> bytes:
    """Reads exactly `count` bytes. Raises DecodeError if there are fewer; the message calls the bytes `what`."""
    data = stream.read(count)
    return data if len(data) == count else _complete(stream, data, count, what)


def _complete(stream: IO[bytes], data: bytes, count: int, what: str) -> bytes:
    """Reads more pieces from the stream until `data` has `count` bytes, and returns all bytes.

    Raises DecodeError if the stream ends before that; the message calls the bytes `what`.
    """
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    if len(data) != count:
        raise DecodeError(f"{what} needs {byte_count(count)}", _place(stream, len(data)), len(data))
    return data


def nothing_left(stream: IO[bytes]) -> None:
    """Raises DecodeError if the stream has further bytes."""
    left = bytes_left(stream)
    if left:
        raise DecodeError(f"trailing data: {byte_count(left)}", _place(stream), left)


class Wire(construct.Construct):  # type: ignore[misc]
    """A construct that raises tpmwire's errors. `least` is the minimum size of a value in bytes.

    `context` contains the preceding fields of the enclosing structure. A `Select` finds its selector there.
    """

    least = 0

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        raise NotImplementedError

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        raise NotImplementedError

    def _actualsize(self, stream: IO[bytes], context: dict[str, Any], path: str) -> int:
        """Returns the size, in bytes, of the next value in the stream, for construct's lazy classes."""
        return size_of_next(self, stream, context, path)


def size_of_next(wire: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> int:
    """Returns the number of bytes of the next value, without moving the stream."""
    start = stream.tell()
    wire._parse(stream, context, path)
    size = stream.tell() - start
    stream.seek(start)
    return size


class Number(Wire):
    """An unsigned big-endian integer of `size` bytes, as a value of the type `kind`."""

    def __init__(self, size: int, kind: type[int] = int) -> None:
        super().__init__()
        self.size = self.least = size
        self.kind = kind
        self._codec = struct.Struct({1: ">B", 2: ">H", 4: ">I", 8: ">Q"}[size])
        # The lookup in the enum's table is the fastest; a value without a name needs the class.
        self._known = kind._value2member_map_ if issubclass(kind, (IntEnum, IntFlag)) else None

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        data = stream.read(self.size)
        if len(data) != self.size:
            data = _complete(stream, data, self.size, self.label)
        value = self._codec.unpack(data)[0]
        if self._known is None:
            return value
        return self._known.get(value) or self.kind(value)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, int) or isinstance(obj, bool) or not 0 <= obj < 1 << 8 * self.size:
            raise EncodeError(f"{obj!r} is not a valid {self.label}")
        stream.write(self._codec.pack(obj))
        return obj

    def _sizeof(self, context: dict[str, Any], path: str) -> int:
        return self.size

    def __reduce__(self) -> tuple[type[Number], tuple[int, type[int]]]:
        return Number, (self.size, self.kind)

    @property
    def label(self) -> str:
        """The name of the type in messages."""
        return self.kind.__name__ if self.kind is not int else f"UINT{8 * self.size}"


class YesNo(Wire):
    """TPMI_YES_NO: one byte, 0 or 1 (TPM 2.0 Part 2, §9.2). Other values are parsed as integers."""

    least = 1

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> int:
        value = take(stream, 1, "TPMI_YES_NO")[0]
        return value == 1 if value < 2 else value

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, int) or not 0 <= obj < 256:
            raise EncodeError(f"{obj!r} is not a valid TPMI_YES_NO")
        stream.write(bytes([obj]))
        return obj

    def _sizeof(self, context: dict[str, Any], path: str) -> int:
        return 1


class Fixed(Wire):
    """Exactly `size` bytes, without a size field."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = self.least = size

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> bytes:
        return take(stream, self.size, "the value")

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes) or len(obj) != self.size:
            raise EncodeError(f"expected {byte_count(self.size)}, got {_describe(obj)}")
        stream.write(obj)
        return obj

    def _sizeof(self, context: dict[str, Any], path: str) -> int:
        return self.size


class Sized(Wire):
    """TPM2B_…, a buffer: a size field and that many bytes, at most `limit` (TPM 2.0 Part 2, §10.4).

    With `size=1` the size field has one byte, as in TPMS_PCR_SELECTION.
    """

    def __init__(self, limit: int = 0xFFFF, size: int = 2) -> None:
        super().__init__()
        self.limit = limit
        self.size = self.least = size

    def take(self, stream: IO[bytes]) -> bytes:
        """Reads the size field and the bytes, and returns the bytes.

        Raises DecodeError if bytes are missing or exceed the limit.
        """
        size = int.from_bytes(take(stream, self.size, "the size"), "big")
        if size > self.limit:
            self._refuse(f"a size of {size} exceeds {self.limit}", stream, self.size)
        data = stream.read(size)
        if len(data) != size and bytes_left(stream) != sys.maxsize:
            self._refuse(f"a size of {size} exceeds the remaining bytes", stream, self.size + len(data))
        return data if len(data) == size else _complete(stream, data, size, "the value")

    def _refuse(self, reason: str, stream: IO[bytes], back: int) -> NoReturn:
        raise DecodeError(reason, _place(stream, back), bytes_left(stream) + back)

    def put(self, data: bytes, stream: IO[bytes]) -> None:
        """Writes the size field and the bytes. Raises EncodeError if `data` exceeds the limit."""
        if len(data) > self.limit:
            raise EncodeError(f"{byte_count(len(data))} exceed the limit of {self.limit}")
        stream.write(len(data).to_bytes(self.size, "big") + data)

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return self.take(stream)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes):
            raise EncodeError(f"expected bytes, got {_describe(obj)}")
        self.put(obj, stream)
        return obj


class SizedRecord(Sized):
    """TPM2B_… that contains a structure. If `optional`, size 0 means None. Trailing bytes are an error."""

    def __init__(self, inner: Any, optional: bool = False) -> None:
        super().__init__()
        self.inner = wire_of(inner)
        self.optional = optional

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        data = self.take(stream)
        if not data and self.optional:
            return None
        area = io.BytesIO(data)
        try:
            value = self.inner._parse(area, context, path)
            nothing_left(area)
        except DecodeError as error:
            raise error.within("", _place(stream, len(data))) from None
        return value

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if isinstance(obj, Encrypted):
            self.put(obj, stream)
        elif obj is None:
            if not self.optional:
                raise EncodeError("must not be empty")
            self.put(b"", stream)
        else:
            area = io.BytesIO()
            self.inner._build(obj, area, context, path)
            self.put(area.getvalue(), stream)
        return obj


class Counted(Wire):
    """TPML_…, a list: a count and that many elements. Its value is a tuple (TPM 2.0 Part 2, §10.9)."""

    least = 4

    def __init__(self, element: Any, limit: int = 0xFFFFFFFF) -> None:
        super().__init__()
        self.element = wire_of(element)
        self.limit = limit

    def count(self, stream: IO[bytes]) -> int:
        """Reads the count, and returns it. Raises DecodeError above the limit, or if too few bytes remain."""
        count = int.from_bytes(take(stream, 4, "the count"), "big")
        if count > self.limit:
            self._refuse(f"a count of {count} exceeds {self.limit}", stream)
        # Checked before anything is allocated.
        if count * max(self.element.least, 1) > bytes_left(stream):
            self._refuse(f"a count of {count} exceeds the remaining bytes", stream)
        return count

    def _refuse(self, reason: str, stream: IO[bytes]) -> NoReturn:
        raise DecodeError(reason, _place(stream, 4), bytes_left(stream) + 4)

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        count = self.count(stream)
        parse, values = self.element._parse, []
        for index in range(count):
            try:
                values.append(parse(stream, context, path))
            except DecodeError as error:
                raise error.within(f"[{index}]") from None
        return tuple(values)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, tuple) or len(obj) > self.limit:
            raise EncodeError(f"expected a list or tuple of at most {self.limit} elements, got {_describe(obj)}")
        stream.write(len(obj).to_bytes(4, "big"))
        for index, value in enumerate(obj):
            try:
                self.element._build(value, stream, context, path)
            except EncodeError as error:
                raise error.within(f"[{index}]") from None
        return obj


class Empty(Wire):
    """An empty member of a union, as for TPM_ALG_NULL. Its value is None."""

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> None:
        return None

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if obj is not None:
            raise EncodeError(f"expected None for this selector, got {_describe(obj)}")
        return None

    def _sizeof(self, context: dict[str, Any], path: str) -> int:
        return 0


EMPTY = Empty()


class Rest(Wire):
    """All bytes up to the end of an area. A vendor or a later version of the standard defines their content."""

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> bytes:
        return stream.read()

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes):
            raise EncodeError(f"expected bytes, got {_describe(obj)}")
        stream.write(obj)
        return obj


class Select(Wire):
    """TPMU_…, a union, parsed as the member that `selector` selects.

    `selector` is the name of a preceding field of the structure. `members` maps values of the selector to members.
    `other` is the member for unknown selectors, if the union is at the end of an area.
    """

    def __init__(self, selector: str, members: dict[Any, Any], other: Any = None) -> None:
        super().__init__()
        self.selector = selector
        self.members = members
        self.other = None if other is None else wire_of(other)
        self._wires: dict[Any, Any] = {}

    def member(self, context: dict[str, Any]) -> Any:
        """Returns the construct of the selected member, or None.

        `context` contains the values of the preceding fields.
        """
        key = context.get(self.selector)
        if not isinstance(key, int):
            return None
        wire = self._wires.get(key)
        if wire is None:
            member = self.members.get(key)
            wire = self.other if member is None else wire_of(member)
            if wire is not None and member is not None:
                self._wires[key] = wire
        return wire

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        wire = self.member(context)
        if wire is None:
            reason = f"unsupported {self.selector} {context.get(self.selector)!r}: the union has no such member"
            raise DecodeError(reason, _place(stream), bytes_left(stream))
        return wire._parse(stream, context, path)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        wire = self.member(context)
        if wire is None:
            raise EncodeError(
                f"unsupported {self.selector} {context.get(self.selector)!r}: the union has no such member"
            )
        return wire._build(obj, stream, context, path)


select = Select


def byte_count(count: int) -> str:
    """Returns "1 byte", "2 bytes" and so on, for messages."""
    return f"{count} byte{'' if count == 1 else 's'}"


def _describe(obj: Any) -> str:
    """Returns the type or the size of a value, for messages.

    The content is never shown, because the value may be secret.
    """
    if isinstance(obj, bytes):
        return byte_count(len(obj))
    return f"{len(obj)}" if isinstance(obj, (list, tuple)) else type(obj).__name__


class Declaration:
    """Base class of declarations: a record, or a named type of the standard such as TPM2B_DIGEST."""

    def wire(self) -> Any:
        """Returns the construct that parses and builds values of this type."""
        raise NotImplementedError


def wire_of(declared: Any) -> Any:
    """Returns the construct that parses and builds values of a type.

    `declared` is an annotation, a `Record` class, a named type of the standard, or already a construct.
    """
    if isinstance(declared, Declaration):
        return declared.wire()
    if isinstance(declared, construct.Construct):
        return declared
    if hasattr(declared, "__metadata__"):  # Annotated
        for extra in declared.__metadata__:
            if isinstance(extra, construct.Construct):
                return extra
        return wire_of(declared.__origin__)
    raise TypeError(f"{declared!r} has no encoding; use a Record class, an annotated type or a construct")
