"""The meaning of a number or bytes as a type of the standard: `explain_value("TPMA_OBJECT", 0x40472)`."""

from enum import IntEnum, IntFlag
from typing import Any

from ..errors import DecodeError
from ..record import Record
from ..spec.codes import tpm_code
from ..spec.command import Command, command_class
from ..spec.constants import TPM_HT, TPM_RH, TPMA_NV, TPMA_NV_EXP
from ..spec.names import purpose, section
from ..spec.response_texts import explain
from ..spec.tss2_codes import LAYERS
from ..wires import Number, YesNo, byte_count, wire_of
from .meanings import value_words
from .table import declarations, size_of, wrap_line
from .texts import meaning
from .tree import Node
from .tss2_texts import tss2_text
from .walk import Walk
from .windows_codes import windows_code

__all__ = ["explain_octets", "explain_value"]


def explain_octets(name: str, octets: bytes) -> Node:
    """Returns the tree of `octets`, parsed as the type `name` of `declarations()`.

    After an error, the unread bytes, if any, are one last node, and the root's `error` describes the error. Raises
    DecodeError for a union or a command, and KeyError for an unknown name.
    """
    declared = declarations()[name]
    if isinstance(declared, type) and issubclass(declared, Command):
        raise DecodeError(f"{name} is a command; decode the whole message (explain_command, tpmwire decode)", 0, 0)
    if isinstance(declared, dict):
        raise DecodeError(f"{name} cannot be decoded on its own; decode the structure that contains it", 0, 0)
    walk = Walk(octets)
    error = ""
    try:
        with walk.area(len(octets)):
            walk.value(name, declared, {})
    except DecodeError as fault:
        error = str(fault)
    root = Node(name, 0, octets, "", byte_count(len(octets)))
    root.spec, root.error, root.children = section(declared), error, walk.nodes
    if len(walk.nodes) == 1 and not error:
        return walk.nodes[0]
    return root


