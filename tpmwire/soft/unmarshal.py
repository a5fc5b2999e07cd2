"""Unmarshals a command like a TPM, with the response code of the first invalid value (Part 3, §5).

The client's parser accepts values that future TPMs may define. A TPM must refuse each unsupported value and name
the invalid parameter. This parser therefore checks every value against the declarations of `tpmwire.spec`.
"""

import io
from typing import Any

from ..errors import DecodeError
from ..record import Record, Struct
from ..spec.command import role_of
from ..spec.constants import TPM_ALG, TPM_RH, TPMA_NV, TPMA_OBJECT
from ..spec.names import type_name
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPM2B_SENSITIVE, TPMT_PUBLIC, TPMT_SENSITIVE
from ..wires import Counted, Number, Select, Sized, SizedRecord, YesNo, bytes_left, wire_of
from . import postquantum
from .interfaces import HASHES, LIMITS, MACS, NULL_HANDLES, NULL_HASHES, VALUES, handle_types
from .refusal import Refusal

__all__ = ["read_handles", "read_parameters", "read_sensitive", "read_template"]

HANDLE_PARAMETERS = ("TPMI_DH_CONTEXT", "TPMI_DH_PERSISTENT", "TPMI_DH_SAVED")
"""Types of handles that commands have as parameters."""

RESERVED = {TPMA_OBJECT: ~0x000F0CF6, TPMA_NV: ~0xFE0FFCFF}
"""Reserved bits of each attribute type, which must be clear."""


def read_handles(kind: type[Record], stream: io.BytesIO) -> tuple[int, ...]:
    """Returns the handles of a command. Raises Refusal with the handle's number for an invalid handle type."""
    handles: list[int] = []
    for name, annotation in kind.fields():
        if role_of(annotation) is None:
            continue
        wire = wire_of(annotation)
        number = len(handles) + 1
        if bytes_left(stream) < 4:
            raise Refusal(TPM_RC.INSUFFICIENT, handle=number)
        handle = wire._parse(stream, {}, "")
        null = handle == TPM_RH.NULL and (kind.__name__, name) in NULL_HANDLES
        refused = handle == TPM_RH.NULL and (kind.__name__, name) == ("HierarchyControl", "auth_handle")
        if refused or (not null and not handle_types(type_name(wire))(handle)):
            raise Refusal(TPM_RC.VALUE, handle=number)
        handles.append(handle)
    return tuple(handles)


def read_template(data: bytes) -> TPMT_PUBLIC:
    """Returns the template in a TPM2B_TEMPLATE of TPM2_CreateLoaded. Raises Refusal if it is not valid."""
    stream = io.BytesIO(data)
    found: TPMT_PUBLIC = _read_struct(TPMT_PUBLIC.wire(), stream)
    if bytes_left(stream):
        raise Refusal(TPM_RC.SIZE)
    return found


def read_sensitive(data: bytes) -> TPMT_SENSITIVE:
    """Returns the sensitive area in TPM2B_SENSITIVE bytes. Raises Refusal if the bytes are not valid."""
    if len(data) >= 2 and int.from_bytes(data[:2], "big") != len(data) - 2:
        raise Refusal(TPM_RC.SIZE)
    found = _read(wire_of(TPM2B_SENSITIVE), io.BytesIO(data), {}, ("TPM2B_SENSITIVE", ""))
    if not isinstance(found, TPMT_SENSITIVE):
        raise Refusal(TPM_RC.SIZE)
    return found


def read_parameters(kind: type[Record], handles: tuple[int, ...], data: bytes) -> Any:
    """Returns the command with `handles` and the parameters in `data`. Raises Refusal for an invalid parameter."""
    stream = io.BytesIO(data)
    values: dict[str, Any] = {}
    given, number = iter(handles), 0
    for name, annotation in kind.fields():
        if role_of(annotation) is not None:
            values[name] = next(given)
            continue
        number += 1
        try:
            values[name] = _read(wire_of(annotation), stream, values, (kind.__name__, name))
        except Refusal as refusal:
            raise Refusal(refusal.code, parameter=number, reason=refusal.reason) from None
    if bytes_left(stream):
        raise Refusal(TPM_RC.SIZE)
    return kind._from(values)


