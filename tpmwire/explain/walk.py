"""Builds the tree of a message: parses the bytes by their declaration, with a node for each field.

Unlike `Record.parse`, the walk keeps the values that precede an error.
"""

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from typing import Any

from ..errors import DecodeError
from ..record import Record, Struct, is_secret
from ..spec.attestation import TPMS_ATTEST
from ..spec.names import field_name, section, type_name
from ..spec.structures import TPMT_PUBLIC
from ..spec.versioned import Versioned
from ..wires import Counted, Select, Sized, SizedRecord, byte_count, bytes_left, wire_of
from .meanings import element_words, field_words, octets_words, summary, value_words
from .tree import Node

__all__ = ["Walk"]


class Walk:
    """A position in an area of `data`, and the nodes of the bytes before the position."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.nodes: list[Node] = []
        self._stream = io.BytesIO(data)
        self._base = 0
        self._stuck = False

    @property
    def place(self) -> int:
        """The offset of the next byte."""
        return self._base + self._stream.tell()

    @property
    def left(self) -> int:
        """The number of bytes left in the area."""
        return bytes_left(self._stream)

    @contextlib.contextmanager
    def area(self, size: int) -> Iterator[None]:
        """Limits the walk to the next `size` bytes, which must be parsed to the end inside the context.

        After an error the rest of the area becomes one node, and the DecodeError is raised again.
        """
        outer, base = self._stream, self._base
        start = self.place
        self._stream, self._base = io.BytesIO(self.data[start : start + size]), start
        try:
            yield
            if self.left:
                raise DecodeError(f"{byte_count(self.left)} of trailing data", self.place, self.left)
        except DecodeError as error:
            if self.left:
                text = "not parsed, because of the preceding error" if self._stuck else error.reason
                self.leftover("?", text)
            self._stuck = True
            raise
        finally:
            outer.seek(self.place - base)
            self._stream, self._base = outer, base

    @contextlib.contextmanager
    def inside(self, name: str, declared: Any = None) -> Iterator[Node]:
        """Adds a node. The nodes that are added inside the context become its children.

        `declared` is the declaration of the node's type, if any.
        """
        node = self._new(name, declared)
        outer, self.nodes = self.nodes, node.children
        whole = False
        try:
            yield node
            whole = True
        finally:
            self.nodes = outer
            node.octets = self.data[node.offset : self.place]
            if node.octets or whole:
                outer.append(node)

    def fields(self, record: type[Record], fields: list[tuple[str, Any]], values: dict[str, Any]) -> None:
        """Adds nodes for some fields of a record.

        Stores the fields' values in `values`, where selectors are looked up.
        """
        for name, annotation in fields:
            secret = name in _secret_fields(record)
            values[name] = self.value(field_name(name), annotation, values, secret=secret, field=(record, name))

    def value(
        self,
        name: str,
        declared: Any,
        values: dict[str, Any],
        *,
        secret: bool = False,
        field: tuple[type[Record], str] | None = None,
    ) -> Any:
        """Parses a value of the type `declared`, adds a node, and returns the value.

        `values` contains the preceding fields. `field` is the record class and the field's name, if any. Raises
        DecodeError for an invalid value.
        """
        wire = wire_of(declared)
        if isinstance(wire, Select):
            member = wire.member(values)
            if member is not None:
                return self.value(name, member, values, secret=secret, field=field)
        if isinstance(wire, Versioned):
            wire = wire.member(self._stream)
        if isinstance(wire, Struct):
            with self.inside(name, wire) as node:
                value = self._struct(wire.record)
                node.text = summary(value)
            return value
        if isinstance(wire, SizedRecord):
            return self._walk_sized_record(name, wire)
        if isinstance(wire, Sized):
            return self._walk_buffer(name, wire, secret, values, field)
        if isinstance(wire, Counted):
            return self._walk_list(name, wire)
        return self._leaf(name, wire, secret, values, field)

    def encrypted(self, name: str, declared: Any) -> None:
        """Adds a node for a TPM2B with encrypted content and unencrypted size.

        Raises DecodeError if the data is truncated.
        """
        with self.inside(name, declared) as node:
            octets = self._sizes(Sized(size=wire_of(declared).size), node)
            node.text = f"{byte_count(len(octets))}, encrypted by a session"
            self._octets("encrypted", len(octets), "")

    def number(self, name: str, size: int, type: str, text: str) -> int:
        """Adds a node for a number that is not part of a record, and returns the number.

        Raises DecodeError if the data is truncated.
        """
        octets = self._stream.read(size)
        if len(octets) < size:
            self._stream.seek(-len(octets), io.SEEK_CUR)
            raise DecodeError(f"{name} needs {byte_count(size)}", self.place, len(octets))
        self.nodes.append(Node(name, self.place - size, octets, type, text))
        return int.from_bytes(octets, "big")

    def leftover(self, name: str, text: str) -> None:
        """Adds one node for the remaining bytes of the area. `text` is the node's meaning."""
        self._octets(name, self.left, text)

    def _struct(self, record: type[Record]) -> Any:
        values: dict[str, Any] = {}
        self.fields(record, _all_fields(record), values)
        return record._from(values)

    def _walk_sized_record(self, name: str, wire: SizedRecord) -> Any:
        with self.inside(name, wire) as node:
            octets = self._sizes(wire, node)
            if not octets and wire.optional:
                return None
            with self.area(len(octets)):
                if isinstance(wire.inner, Struct):
                    value = self._struct(wire.inner.record)
                    node.text = summary(value) or node.text
                else:
                    value = self.value("value", wire.inner, {})
            return value

    def _walk_buffer(self, name: str, wire: Sized, secret: bool, values: dict[str, Any], field: Any) -> bytes:
        with self.inside(name, wire) as node:
            octets = self._sizes(wire, node)
            node.secret = secret and bool(octets)
            node.text = field_words(field, values, octets) or octets_words(node.type, octets)
            if not self._add_buffer_fields(node.type, octets) and octets:
                self._octets("buffer", len(octets), "", secret)
            return octets

    def _add_buffer_fields(self, kind: str, octets: bytes) -> bool:
        """Adds nodes for the fields of a structure that is the content of a TPM2B, such as TPMS_ATTEST.

        `kind` is the type's name. Returns False if the content is not such a structure.
        """
        inner: Any = {"TPM2B_ATTEST": TPMS_ATTEST, "TPM2B_TEMPLATE": TPMT_PUBLIC}.get(kind)
        if inner is None:
            return False
        try:
            inner.parse(octets)
        except DecodeError:
            return False
        with self.area(len(octets)):
            self._struct(inner)
        return True

    def _sizes(self, wire: Sized, node: Node) -> bytes:
        """Adds a node for the size field of a TPM2B, and returns the content.

        The walk's position is then the start of the content.
        """
        start = self._stream.tell()
        try:
            octets = wire.take(self._stream)
        except DecodeError:
            self._stream.seek(start)
            raise
        self._stream.seek(start + wire.size)
        size = Node("size", self.place - wire.size, self.data[node.offset : self.place], f"UINT{8 * wire.size}")
        size.text = node.text = byte_count(len(octets)) if octets else "empty"
        self.nodes.append(size)
        return octets

    def _walk_list(self, name: str, wire: Counted) -> Any:
        with self.inside(name, wire) as node:
            start = self._stream.tell()
            try:
                count = wire.count(self._stream)
            except DecodeError:
                self._stream.seek(start)
                raise
            octets = self.data[node.offset : self.place]
            text = f"{count} element{'s' if count != 1 else ''}"
            self.nodes.append(Node("count", node.offset, octets, "UINT32", text))
            elements = tuple(self.value(f"[{n}]", wire.element, {}) for n in range(count))
            node.text = text
            for n, (words, value) in element_words(elements).items():
                node.children[n + 1].text = words
                node.children[n + 1].children[-1].text = value
            return elements

    def _leaf(self, name: str, wire: Any, secret: bool, values: dict[str, Any], field: Any) -> Any:
        node = self._new(name, wire)
        start = self._stream.tell()
        try:
            value = wire._parse(self._stream, values, "")
        except DecodeError:
            self._stream.seek(start)
            raise
        node.octets = self.data[node.offset : self.place]
        node.secret = secret
        node.text = field_words(field, values, value) or value_words(wire, node.type, value)
        self.nodes.append(node)
        return value

    def _octets(self, name: str, size: int, text: str, secret: bool = False) -> None:
        node = Node(name, self.place, self._stream.read(size), "", text)
        node.secret = secret
        self.nodes.append(node)

    def _new(self, name: str, declared: Any) -> Node:
        node = Node(name, self.place)
        if declared is not None:
            node.type, node.spec = type_name(declared), section(declared)
        return node


@cache
def _all_fields(record: type[Record]) -> list[tuple[str, Any]]:
    return [(name, wire_of(annotation)) for name, annotation in record.fields()]


@cache
def _secret_fields(record: type[Record]) -> frozenset[str]:
    return frozenset(name for name, annotation in record.fields() if is_secret(annotation))
