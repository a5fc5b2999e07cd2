"""Strict DER for key files: ASN.1 elements as small constructs, which nest in tables (ITU-T X.690, §8, §10).

Each value has one encoding, and only this encoding is accepted: definite and shortest lengths, shortest integers,
no trailing data. Sizes are checked before anything is read. Nesting is limited to the depth of the table. Values
are plain Python: a SEQUENCE is a tuple, and an absent element is None.
"""

from __future__ import annotations

import io

from ..errors import DecodeError, EncodeError
from ..wires import Wire, bytes_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "UTF8_STRING",
    "AnyElement",
    "Explicit",
    "Later",
    "Natural",
    "Sequence",
    "SequenceOf",
    "build_element",
    "header_size",
    "parse_element",
]

_TAGS = {
    0x01: "BOOLEAN",
    0x02: "INTEGER",
    0x03: "BIT STRING",
    0x04: "OCTET STRING",
    0x05: "NULL",
    0x06: "OBJECT IDENTIFIER",
    0x0C: "UTF8String",
    0x16: "IA5String",
    0x30: "SEQUENCE",
    0x31: "SET",
}

LONGEST_OID = 64
"""Bytes; OIDs of key files have 6. The limit keeps their numbers printable."""

LONGEST_INTEGER = 8
"""Bytes; a handle or a command code has at most 5, with the zero in front."""


def tag_name(tag: int) -> str:
    """Returns the name of a tag byte, for messages."""
    if 0xA0 <= tag < 0xBF:
        return f"[{tag - 0xA0}]"
    return _TAGS.get(tag, f"tag 0x{tag:02x}")


class Element(Wire):
    """An element with tag, length and contents. Subclasses convert the contents with `read` and `written`."""

    least = 2

    def __init__(self, tag: int) -> None:
        super().__init__()
        self.tag = tag

    def begins(self, data: bytes) -> bool:
        """Returns whether `data` begins with the tag of this element."""
        return data[:1] == bytes([self.tag])

    def read(self, contents: bytes) -> Any:
        """Returns the value of an element with these contents.

        Raises DecodeError for invalid contents; its offset counts from the start of the contents.
        """
        raise NotImplementedError

    def written(self, value: Any) -> bytes:
        """Returns the contents of an element with this value. Raises EncodeError for an impossible value."""
        raise NotImplementedError

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        start = stream.tell()
        left = bytes_left(stream)
        tag = stream.read(1)
        if not tag:
            raise DecodeError(f"expected {tag_name(self.tag)}, got end of data", start, 0)
        if tag[0] != self.tag:
            raise DecodeError(f"expected {tag_name(self.tag)}, got {tag_name(tag[0])}", start, left)
        contents = self._contents(stream, start)
        try:
            return self.read(contents)
        except DecodeError as error:
            raise error.within("", stream.tell() - len(contents)) from None

    def _contents(self, stream: IO[bytes], start: int) -> bytes:
        """Reads the length, and returns the contents that follow the length (X.690, §8.1.3 and §10.1).

        `start` is the position of the element in the stream.
        """
        name = tag_name(self.tag)
        first = stream.read(1)
        if not first:
            raise DecodeError(f"{name} is truncated before its length", start, 1)
        size = first[0]
        if size == 0x80:
            raise DecodeError(
                f"{name} has an indefinite length, which DER does not allow", start, bytes_left(stream) + 2
            )
        if size > 0x80:
            encoded = stream.read(size & 0x7F)
            if len(encoded) < size & 0x7F:
                raise DecodeError(f"{name} is truncated inside its length", start, len(encoded) + 2)
            if encoded[0] == 0 or (len(encoded) == 1 and encoded[0] < 0x80):
                raise DecodeError(f"the length of {name} is not in its shortest form", start, bytes_left(stream))
            size = int.from_bytes(encoded, "big")
        left = bytes_left(stream)
        if size > left:
            raise DecodeError(f"the length of {name} exceeds the remaining bytes", start, left)
        return stream.read(size)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        contents = self.written(obj)
        size = len(contents)
        stream.write(bytes([self.tag]))
        if size < 0x80:
            stream.write(bytes([size]))
        else:
            encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
            stream.write(bytes([0x80 | len(encoded)]) + encoded)
        stream.write(contents)
        return obj


class Boolean(Element):
    """BOOLEAN (X.690, §11.1). TRUE is written as 0xFF. OpenSSL's 0x01 is accepted, too."""

    def read(self, contents: bytes) -> bool:
        if contents not in (b"\x00", b"\x01", b"\xff"):
            raise DecodeError("invalid BOOLEAN; expected one byte, 0x00 or 0xff", 0, len(contents))
        return contents != b"\x00"

    def written(self, value: Any) -> bytes:
        if not isinstance(value, bool):
            raise EncodeError(f"{value!r} is not a valid BOOLEAN")
        return b"\xff" if value else b"\x00"


