"""Declarations become typed, immutable values with a wire form.

A `Record` subclass is a list of annotated fields. Each annotation is a Python type for the reader and the type
checker, with a `construct.Construct` beside it for the wire:

    class TPMT_HA(Record):
        hash_alg: TPMI_ALG_HASH
        digest: Annotated[bytes | None, select("hash_alg", TPMU_HA)]

Everything else derives from that: `parse`, `build`, equality, a repr that hides secrets, the byte-by-byte
explanation, the fuzzer's strategies. The wire form is derived at first use, so that declaring a hundred
structures costs a few milliseconds.

The wires here are small `construct.Construct` subclasses. They differ from construct's own where a TPM is
concerned: nothing is left over silently, a selector never guesses, sizes are checked before they are believed,
and a failure names field, offset and octets left.
"""

import io
import struct
from enum import IntEnum, IntFlag
from typing import Annotated, Any, ClassVar, Self, dataclass_transform, get_args, get_origin

from .constructs import construct
from .errors import DecodeError, EncodeError

__all__ = [
    "EMPTY",
    "SECRET",
    "Counted",
    "Empty",
    "Encrypted",
    "Fixed",
    "Number",
    "Record",
    "Rest",
    "Select",
    "Sized",
    "SizedRecord",
    "Struct",
    "YesNo",
    "octets_left",
    "select",
    "wire_of",
]

type_ = type


class _Secret:
    """Marker in an annotation: the value is a secret, and no repr shows it."""

    def __repr__(self) -> str:
        return "SECRET"


SECRET = _Secret()


class Encrypted(bytes):
    """The octets of a TPM2B as they cross the bus under parameter encryption: not to be looked into."""

    __slots__ = ()


def octets_left(stream: io.BytesIO) -> int:
    """How many octets are still to be read."""
    return stream.getbuffer().nbytes - stream.tell()


def _take(stream: io.BytesIO, count: int, what: str) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        start = stream.tell() - len(data)
        raise DecodeError(f"{what} wants {count} octets", start, len(data))
    return data


class Wire(construct.Construct):  # type: ignore[misc]
    """A construct whose parse and build speak our errors. `least` is the smallest number of octets it takes."""

    least = 0

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        raise NotImplementedError

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        raise NotImplementedError


class Number(Wire):
    """An unsigned big-endian integer of `size` octets, as a member of `kind` where there is one."""

    def __init__(self, size: int, kind: type[int] = int) -> None:
        super().__init__()
        self.size = self.least = size
        self.kind = kind
        self._codec = struct.Struct({1: ">B", 2: ">H", 4: ">I", 8: ">Q"}[size])
        # The enum's own table is the fast way in; what is not in it goes through the class.
        self._known = kind._value2member_map_ if issubclass(kind, (IntEnum, IntFlag)) else None

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        data = stream.read(self.size)
        if len(data) != self.size:
            raise DecodeError(f"{self.label} wants {self.size} octets", stream.tell() - len(data), len(data))
        value = self._codec.unpack(data)[0]
        if self._known is None:
            return value
        return self._known.get(value) or self.kind(value)

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, int) or isinstance(obj, bool) or not 0 <= obj < 1 << 8 * self.size:
            raise EncodeError(f"{obj!r} is no {self.label}")
        stream.write(self._codec.pack(obj))
        return obj

    @property
    def label(self) -> str:
        return self.kind.__name__ if self.kind is not int else f"UINT{8 * self.size}"


class YesNo(Wire):
    """TPMI_YES_NO: one octet, 0 or 1 (TPM 2.0 Part 2, §9.2). What else a peer sends stays that number."""

    least = 1

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> int:
        value = _take(stream, 1, "TPMI_YES_NO")[0]
        return value == 1 if value < 2 else value

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, int) or not 0 <= obj < 256:
            raise EncodeError(f"{obj!r} is neither yes nor no")
        stream.write(bytes([obj]))
        return obj