def explain_value(name: str, value: int) -> list[str]:
    """Returns the meaning of `value`, as the type `name` of `declarations()`, in lines.

    An attribute word has a line for each set bit; a response code is split into its parts (Part 2, §6.6.1).
    Raises DecodeError if the type is not a number or is too small for the value, and KeyError for an unknown name.
    """
    declared: Any = declarations()[name]
    if isinstance(declared, type) and not issubclass(declared, Record):
        numbers: Any = declared
        wire: Any = Number(size_of(numbers), numbers)
    else:
        wire = None if isinstance(declared, dict) else wire_of(declared)
    if not isinstance(wire, (Number, YesNo)):
        raise DecodeError(f"{name} is not a numeric type", 0, 0)
    if value >> 8 * wire.least:
        raise DecodeError(f"0x{value:x} is too large for the {byte_count(wire.least)} of {name}", 0, wire.least)
    kind: Any = getattr(wire, "kind", int)
    if name == "TPM_RC":
        return _response_code(value)
    words = value_words(wire, name, value)
    if issubclass(kind, IntFlag):
        return [f"0x{value:x}: {words}", *_bits(kind, value)]
    if name == "TPM_CC":
        return [f"0x{value:x}: {words}", *_command(value)]
    if issubclass(kind, IntEnum):
        member: Any = kind(value)
        return [f"0x{value:x}: {words}", *_meaning_lines(kind.__name__, member.name)]
    if kind is int and (name == "TPM_HANDLE" or name.startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH"))):
        return [words, *_handle_lines(value)]
    return [words]


def _bits(kind: Any, value: int) -> list[str]:
    names = {int(flag): kind(flag).described() for flag in kind}
    if kind in (TPMA_NV, TPMA_NV_EXP):
        value &= ~0xF0
    set_bits = [bit for bit in range(value.bit_length()) if value >> bit & 1]
    lines = []
    for label, field in kind.numbers().items():
        low = (field & -field).bit_length() - 1
        text = meaning(kind.__name__, label)
        shown = f"{label} = {(value & field) >> low}" + f": {text}" * bool(text)
        lines += wrap_line(f"  bits {field.bit_length() - 1}:{low}  {shown}", 12)
        set_bits = [bit for bit in set_bits if not field >> bit & 1]
    for bit in set_bits:
        flag = names.get(1 << bit)
        text = meaning(kind.__name__, flag) if flag else ""
        shown = f"{flag}: {text}" if text else flag or "reserved, or part of a number"
        lines += wrap_line(f"  bit {bit:<2}  {shown}", 10)
    return lines


def _meaning_lines(name: str, member: str) -> list[str]:
    """Returns the meaning of a constant as lines, or an empty list for an unknown constant."""
    text = meaning(name, member)
    return wrap_line(f"  {text}", 2) if text else []


def _handle_lines(handle: int) -> list[str]:
    """Returns the meaning of a handle as lines: of the permanent handle, or of the handle type."""
    kind = handle >> 24
    known = TPM_RH(handle)
    if kind == TPM_HT.PERMANENT and known.known:
        return _meaning_lines("TPM_RH", known.name)
    if 0x40000110 <= handle <= 0x4000011F:
        return _meaning_lines("TPM_RH", "ACT_0")
    reserved = meaning("TPM_HANDLE", f"{handle:08x}")
    return wrap_line(f"  by convention: {reserved}", 2) * bool(reserved) + _meaning_lines(
        "TPM_HT", TPM_HT(kind).name
    )


def _command(code: int) -> list[str]:
    kind = command_class(code)
    return [f"  {purpose(kind)} ({kind.spec}; tpmwire spec TPM2_{kind.code.name})"] if kind else []


def _place(rc: int, number: int | None) -> str:
    """Returns the line that explains the bits with the number of a handle, parameter or session."""
    if rc < 0xC0:
        return "  bits 11:8 and 6 are 0: the code alone, without the number of a handle, parameter or session"
    kind = "parameter" if rc & 0x040 else "session" if rc & 0x800 else "handle"
    bits = "bit 6 is set" if rc & 0x040 else f"bit 6 is clear, bit 11 {'set' if rc & 0x800 else 'clear'}"
    return f"  {bits}: {kind} {number or 'without a number'} (bits {'11' if rc & 0x040 else '10'}:8)"


def _response_code(rc: int) -> list[str]:
    """Returns the lines that explain a response code and its bits (Part 2, §6.6.1)."""
    found = explain(rc)
    lines = [f"0x{rc:x}: {found.name}: {found.description}"]
    if found.layer:
        lines.append(f"  bits 23:16 are 0x{found.layer:02x}: from {LAYERS[found.layer].purpose}")
        if tpm_code(rc) == rc:
            lines.append(f"  bits 15:0 are 0x{rc & 0xFFFF:04x}: an error of that layer, not of the TPM")
            return [*lines, f"  tpm2-tools: {tss2_text(rc)}"]
        rc = tpm_code(rc)
        lines.append(f"  bits 11:0 are 0x{rc:03x}: a code of the TPM")
    if rc and not found.vendor:
        if rc & 0x080:
            lines.append("  bit 7 is set: format one, about a handle, parameter or session")
            lines.append(_place(rc, found.parameter or found.session or found.handle))
            lines.append(f"  bits 5:0 are 0x{rc & 0x3F:02x}: {found.name} is 0x{int(found.code):03x}")
        else:
            lines.append("  bit 7 is clear: format zero, about the command as a whole")
            lines.append(
                "  bit 11 is set: a warning; the same command may work later"
                if rc & 0x800
                else "  bit 11 is clear: an error"
            )
    causes = [] if found.vendor else _meaning_lines("TPM_RC", found.code.name)
    lines += causes or ([f"  {found.hint}"] if found.hint else [])
    if (windows := windows_code(rc)) is not None:
        lines.append(f"  {windows.name}, an error code of Windows (`tpmwire explain --as windows 0x{rc:x}`)")
    elif not found.vendor:
        lines.append(f"  tpm2-tools: {tss2_text(rc)}")
    return lines
