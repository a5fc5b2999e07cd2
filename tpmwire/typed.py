"""Substitutes for classes of typing, whose import takes 4 ms: a tenth of a credential run.

To a type checker, they are the classes of typing. Records may also use `typing.Annotated`.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Annotated, Generic, NamedTuple, Protocol, TypeVar, dataclass_transform
else:

    class Annotated:
        """A type with metadata: `Annotated[int, Number(4)]`."""

        def __init__(self, origin, metadata):
            self.__origin__ = origin
            self.__metadata__ = metadata

        def __class_getitem__(cls, items):
            return cls(items[0], items[1:])

        def __repr__(self):
            return f"Annotated[{', '.join(map(repr, (self.__origin__, *self.__metadata__)))}]"

    class _NamedTupleType(type):
        """The metaclass that converts the declaration of a class to a named tuple."""

        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = list(namespace["__annotations__"])
            defaults = [namespace[field] for field in fields if field in namespace]
            base = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            rest = {key: value for key, value in namespace.items() if key not in fields}
            return type(name, (base,), {**rest, "__slots__": ()})

    class NamedTuple(metaclass=_NamedTupleType):
        """Base class of named tuples, declared as for typing, in a module with annotations as strings."""

    class Generic:
        """Base class of generic classes; their type arguments have no effect."""

        def __class_getitem__(cls, _):
            return cls

    class Protocol(Generic):
        """Base class of protocols."""

    def TypeVar(name, **_):
        return name

    def dataclass_transform(**_):
        return lambda kind: kind


__all__ = ["Annotated", "Generic", "NamedTuple", "Protocol", "TypeVar", "dataclass_transform"]
