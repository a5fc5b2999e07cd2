"""Describes single values in words: handles, attribute words, selections, Names, properties, text."""

from collections.abc import Callable
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any

from ..record import Record
from ..spec import attestation, capabilities, structures
from ..spec.commands.capability import GetCapability
from ..spec.commands.components import TPMS_AC_OUTPUT
from ..spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_GENERATED_VALUE, TPM_HT, TPM_RH
from ..spec.firmware import firmware_version
from ..spec.names import constant_name
from ..spec.properties import (
    TPM_AE,
    TPM_AT,
    TPM_CAP,
    TPM_NT,
    TPM_PS,
    TPM_PT,
    TPM_PUB_KEY,
    TPMA_CC,
    TPMA_MEMORY,
    TPMA_ML_PARAMETER_SET,
    TPMA_MODES,
    TPMA_NV,
    TPMA_NV_EXP,
    TPMA_PERMANENT,
    TPMA_STARTUP_CLEAR,
)
from ..spec.response_texts import explain
from ..wires import Empty, Number, YesNo, byte_count

__all__ = [
    "CLEARTEXT",
    "command_name",
    "element_words",
    "field_words",
    "handle_words",
    "octets_words",
    "summary",
    "value_words",
]

CLEARTEXT = "in cleartext"
"""Part of the meaning of a password that crosses the bus without encryption."""

_TEXTS = {
    TPM_PT.FAMILY_INDICATOR,
    TPM_PT.MANUFACTURER,
    TPM_PT.VENDOR_STRING_1,
    TPM_PT.VENDOR_STRING_2,
    TPM_PT.VENDOR_STRING_3,
    TPM_PT.VENDOR_STRING_4,
    TPM_PT.PS_FAMILY_INDICATOR,
}
"""Properties whose value is four characters."""

_WORDS = {
    TPM_PT.PERMANENT: TPMA_PERMANENT,
    TPM_PT.STARTUP_CLEAR: TPMA_STARTUP_CLEAR,
    TPM_PT.MEMORY: TPMA_MEMORY,
    TPM_PT.MODES: TPMA_MODES,
    TPM_PT.ML_PARAMETER_SETS: TPMA_ML_PARAMETER_SET,
}
"""Properties whose value is an attribute word."""

_KINDS = {
    TPM_HT.NV_INDEX: "NV index",
    TPM_HT.HMAC_SESSION: "HMAC session",
    TPM_HT.POLICY_SESSION: "policy session",
    TPM_HT.EXTERNAL_NV: "external NV index",
    TPM_HT.PERMANENT_NV: "permanent NV index",
    TPM_HT.TRANSIENT: "transient object",
    TPM_HT.PERSISTENT: "persistent object",
    TPM_HT.AC: "attached component",
}


def command_name(code: int) -> str:
    """Returns the name of a command code, such as `TPM2_GetRandom`, or the code in hex."""
    known = TPM_CC(code)
    return f"TPM2_{known.name}" if known.known else f"command 0x{code:08x}"


def handle_words(handle: int) -> str:
    """Returns the name of the entity, or of the kind of entity, that a handle refers to (Part 2, §7)."""
    kind = handle >> 24
    if kind == TPM_HT.PCR:
        return f"PCR {handle}"
    if kind == TPM_HT.PERMANENT:
        known = TPM_RH(handle)
        return constant_name(known) if known.known else "permanent handle"
    return _KINDS.get(TPM_HT(kind), "unknown kind of handle")


def value_words(wire: Any, type_name: str, value: Any) -> str:
    """Returns the meaning, in words, of a value that is not a structure, such as a handle or a number.

    `wire` is the construct and `type_name` the standard's name of the value's type.
    """
    if isinstance(wire, Empty):
        return "nothing, as its selector requires"
    if isinstance(wire, YesNo):
        return {0: "no", 1: "yes"}.get(int(value), f"{value}: not a valid TPMI_YES_NO")
    if isinstance(wire, Number):
        kind: Any = wire.kind  # a class is hashable, which type checkers do not know of subclasses of int
        return _number(kind, type_name, int(value))
    return byte_count(len(value))