class Integer(Element):
    """INTEGER (X.690, §8.3), limited to the size that handles and command codes need."""

    def read(self, contents: bytes) -> int:
        if not contents:
            raise DecodeError("an INTEGER needs at least one byte")
        if len(contents) > LONGEST_INTEGER:
            raise DecodeError(f"an INTEGER of {len(contents)} bytes is too long for a key file", 0, len(contents))
        value = int.from_bytes(contents, "big", signed=True)
        if self.written(value) != contents:
            raise DecodeError("the INTEGER is not in its shortest form", 0, len(contents))
        return value

    def written(self, value: Any) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool):
            raise EncodeError(f"{value!r} is not a valid INTEGER")
        # One bit more for the sign; the size of a negative number is that of its complement.
        return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


class OctetString(Element):
    """OCTET STRING (X.690, §8.7), primitive."""

    def read(self, contents: bytes) -> bytes:
        return contents

    def written(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise EncodeError(f"expected bytes, got {type(value).__name__}")
        return value


class Utf8String(Element):
    """UTF8String (X.690, §8.23)."""

    def read(self, contents: bytes) -> str:
        try:
            return contents.decode()
        except UnicodeDecodeError as error:
            raise DecodeError("the text is not UTF-8", error.start, len(contents) - error.start) from None

    def written(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise EncodeError(f"expected str, got {type(value).__name__}")
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise EncodeError("the text cannot be encoded in UTF-8") from None


class ObjectIdentifier(Element):
    """OBJECT IDENTIFIER (X.690, §8.19), as text: `2.23.133.10.1.3`."""

    def read(self, contents: bytes) -> str:
        if not contents or len(contents) > LONGEST_OID:
            raise DecodeError(
                f"an OBJECT IDENTIFIER has 1 to {LONGEST_OID} bytes, not {len(contents)}", 0, len(contents)
            )
        arcs: list[int] = []
        arc, begun = 0, False
        for index, byte in enumerate(contents):
            if byte == 0x80 and not begun:
                raise DecodeError("an arc is not in its shortest form", index, len(contents) - index)
            arc, begun = arc << 7 | byte & 0x7F, byte >= 0x80
            if not begun:
                arcs.append(arc)
                arc = 0
        if begun:
            raise DecodeError("the last arc is truncated", len(contents) - 1, 1)
        top = min(arcs[0] // 40, 2)
        return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))

    def written(self, value: Any) -> bytes:
        parts = value.split(".") if isinstance(value, str) else []
        if len(parts) < 2 or not all(
            part.isascii() and part.isdecimal() and len(part) <= 3 * LONGEST_OID for part in parts
        ):
            raise EncodeError(f"{value!r} is not a valid OBJECT IDENTIFIER")
        top, second, *others = map(int, parts)
        if top > 2 or (top < 2 and second > 39):
            raise EncodeError(f"{value!r} is not a valid OBJECT IDENTIFIER")
        contents = bytearray()
        for arc in (40 * top + second, *others):
            groups = max(1, (arc.bit_length() + 6) // 7)
            contents += bytes(arc >> 7 * g & 0x7F | (0x80 if g else 0) for g in reversed(range(groups)))
        if len(contents) > LONGEST_OID:
            raise EncodeError(
                f"OBJECT IDENTIFIER {value!r} is too long: expected at most {LONGEST_OID} encoded bytes, "
                f"got {len(contents)}"
            )
        return bytes(contents)


class Natural(Element):
    """INTEGER of any size, not negative. The value is its bytes without a leading zero."""

    def read(self, contents: bytes) -> bytes:
        if not contents or contents[0] >= 0x80 or (contents[0] == 0 and len(contents) > 1 and contents[1] < 0x80):
            raise DecodeError("the INTEGER is negative or not in its shortest form", 0, len(contents))
        return contents.lstrip(b"\0")

    def written(self, value: bytes) -> bytes:
        number = value.lstrip(b"\0") or b"\0"
        return b"\0" + number if number[0] >= 0x80 else number


class AnyElement(Element):
    """Any element, or any element with the given tag. The value is the element's bytes."""

    def __init__(self, tag: int | None = None) -> None:
        super().__init__(tag or 0)

    def begins(self, data: bytes) -> bool:
        """Returns whether the bytes begin with this element."""
        return data[:1] != b"" and self.tag in (0, data[0])

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> bytes:
        start = stream.tell()
        tag = stream.read(1)
        if not tag or self.tag not in (0, tag[0]):
            raise DecodeError(f"expected {tag_name(self.tag)}, got a different element", start, bytes_left(stream))
        self._contents(stream, start)
        end = stream.tell()
        stream.seek(start)
        return stream.read(end - start)


BOOLEAN = Boolean(0x01)
INTEGER = Integer(0x02)
OCTET_STRING = OctetString(0x04)
OBJECT_IDENTIFIER = ObjectIdentifier(0x06)
UTF8_STRING = Utf8String(0x0C)


class Explicit(Element):
    """`[number] EXPLICIT`: an element inside an additional tag (X.690, §8.14)."""

    def __init__(self, number: int, inner: Element) -> None:
        super().__init__(0xA0 | number)
        self.inner = inner

    def read(self, contents: bytes) -> Any:
        return parse_element(self.inner, contents)

    def written(self, value: Any) -> bytes:
        return build_element(self.inner, value)


class Later(Element):
    """Any elements with the tag `[number]` or above, which a later version of a format may add.

    The value is a tuple with the bytes of each element, tag and length included.
    """

    def __init__(self, number: int) -> None:
        super().__init__(0xA0 | number)
        self.number = number

    def begins(self, data: bytes) -> bool:
        """Returns whether the bytes begin with a tag of one byte, `[number]` to `[30]`, explicit or implicit."""
        return data[:1] != b"" and data[0] & 0xC0 == 0x80 and self.number <= data[0] & 0x1F < 0x1F

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> tuple[bytes, ...]:
        data, found = stream.getvalue(), []  # type: ignore[attr-defined]
        while self.begins(data[stream.tell() :]):
            start = stream.tell()
            stream.read(1)
            self._contents(stream, start)
            found.append(data[start : stream.tell()])
        return tuple(found)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        stream.write(b"".join(obj))
        return obj


class Sequence(Element):
    """SEQUENCE: elements in order, as a tuple.

    Elements in `optional` may be absent. Their value is then None.
    """

    def __init__(self, *fields: tuple[str, Element], optional: tuple[str, ...] = ()) -> None:
        super().__init__(0x30)
        self.fields = fields
        self.optional = optional

    def read(self, contents: bytes) -> tuple[Any, ...]:
        stream = io.BytesIO(contents)
        values: list[Any] = []
        for name, element in self.fields:
            if name in self.optional and not element.begins(contents[stream.tell() :]):
                values.append(None)
                continue
            try:
                values.append(element._parse(stream, {}, ""))
            except DecodeError as error:
                raise error.within(name) from None
        _check_end(stream)
        return tuple(values)

    def written(self, value: Any) -> bytes:
        if not isinstance(value, tuple) or len(value) != len(self.fields):
            raise EncodeError(f"expected a tuple of {len(self.fields)} values")
        stream = io.BytesIO()
        for (name, element), item in zip(self.fields, value, strict=True):
            if item is None and name in self.optional:
                continue
            try:
                element._build(item, stream, {}, "")
            except EncodeError as error:
                raise error.within(name) from None
        return stream.getvalue()


class SequenceOf(Element):
    """SEQUENCE OF: any number of elements of one kind, as a tuple."""

    def __init__(self, element: Element) -> None:
        super().__init__(0x30)
        self.element = element

    def read(self, contents: bytes) -> tuple[Any, ...]:
        stream = io.BytesIO(contents)
        values: list[Any] = []
        while bytes_left(stream):
            try:
                values.append(self.element._parse(stream, {}, ""))
            except DecodeError as error:
                raise error.within(f"[{len(values)}]") from None
        return tuple(values)

    def written(self, value: Any) -> bytes:
        if not isinstance(value, tuple):
            raise EncodeError(f"expected a tuple, got {type(value).__name__}")
        stream = io.BytesIO()
        for index, item in enumerate(value):
            try:
                self.element._build(item, stream, {}, "")
            except EncodeError as error:
                raise error.within(f"[{index}]") from None
        return stream.getvalue()


def parse_element(element: Element, data: bytes) -> Any:
    """Parses `data`, which must be exactly one DER element. Raises DecodeError for any other data."""
    stream = io.BytesIO(data)
    value = element._parse(stream, {}, "")
    _check_end(stream)
    return value


def build_element(element: Element, value: Any) -> bytes:
    """Returns the DER encoding of `value` as `element`. Raises EncodeError for an impossible value."""
    stream = io.BytesIO()
    element._build(value, stream, {}, "")
    return stream.getvalue()


def header_size(data: bytes) -> int:
    """Returns the size, in bytes, of the tag and the length at the beginning of `data`."""
    return 2 + (data[1] & 0x7F if data[1:2] > b"\x80" else 0)


def _check_end(stream: IO[bytes]) -> None:
    left = bytes_left(stream)
    if left:
        raise DecodeError("trailing data", stream.tell(), left)