class Fixed(Wire):
    """Exactly `size` octets, without a size in front."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = self.least = size

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> bytes:
        return _take(stream, self.size, "the value")

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes) or len(obj) != self.size:
            raise EncodeError(f"wants {self.size} octets")
        stream.write(obj)
        return obj


class Sized(Wire):
    """TPM2B_…: a size and that many octets, at most `limit` (TPM 2.0 Part 2, §10.4).

    With `size=1` the size is one octet, as in TPMS_PCR_SELECTION.
    """

    def __init__(self, limit: int = 0xFFFF, size: int = 2) -> None:
        super().__init__()
        self.limit = limit
        self.size = self.least = size

    def take(self, stream: io.BytesIO) -> bytes:
        """The octets behind the size; raises DecodeError where there are fewer, or more than the limit."""
        start = stream.tell()
        size = int.from_bytes(_take(stream, self.size, "the size"), "big")
        left = octets_left(stream)
        if size > self.limit:
            raise DecodeError(f"a size of {size} exceeds {self.limit}", start, left + self.size)
        if size > left:
            raise DecodeError(f"a size of {size} exceeds what follows", start, left + self.size)
        return stream.read(size)

    def put(self, data: bytes, stream: io.BytesIO) -> None:
        """Size and octets; raises EncodeError over the limit."""
        if len(data) > self.limit:
            raise EncodeError(f"{len(data)} octets exceed {self.limit}")
        stream.write(len(data).to_bytes(self.size, "big") + data)

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        return self.take(stream)

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes):
            raise EncodeError(f"wants bytes, not {type_(obj).__name__}")
        self.put(obj, stream)
        return obj


class SizedRecord(Sized):
    """TPM2B_… around a structure. Size 0 is None where `optional`; what is left over in it is an error."""

    def __init__(self, inner: Any, optional: bool = False) -> None:
        super().__init__()
        self.inner = wire_of(inner)
        self.optional = optional

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        start = stream.tell() + self.size
        data = self.take(stream)
        if not data and self.optional:
            return None
        area = io.BytesIO(data)
        try:
            value = self.inner._parse(area, context, path)
            _nothing_left(area)
        except DecodeError as error:
            raise error.within("", start) from None
        return value

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if isinstance(obj, Encrypted):
            self.put(obj, stream)
        elif obj is None:
            if not self.optional:
                raise EncodeError("may not be empty")
            self.put(b"", stream)
        else:
            area = io.BytesIO()
            self.inner._build(obj, area, context, path)
            self.put(area.getvalue(), stream)
        return obj


class Counted(Wire):
    """TPML_…: a count and that many elements, as a tuple (TPM 2.0 Part 2, §10.9)."""

    least = 4

    def __init__(self, element: Any, limit: int = 0xFFFFFFFF) -> None:
        super().__init__()
        self.element = wire_of(element)
        self.limit = limit

    def count(self, stream: io.BytesIO) -> int:
        """The count; raises DecodeError where it exceeds the limit, or what the octets at hand can hold."""
        start = stream.tell()
        count = int.from_bytes(_take(stream, 4, "the count"), "big")
        left = octets_left(stream)
        if count > self.limit:
            raise DecodeError(f"a count of {count} exceeds {self.limit}", start, left + 4)
        # Before anything is made: a count that the octets at hand cannot hold is refused.
        if count * max(self.element.least, 1) > left:
            raise DecodeError(f"a count of {count} exceeds what follows", start, left + 4)
        return count

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        count = self.count(stream)
        parse, values = self.element._parse, []
        for index in range(count):
            try:
                values.append(parse(stream, context, path))
            except DecodeError as error:
                raise error.within(f"[{index}]") from None
        return tuple(values)

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, tuple) or len(obj) > self.limit:
            raise EncodeError(f"wants a list or tuple of at most {self.limit} elements")
        stream.write(len(obj).to_bytes(4, "big"))
        for index, value in enumerate(obj):
            try:
                self.element._build(value, stream, context, path)
            except EncodeError as error:
                raise error.within(f"[{index}]") from None
        return obj


class Empty(Wire):
    """Nothing on the wire, None in Python: the member of a union for TPM_ALG_NULL."""

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> None:
        return None

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if obj is not None:
            raise EncodeError("its selector says that there is nothing here")
        return None


EMPTY = Empty()


class Rest(Wire):
    """Everything up to the end of the area: what a vendor or a later standard defines."""

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> bytes:
        return stream.read()

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if not isinstance(obj, bytes):
            raise EncodeError("wants bytes")
        stream.write(obj)
        return obj


class Select(Wire):
    """TPMU_…: the member that the field `selector`, earlier in the same structure, names. Never a guess.

    `other` is the member for selectors that the standard does not know (only where the area's end is known).
    """

    def __init__(self, selector: str, members: dict[Any, Any], other: Any = None) -> None:
        super().__init__()
        self.selector = selector
        self.members = members
        self.other = None if other is None else wire_of(other)
        self._wires: dict[Any, Any] = {}

    def member(self, context: dict[str, Any]) -> Any:
        """The wire that the selector in `context` (field values so far) names, or None."""
        key = context[self.selector]
        if isinstance(key, Record):  # a TPM2B_PUBLIC before TPM2B_SENSITIVE does not select; a TPMT may
            return None
        wire = self._wires.get(key)
        if wire is None:
            member = self.members.get(key)
            wire = self.other if member is None else wire_of(member)
            if wire is not None and member is not None:
                self._wires[key] = wire
        return wire

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        wire = self.member(context)
        if wire is None:
            raise DecodeError(
                f"there is no member for {self.selector} {context[self.selector]!r}",
                stream.tell(),
                octets_left(stream),
            )
        return wire._parse(stream, context, path)

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        wire = self.member(context)
        if wire is None:
            raise EncodeError(f"there is no member for {self.selector} {context[self.selector]!r}")
        return wire._build(obj, stream, context, path)


select = Select


def _nothing_left(stream: io.BytesIO) -> None:
    left = octets_left(stream)
    if left:
        raise DecodeError(f"{left} octets too many", stream.tell(), left)


class Struct(Wire):
    """The wire form of a `Record`: its fields in order, straight into the object, with no container between."""

    def __init__(self, record: "type[Record]", fields: "list[tuple[str, Any]]") -> None:
        super().__init__()
        self.record = record
        self.fields = fields
        self.least = sum(wire.least for _, wire in fields)
        self._parsers = [(name, wire._parse) for name, wire in fields]

    def _parse(self, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, parse in self._parsers:
                values[name] = parse(stream, values, path)
        except DecodeError as error:
            raise error.within(name) from None
        return self.record._from(values)

    def _build(self, obj: Any, stream: io.BytesIO, context: dict[str, Any], path: str) -> Any:
        if type_(obj) is not self.record:
            raise EncodeError(f"wants a {self.record.__name__}, not {type_(obj).__name__}")
        values = vars(obj)
        name = ""
        try:
            for name, wire in self.fields:
                wire._build(values[name], stream, values, path)
        except EncodeError as error:
            raise error.within(name) from None
        return obj


def wire_of(declared: Any) -> Any:
    """The wire of an annotation, a `Record` class, or a wire itself."""
    if isinstance(declared, construct.Construct):
        return declared
    if isinstance(declared, type) and issubclass(declared, Record):
        return declared.wire()
    if get_origin(declared) is Annotated:
        for extra in declared.__metadata__:
            if isinstance(extra, construct.Construct):
                return extra
        return wire_of(get_args(declared)[0])
    raise TypeError(f"{declared!r} declares no wire form")


@dataclass_transform(frozen_default=True)
class Record:
    """Base of every structure, command and response: immutable, compared by value, with a wire form."""

    _struct: ClassVar[Struct | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = [name for name, _ in type(self).wire().fields]
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} takes {len(names)} values, {len(args)} were given")
        values = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or name in values:
                raise TypeError(f"{type(self).__name__} has no field {name!r}, or it was given twice")
            values[name] = value
        missing = [name for name in names if name not in values and not hasattr(type(self), name)]
        if missing:
            raise TypeError(f"{type(self).__name__} wants {', '.join(missing)}")
        # In the standard's order, with the declared defaults, and nothing mutable inside.
        vars(self).update((n, _frozen(values[n] if n in values else getattr(type(self), n))) for n in names)

    @classmethod
    def _from(cls, values: dict[str, Any]) -> Self:
        self = object.__new__(cls)
        object.__setattr__(self, "__dict__", values)
        return self

    @classmethod
    def wire(cls) -> Struct:
        """The construct that parses and builds this class; derived once, at first use."""
        if cls.__dict__.get("_struct") is None:
            cls._struct = Struct(cls, [(n, wire_of(a)) for n, a in cls.fields()])
        return cls.__dict__["_struct"]  # type: ignore[no-any-return]

    @classmethod
    def fields(cls) -> list[tuple[str, Any]]:
        """Names and annotations, in wire order."""
        # `__annotations__` of a class is its own, not its base's; since PEP 649 its `__dict__` has none.
        return [
            (name, annotation)
            for base in reversed(cls.__mro__)
            for name, annotation in getattr(base, "__annotations__", {}).items()
            if get_origin(annotation) is not ClassVar
        ]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The value of exactly these octets. Raises DecodeError."""
        stream = io.BytesIO(data)
        value: Self = cls.wire()._parse(stream, {}, "")
        _nothing_left(stream)
        return value

    def build(self) -> bytes:
        """The octets of this value. Raises EncodeError."""
        stream = io.BytesIO()
        type(self).wire()._build(self, stream, {}, "")
        return stream.getvalue()

    def replace(self, **changes: Any) -> Self:
        """The same value with some fields changed."""
        return type(self)(**{**vars(self), **changes})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; use replace()")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; use replace()")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        hidden = {name for name, annotation in self.fields() if is_secret(annotation)}
        shown = (f"{n}={'<secret>' if n in hidden and v else repr(v)}" for n, v in vars(self).items())
        return f"{type(self).__qualname__}({', '.join(shown)})"


def is_secret(annotation: Any) -> bool:
    """Whether an annotation carries the SECRET marker."""
    return any(extra is SECRET for extra in getattr(annotation, "__metadata__", ()))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value