@lru_cache(4096)
def _number(kind: Any, type_name: str, value: int) -> str:
    if kind in (TPMA_NV, TPMA_NV_EXP):
        of_type = TPM_NT(value >> 4 & 0xF)
        return f"{kind(value & ~0xF0).described()}, TPM_NT_{of_type.name}"
    if kind is TPMA_CC:
        return _command_attributes(value)
    if issubclass(kind, IntFlag):
        flags: Any = kind(value)
        return str(flags.described())
    if issubclass(kind, IntEnum):
        member: Any = kind(value)
        return constant_name(member) if member.known else f"0x{value:x}: unknown"
    if type_name == "TPM_HANDLE" or type_name.startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH")):
        return f"0x{value:08x}, {handle_words(value)}"
    if type_name == "TPM_RC":
        meaning = explain(value)
        return f"{meaning.name}: {meaning.description}"
    return f"{value}"


def _command_attributes(value: int) -> str:
    code = value & 0xFFFF | (0x20000000 if value & TPMA_CC.V else 0)
    handles = value >> 25 & 7
    rest = TPMA_CC(value & ~0x0E00FFFF)
    return f"{command_name(code)}, {handles} handle{'s' if handles != 1 else ''}, {rest.described()}"


def octets_words(type_name: str, octets: bytes) -> str:
    """Returns a description of a TPM2B's content: the size and, for a Name or readable text, its meaning."""
    if not octets:
        return "empty"
    size = byte_count(len(octets))
    if type_name == "TPM2B_NAME":
        return f"{size}, {_name(octets)}"
    text = octets.rstrip(b"\0")
    readable = len(text) > 2 and all(0x20 <= octet < 0x7F for octet in text)
    return f"{size}, {text.decode()!r}" if readable else size


def _name(octets: bytes) -> str:
    """Returns the meaning of a Name: a handle, or a hash algorithm and a digest (Part 1, §16)."""
    if len(octets) == 4:
        return f"the Name of {handle_words(int.from_bytes(octets, 'big'))}"
    hashed = TPM_ALG(int.from_bytes(octets[:2], "big"))
    return f"a Name ({hashed.name.lower()})" if hashed.known else "not a Name"


def field_words(field: tuple[type[Record], str] | None, values: dict[str, Any], value: Any) -> str:
    """Returns the meaning of a value in its field, or "" if the type alone explains the value.

    `field` is the record class and the field's name. `values` contains the preceding fields of the record.
    """
    rule = _BY_PLACE.get(field) if field is not None else None
    return rule(values, value) if rule is not None else ""


def _property(values: dict[str, Any], value: int) -> str:
    name = values["property"]
    # Some TPMs return a TPM_PS number for this property, others "2.0" as for FAMILY_INDICATOR.
    if name == TPM_PT.PS_FAMILY_INDICATOR and TPM_PS(value).known:
        return constant_name(TPM_PS(value))
    if name in _TEXTS:
        return repr(value.to_bytes(4, "big").rstrip(b"\0").decode("latin-1"))
    if name in (TPM_PT.REVISION, TPM_PT.PS_REVISION):
        return f"{value // 100}.{value % 100:02}"
    if name in _WORDS:
        return _WORDS[name](value).described()
    if name in (TPM_PT.FIRMWARE_VERSION_1, TPM_PT.FIRMWARE_VERSION_2):
        return f"{value >> 16}.{value & 0xFFFF}"
    if name in (TPM_PT.CONTEXT_HASH, TPM_PT.CONTEXT_SYM):
        return f"TPM_ALG_{TPM_ALG(value).name}"
    return f"{value}"


def _describe_property(values: dict[str, Any], value: int) -> str:
    kinds: dict[Any, Callable[[int], str]] = {
        TPM_CAP.ALGS: lambda v: f"TPM_ALG_{TPM_ALG(v).name}",
        TPM_CAP.HANDLES: lambda v: f"0x{v:08x}, {handle_words(v)}",
        TPM_CAP.COMMANDS: command_name,
        TPM_CAP.PP_COMMANDS: command_name,
        TPM_CAP.AUDIT_COMMANDS: command_name,
        TPM_CAP.TPM_PROPERTIES: lambda v: f"TPM_PT_{TPM_PT(v).name}",
        TPM_CAP.PUB_KEYS: lambda v: constant_name(TPM_PUB_KEY(v)) if TPM_PUB_KEY(v).known else f"0x{v:x}",
        TPM_CAP.ECC_CURVES: lambda v: f"TPM_ECC_{TPM_ECC(v).name}",
    }
    say = kinds.get(values["capability"])
    return f"from {say(value)} on" if say is not None else ""