def _read(wire: Any, stream: io.BytesIO, context: dict[str, Any], where: tuple[str, str]) -> Any:
    """Returns the next value from the stream. `where` is (structure, field) of the value.

    `wire` is the declaration of the value. `context` contains the fields that precede the value in its structure.
    """
    match wire:
        case Struct():
            return _read_struct(wire, stream)
        case SizedRecord():
            return _read_sized(wire, stream, context, where)
        case Sized():
            return _read_buffer(wire, stream)
        case Counted():
            return _read_list(wire, stream, context, where)
        case Select():
            member = wire.member(context)
            if member is None:
                raise Refusal(TPM_RC.SELECTOR)
            return _read(member, stream, context, where)
    value = _parse(wire, stream, context)
    if isinstance(wire, (Number, YesNo)):
        _check(wire, value, where)
    return value


def _read_struct(wire: Struct, stream: io.BytesIO, *, nameless: bool = False) -> Any:
    values: dict[str, Any] = {}
    for name, field in wire.fields:
        where = ("nameless" if nameless else wire.record.__name__, name)
        values[name] = _read(field, stream, values, where)
    return wire.record._from(values)


def _read_sized(wire: SizedRecord, stream: io.BytesIO, context: dict[str, Any], where: tuple[str, str]) -> Any:
    # Only TPM2_LoadExternal takes a public area without a nameAlg.
    nameless = where == ("LoadExternal", "in_public")
    size = _number(stream, wire.size)
    if size == 0:
        if not wire.optional or type_name(wire) == "TPM2B_ECC_POINT":
            raise Refusal(TPM_RC.SIZE)
        return None
    start = stream.tell()
    if nameless:
        value = _read_struct(wire.inner, stream, nameless=True)
    else:
        value = _read(wire.inner, stream, context, where)
    if stream.tell() - start != size:
        raise Refusal(TPM_RC.SIZE)
    return value


def _read_buffer(wire: Sized, stream: io.BytesIO) -> bytes:
    size = _number(stream, wire.size)
    if size > min(wire.limit, LIMITS.get(type_name(wire), wire.limit)):
        raise Refusal(TPM_RC.SIZE)
    if wire.size == 1 and size != 3:
        raise Refusal(TPM_RC.VALUE)  # sizeofSelect of a PCR selection
    return _take(stream, size)


def _read_list(wire: Counted, stream: io.BytesIO, context: dict[str, Any], where: tuple[str, str]) -> Any:
    count = _number(stream, 4)
    if count > min(wire.limit, 1024):
        raise Refusal(TPM_RC.SIZE)
    return tuple(_read(wire.element, stream, context, where) for _ in range(count))


def _check(wire: Any, value: int, where: tuple[str, str]) -> None:
    name = type_name(wire)
    allowed = VALUES.get(name)
    if where == ("TPMT_SIGNATURE", "sig_alg") and value == TPM_ALG.NULL:
        raise Refusal(TPM_RC.SCHEME)
    if where in MACS:
        allowed = (*HASHES, TPM_ALG.CMAC, TPM_ALG.NULL), TPM_RC.SYMMETRIC
    if name in HANDLE_PARAMETERS and not handle_types(name)(value):
        raise Refusal(TPM_RC.VALUE)
    if allowed is not None:
        values, code = allowed
        null_hash = name == "TPMI_ALG_HASH" and value == TPM_ALG.NULL and where not in NULL_HASHES
        if value not in values or null_hash:
            missing = name == "TPMI_ALG_PUBLIC" and value in postquantum.TYPES_OF_PACKAGES
            raise Refusal(code, reason=postquantum.MISSING if missing else "")
    kind: Any = getattr(wire, "kind", int)
    reserved = RESERVED.get(kind)
    if reserved is not None and value & reserved & 0xFFFFFFFF:
        raise Refusal(TPM_RC.RESERVED_BITS)
    if where[1] == "key_bits" and name == "UINT16" and value not in (128, 192, 256):
        raise Refusal(TPM_RC.VALUE)


def _number(stream: io.BytesIO, size: int) -> int:
    return int.from_bytes(_take(stream, size), "big")


def _take(stream: io.BytesIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Refusal(TPM_RC.INSUFFICIENT)
    return data


def _parse(wire: Any, stream: io.BytesIO, context: dict[str, Any]) -> Any:
    try:
        return wire._parse(stream, context, "")
    except DecodeError:
        raise Refusal(TPM_RC.INSUFFICIENT) from None
