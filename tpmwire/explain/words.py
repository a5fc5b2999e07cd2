"""What a single value means, in words: handles, attribute words, selections, properties, text."""

from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import Any

from ..record import Encrypted, Number, Record, Sized, YesNo
from ..spec import capabilities, structures
from ..spec.constants import TPM_CC, TPM_HT, TPM_PT, TPM_RH, TPMA_NV

__all__ = ["handle_words", "summary", "value_words"]

LONGEST = 32
"""Octets shown of a long value."""

TEXTS = {
    TPM_PT.FAMILY_INDICATOR,
    TPM_PT.MANUFACTURER,
    TPM_PT.VENDOR_STRING_1,
    TPM_PT.VENDOR_STRING_2,
    TPM_PT.VENDOR_STRING_3,
    TPM_PT.VENDOR_STRING_4,
    TPM_PT.PS_FAMILY_INDICATOR,
}
"""Properties whose value is four characters."""


def handle_words(handle: int) -> str:
    """What a handle names (Part 2, §7)."""
    kind = handle >> 24
    if kind == TPM_HT.PCR:
        return f"PCR {handle}"
    if kind == TPM_HT.PERMANENT:
        known = TPM_RH(handle)
        return f"TPM_RH_{known.name}" if known.known else "permanent handle"
    names = {
        TPM_HT.NV_INDEX: "NV index",
        TPM_HT.HMAC_SESSION: "HMAC session",
        TPM_HT.POLICY_SESSION: "policy session",
        TPM_HT.EXTERNAL_NV: "external NV index",
        TPM_HT.PERMANENT_NV: "permanent NV index",
        TPM_HT.TRANSIENT: "transient object",
        TPM_HT.PERSISTENT: "persistent object",
        TPM_HT.AC: "attached component",
    }
    return names.get(TPM_HT(kind), "unknown kind of handle")


def value_words(wire: Any, type_name: str, value: Any) -> str:
    """A leaf's value in words."""
    if isinstance(value, Encrypted):
        return f"encrypted: {_octets(value)}"
    if value is None:
        return "(empty)"
    if isinstance(wire, YesNo):
        return {0: "no", 1: "yes"}.get(int(value), f"{value}: neither yes nor no")
    if isinstance(wire, Number):
        return _number(wire, type_name, int(value))
    if isinstance(wire, Sized) and not value:
        return "(empty)"
    return _octets(value) if isinstance(value, bytes) else repr(value)


def _number(wire: Number, type_name: str, value: int) -> str:
    if wire.kind is TPMA_NV:
        return f"{TPMA_NV(value & ~0xF0).described()}, type {value >> 4 & 0xF}"
    if issubclass(wire.kind, IntFlag):
        flags: Any = wire.kind(value)
        return str(flags.described())
    if issubclass(wire.kind, IntEnum):
        member: Any = wire.kind(value)
        return f"{wire.kind.__name__}_{member.name}" if member.known else f"0x{value:x}: not in this table"
    if "HANDLE" in type_name or type_name.startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH")):
        return f"0x{value:08x}, {handle_words(value)}"
    if type_name == "TPM_RC_ID":
        from ..spec.response_codes import explain

        return explain(value).name
    return f"{value}"


def _octets(value: bytes) -> str:
    shown = value[:LONGEST].hex() + ("..." if len(value) > LONGEST else "")
    text = value.rstrip(b"\0")
    readable = len(text) > 2 and all(0x20 <= octet < 0x7F for octet in text)
    return f"{shown} ({len(value)} octets)" + (f" {text.decode()!r}" if readable else "")


def summary(value: Any) -> str:
    """A structure in one line, for those that have one; else nothing."""
    rule = _SUMMARIES.get(type(value))
    return rule(value) if rule is not None else ""


def _selection(value: Any) -> str:
    pcrs = [n for n in range(8 * len(value.pcr_select)) if value.pcr_select[n // 8] >> n % 8 & 1]
    return f"{value.hash.name.lower()}:{','.join(map(str, pcrs)) or 'none'}"


def _property(value: Any) -> str:
    text = value.value.to_bytes(4, "big")
    shown = repr(text.rstrip(b"\0").decode("latin-1")) if value.property in TEXTS else f"0x{value.value:x}"
    return f"TPM_PT_{value.property.name} = {shown}"


_SUMMARIES: dict[type[Record], Callable[[Any], str]] = {
    structures.TPMS_PCR_SELECTION: _selection,
    capabilities.TPMS_TAGGED_PROPERTY: _property,
    capabilities.TPMS_ALG_PROPERTY: lambda v: f"TPM_ALG_{v.alg.name}: {v.alg_properties.described()}",
}


def command_name(code: int) -> str:
    """`TPM2_GetRandom`, or the code in hex."""
    known = TPM_CC(code)
    return f"TPM2_{known.name}" if known.known else f"command 0x{code:08x}"