def _component_data(values: dict[str, Any], value: int) -> str:
    known = TPM_AE(value)
    return constant_name(known) if values["tag"] == TPM_AT.ERROR and known.known else ""


def _milliseconds(_values: dict[str, Any], value: int) -> str:
    return f"{value} ms"


def _pcrs(select: bytes) -> str:
    return ",".join(str(n) for n in range(8 * len(select)) if select[n // 8] >> n % 8 & 1)


def _describe_selection(_values: dict[str, Any], value: bytes) -> str:
    return f"PCR {_pcrs(value)}" if any(value) else "no PCR"


def _authorization(values: dict[str, Any], value: bytes) -> str:
    if values["session_handle"] != TPM_RH.PW:
        return ""
    return f"a password of {byte_count(len(value))}, {CLEARTEXT}" if value else "empty: the empty password"


def _magic(_values: dict[str, Any], value: int) -> str:
    return "TPM_GENERATED_VALUE" if value == TPM_GENERATED_VALUE else "not TPM_GENERATED_VALUE"


_BY_PLACE: dict[Any, Callable[[dict[str, Any], Any], str]] = {
    (GetCapability, "property_"): _describe_property,
    (capabilities.TPMS_TAGGED_PROPERTY, "value"): _property,
    (TPMS_AC_OUTPUT, "data"): _component_data,
    (structures.TPMS_PCR_SELECTION, "pcr_select"): _describe_selection,
    (capabilities.TPMS_TAGGED_PCR_SELECT, "pcr_select"): _describe_selection,
    (structures.TPMS_RSA_PARMS, "exponent"): lambda _, v: f"{v or '0, which is 65537'}",
    (structures.TPMS_RSA_PARMS, "key_bits"): lambda _, v: f"{v} bits",
    (structures.TPMS_AUTH_COMMAND, "hmac"): _authorization,
    (attestation.TPMS_ATTEST, "magic"): lambda _, v: (
        "TPM_GENERATED_VALUE" if v == TPM_GENERATED_VALUE else "wrong"
    ),
    (attestation.TPMS_CLOCK_INFO, "clock"): _milliseconds,
    (attestation.TPMS_TIME_INFO, "time"): _milliseconds,
}


def element_words(elements: tuple[Any, ...]) -> dict[int, tuple[str, str]]:
    """Returns {index: (list element, name of its last field)} for elements that other elements help to explain.

    For example, the manufacturer decides how the numbers of a firmware version are shown.
    """
    if not elements or type(elements[0]) is not capabilities.TPMS_TAGGED_PROPERTY:
        return {}
    found = {element.property: (n, element.value) for n, element in enumerate(elements)}
    if not {TPM_PT.MANUFACTURER, TPM_PT.FIRMWARE_VERSION_1, TPM_PT.FIRMWARE_VERSION_2} <= set(found):
        return {}
    number, second = found[TPM_PT.FIRMWARE_VERSION_2]
    version = firmware_version(found[TPM_PT.FIRMWARE_VERSION_1][1], second, found[TPM_PT.MANUFACTURER][1])
    last = ".".join(version.split(".")[2:])
    return {number: (f"TPM_PT_FIRMWARE_VERSION_2 = {last}: firmware version {version}", last)}


def summary(value: Any) -> str:
    """Returns a description of a structure in one line, or "" if the fields alone explain the structure."""
    rule = _SUMMARIES.get(type(value))
    return rule(value) if rule is not None else ""


def _selection(value: Any) -> str:
    return f"{value.hash.name.lower()}:{_pcrs(value.pcr_select) or 'none'}"


_SUMMARIES: dict[type[Record], Callable[[Any], str]] = {
    structures.TPMS_PCR_SELECTION: _selection,
    capabilities.TPMS_TAGGED_PROPERTY: lambda v: (
        f"TPM_PT_{v.property.name} = {_property({'property': v.property}, v.value)}"
    ),
    capabilities.TPMS_ALG_PROPERTY: lambda v: f"TPM_ALG_{v.alg.name}: {v.alg_properties.described()}",
}
