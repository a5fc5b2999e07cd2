"""Typed, immutable structures whose bytes are parsed and built from their field declarations.

A `Record` subclass is a list of annotated fields. Each annotation is a Python type for the reader and the type
checker, with a `construct.Construct` that parses and builds the field (see `wires`):

    class TPMT_HA(Record):
        hash_alg: TPMI_ALG_HASH
        digest: Annotated[OneOf[bytes | None], select("hash_alg", TPMU_HA)]

Everything else is derived from the declaration: `parse`, `build`, equality, a repr that hides secrets, the
explanation of each byte, the fuzzer's strategies. The construct of a class is created at first use, so that
declaring a hundred structures takes only a few milliseconds.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

from .constructs import construct
from .errors import DecodeError, EncodeError
from .typed import dataclass_transform
from .wires import Declaration, Wire, nothing_left, size_of_next, wire_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from inspect import Signature  # for type checkers only
    from typing import IO, Any, ClassVar, Self

    from .spec.descriptors import Buffer, ListOf, OneOf, UnionOf

    class _Construct:
        """A stand-in, for type checkers, for the base class of constructs.

        construct has no types. With construct's own base class, a type checker would accept any attribute.
        """

        def parse_stream(cls, stream: IO[bytes], **contextkw: Any) -> Any: ...
        def build_stream(cls, obj: Any, stream: IO[bytes], **contextkw: Any) -> Any: ...
        def sizeof(cls, **contextkw: Any) -> int: ...
        def __rtruediv__(cls, name: str) -> Any: ...

else:
    _Construct = construct.Construct

    Buffer = bytes

    class OneOf:
        def __class_getitem__(cls, item: Any) -> Any:
            return item

    class UnionOf:
        def __class_getitem__(cls, item: Any) -> Any:
            return item[0]

    class ListOf:
        def __class_getitem__(cls, item: Any) -> Any:
            return tuple[item, ...]


ABSENT: Any = None
"""None as the default of a `OneOf` field."""

NO_BYTES: Any = b""
"""Empty bytes as the default of a `Buffer` field."""

NO_ITEMS: Any = ()
"""An empty tuple as the default of a `ListOf` field."""

__all__ = [
    "ABSENT",
    "NO_BYTES",
    "NO_ITEMS",
    "SECRET",
    "Buffer",
    "Declared",
    "ListOf",
    "OneOf",
    "Record",
    "RecordType",
    "Struct",
    "UnionOf",
    "declare",
    "is_secret",
    "marks",
]


class _Secret:
    """The class of the marker SECRET, which keeps the value of a field out of every repr."""

    def __repr__(self) -> str:
        return "SECRET"


SECRET = _Secret()


def _parse_nested(wire: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
    """Parses a value inside a construct. Errors then begin with the names in `path`: "(parsing) -> a -> b"."""
    try:
        return wire._parse(stream, context, path)
    except DecodeError as error:
        for name in reversed(path.split(" -> ")[1:]):
            error = error.within(name)
        raise error from None


def _build_nested(wire: Any, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
    """Builds a value inside a construct. Errors then begin with the names in `path`: "(building) -> a -> b"."""
    try:
        return wire._build(obj, stream, context, path)
    except EncodeError as error:
        for name in reversed(path.split(" -> ")[1:]):
            error = error.within(name)
        raise error from None


class Struct(Wire):
    """The construct that parses and builds records of one class, field by field.

    Parsed values are stored in the record itself; construct's Struct would need a container.
    """

    def __init__(self, record: type[Record], fields: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.record = record
        self.fields = fields
        self.names = tuple(name for name, _ in fields)
        declared = [vars(base) for base in reversed(record.__mro__)]
        self.defaults = {name: found[name] for found in declared for name in self.names if name in found}
        self.least = sum(wire.least for _, wire in fields)
        self._parsers = [(name, wire._parse) for name, wire in fields]

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, parse in self._parsers:
                values[name] = parse(stream, values, path)
        except DecodeError as error:
            raise error.within(name) from None
        return self.record._from(values)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        if type(obj) is not self.record:
            raise EncodeError(f"expected {self.record.__qualname__}, got {type(obj).__name__}")
        values = vars(obj)
        name = ""
        try:
            for name, wire in self.fields:
                wire._build(values[name], stream, values, path)
        except EncodeError as error:
            raise error.within(name) from None
        return obj

    def _sizeof(self, context: dict[str, Any], path: str) -> int:
        return sum(wire._sizeof(context, path) for _, wire in self.fields)


class RecordType(type, _Construct, Declaration):
    """The metaclass of records, which makes each record class usable as a construct: `"hash" / TPMT_HA`."""

    # Construct.__init__, which sets these attributes, is not called for a class.
    name = parsed = None
    docs = ""
    flagbuildnone = False

    if TYPE_CHECKING:

        def wire(cls) -> Any:
            """Returns the construct that parses and builds records of this class."""

        def fields(cls) -> list[tuple[str, Any]]:
            """Returns (name, annotation) of each field, in the order of the bytes."""

    @property
    def __signature__(cls) -> Signature:
        """The constructor's signature, for `help` and `inspect.signature`."""
        from inspect import Parameter, Signature  # late: only `help` and `inspect.signature` need it

        defaults = cls.wire().defaults
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=defaults.get(name, Parameter.empty),
                    annotation=_strip_annotation(annotation),
                )
                for name, annotation in cls.fields()
            ]
        )

    def _parse(cls, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return _parse_nested(cls.wire(), stream, {}, path)

    def _build(cls, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return _build_nested(cls.wire(), obj, stream, {}, path)

    def _sizeof(cls, context: dict[str, Any], path: str) -> Any:
        return cls.wire()._sizeof(context, path)

    def _actualsize(cls, stream: IO[bytes], context: dict[str, Any], path: str) -> int:
        return size_of_next(cls, stream, {}, path)


@dataclass_transform(frozen_default=True)
class Record(metaclass=RecordType):
    """Base class of every structure, command and response.

    Immutable, compared by value, with `parse` and `build`.
    """

    _struct: ClassVar[Struct | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kind, wire = type(self), type(self).wire()
        names, defaults = wire.names, wire.defaults
        if len(args) > len(names):
            raise TypeError(f"{kind.__qualname__} expected at most {len(names)} values, got {len(args)}")
        values = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names:
                raise TypeError(_explain_unknown(kind.__qualname__, names, name))
            if name in values:
                raise TypeError(f"{kind.__qualname__} got {name} twice")
            values[name] = value
        missing = [name for name in names if name not in values and name not in defaults]
        if missing:
            raise TypeError(f"{kind.__qualname__} needs {', '.join(missing)}")
        # Sets the fields in the standard's order, with the declared defaults; mutable values are converted.
        vars(self).update((n, _freeze(values[n] if n in values else defaults[n])) for n in names)

    @classmethod
    def _from(cls, values: dict[str, Any]) -> Self:
        self = object.__new__(cls)
        object.__setattr__(self, "__dict__", values)
        return self

    @classmethod
    def wire(cls) -> Struct:
        """Returns the construct that parses and builds records of this class. It is created at first use."""
        if cls.__dict__.get("_struct") is None:
            cls._struct = Struct(cls, [(n, wire_of(a)) for n, a in cls.fields()])
        return cls.__dict__["_struct"]  # type: ignore[no-any-return]

    @classmethod
    def fields(cls) -> list[tuple[str, Any]]:
        """Returns (name, annotation) of each field, in the order of the bytes."""
        # The annotations of the class without those of its base. Since PEP 649 they are not in `__dict__`.
        return [
            (name, annotation)
            for base in reversed(cls.__mro__)
            for name, annotation in getattr(base, "__annotations__", {}).items()
            if not _is_class_variable(annotation)
        ]

    @classmethod
    def parse(cls, data: bytes, **contextkw: Any) -> Self:
        """Parses `data`, which must be exactly one record. Raises DecodeError for any other data.

        construct's argument `contextkw` has no effect.
        """
        stream = io.BytesIO(data)
        value: Self = cls.wire()._parse(stream, {}, "")
        nothing_left(stream)
        return value

    def build(self, **contextkw: Any) -> bytes:
        """Returns the bytes of this record. construct's argument `contextkw` has no effect.

        Raises EncodeError for an invalid value.
        """
        stream = io.BytesIO()
        type(self).wire()._build(self, stream, {}, "")
        return stream.getvalue()

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with new values of the fields in `changes`. Raises TypeError for an unknown field."""
        return type(self)(**{**vars(self), **changes})

    def __getitem__(self, name: str) -> Any:
        """Returns the value of a field, for construct's expressions: `this.hash.hash_alg`.

        Raises KeyError for an unknown field.
        """
        return vars(self)[name]

    __iter__ = None

    if not TYPE_CHECKING:  # a type checker would accept any attribute

        def __getattr__(self, name: str) -> Any:
            message = _explain_unknown(type(self).__qualname__, tuple(vars(self)), name)
            raise AttributeError(message, name=name, obj=self)

    def __copy__(self) -> Self:
        return self  # `copy.copy` would else use the method of RecordType, which copies constructs

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


class Declared(Wire, Declaration):
    """A named type of the standard that is not a structure: UINT16, TPM2B_DIGEST, TPML_HANDLE, TPMI_ALG_HASH.

    For a type checker and in annotations, a `Declared` is a Python type.
    """

    def __init__(self, label: str, annotation: Any) -> None:
        super().__init__()
        self.label = label
        self.annotation = annotation
        self._wire = wire_of(annotation)
        self.least = self._wire.least

    def __repr__(self) -> str:
        return self.label

    def wire(self) -> Any:
        """Returns the construct that parses and builds values of this type."""
        return self._wire

    def parse(self, data: bytes, **contextkw: Any) -> Any:
        """Parses `data`, which must be exactly one value of this type. Raises DecodeError for any other data.

        construct's argument `contextkw` has no effect.
        """
        stream = io.BytesIO(data)
        value = self.parse_stream(stream, **contextkw)
        nothing_left(stream)
        return value

    def _parse(self, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return _parse_nested(self._wire, stream, context, path)

    def _build(self, obj: Any, stream: IO[bytes], context: dict[str, Any], path: str) -> Any:
        return _build_nested(self._wire, obj, stream, context, path)

    def _sizeof(self, context: dict[str, Any], path: str) -> Any:
        return self._wire._sizeof(context, path)


def declare(namespace: dict[str, Any]) -> None:
    """Replaces the annotations in a module, such as TPM2B_DIGEST, by `Declared` types with `parse` and `build`.

    `namespace` is the globals() of a module of the standard, which calls this function at its end.
    """
    named = {name: value for name, value in namespace.items() if hasattr(value, "__metadata__")}
    namespace.update((name, Declared(name, value)) for name, value in named.items())


def marks(annotation: Any) -> Iterator[Any]:
    """Yields the metadata of an annotation: constructs, SECRET, roles of handles."""
    if isinstance(annotation, Declared):
        yield from marks(annotation.annotation)
    elif hasattr(annotation, "__metadata__"):
        yield from annotation.__metadata__
        yield from marks(annotation.__origin__)


def is_secret(annotation: Any) -> bool:
    """Returns whether an annotation has the SECRET marker."""
    return any(mark is SECRET for mark in marks(annotation))


def _explain_unknown(kind: str, names: tuple[str, ...], name: str) -> str:
    """Returns an error message about a field that the class `kind` does not have.

    The message suggests the Python spelling for a name of the standard, such as `bytesRequested`.
    """

    def plain(text: str) -> str:
        return text.replace("_", "").lower()

    near = next((known for known in names if plain(known) == plain(name)), None)
    return f"{kind} has no field {name!r}; " + (f"did you mean {near}?" if near else f"it has {', '.join(names)}")


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value


def _strip_annotation(annotation: Any) -> Any:
    """Returns the Python type of an annotation without its metadata, for display in a signature."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _is_class_variable(annotation: Any) -> bool:
    """Returns whether an annotation is `ClassVar[X]`, as an object or as a string."""
    if isinstance(annotation, str):
        return annotation.startswith("ClassVar")
    typing = sys.modules.get("typing")  # not imported, because that takes 4 ms
    return typing is not None and getattr(annotation, "__origin__", None) is typing.ClassVar
