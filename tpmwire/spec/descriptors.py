"""Field types for static type checkers. Programs do not load this module.

At runtime, `Buffer` is bytes, `ListOf[X]` is a tuple and `OneOf[X]` is X (see `record`). For a type checker they
are descriptors, so that a field accepts more types than it returns, and named types have `parse` and `build`.
"""

from collections.abc import Sequence
from typing import IO, Any, Generic, Self, TypeVar, overload

__all__ = ["Buffer", "ListOf", "OneOf", "UnionOf"]

M = TypeVar("M")
G = TypeVar("G")


class _Field(Generic[M, G]):
    """A descriptor that accepts values of type M and returns values of type G."""

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> G: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        """Returns the field's value."""

    def __set__(self, instance: object, value: M) -> None:
        """Declares the type that a record's constructor accepts. Records are immutable."""

    @classmethod
    def parse(cls, data: bytes, **contextkw: Any) -> G:
        """Parses `data`, which must be exactly one value. Raises DecodeError if it is not."""
        raise NotImplementedError

    @classmethod
    def parse_stream(cls, stream: IO[bytes], **contextkw: Any) -> G:
        """Parses the next value in a stream. Raises DecodeError if the value is not valid."""
        raise NotImplementedError

    @classmethod
    def build(cls, obj: M, **contextkw: Any) -> bytes:
        """Returns the marshaled bytes of a value. Raises EncodeError if the value is not valid."""
        raise NotImplementedError


class Buffer(_Field[bytes, bytes]):
    """The content of a TPM2B, without its size field."""


class ListOf(_Field[Sequence[M], tuple[M, ...]], Generic[M]):
    """A TPML: a tuple, created from any sequence."""


class OneOf(_Field[M, Any], Generic[M]):
    """An optional value, checked when a record is created. Reading the field returns Any."""


class UnionOf(_Field[M, G | Any], Generic[M, G]):
    """A union, whose value is checked when a record is created.

    Reading the field returns the type G, which has the attributes of every member, or Any: the selector decides
    which member it is. An attribute that no member has is an error; `isinstance` selects one member.
    """
