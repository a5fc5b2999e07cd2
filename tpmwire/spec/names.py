"""Names of types and fields in the standard, and the sections that define them."""

import re
from enum import IntEnum
from functools import cache
from importlib import import_module
from typing import Any

from ..record import Declared, Record, Struct
from ..wires import Fixed, Number, SizedRecord, wire_of
from .commands import CHAPTERS

__all__ = ["constant_name", "field_name", "full_name", "purpose", "section", "type_name"]

_SECTIONS = {
    "TPMI_YES_NO": "9.2",
    "TPMI_DH_OBJECT": "9.3",
    "TPMI_DH_PARENT": "9.4",
    "TPMI_DH_PERSISTENT": "9.5",
    "TPMI_DH_ENTITY": "9.6",
    "TPMI_DH_PCR": "9.7",
    "TPMI_SH_AUTH_SESSION": "9.8",
    "TPMI_SH_HMAC": "9.9",
    "TPMI_SH_POLICY": "9.10",
    "TPMI_DH_CONTEXT": "9.11",
    "TPMI_DH_SAVED": "9.12",
    "TPMI_RH_HIERARCHY": "9.13",
    "TPMI_RH_ENABLES": "9.14",
    "TPMI_RH_HIERARCHY_AUTH": "9.15",
    "TPMI_RH_HIERARCHY_POLICY": "9.16",
    "TPMI_RH_PLATFORM": "9.17",
    "TPMI_RH_OWNER": "9.18",
    "TPMI_RH_ENDORSEMENT": "9.19",
    "TPMI_RH_PROVISION": "9.20",
    "TPMI_RH_CLEAR": "9.21",
    "TPMI_RH_NV_AUTH": "9.22",
    "TPMI_RH_LOCKOUT": "9.23",
    "TPMI_RH_NV_INDEX": "9.24",
    "TPMI_RH_AC": "9.25",
    "TPMI_RH_ACT": "9.26",
    "TPMI_ALG_HASH": "9.27",
    "TPMI_ALG_ASYM": "9.28",
    "TPMI_ALG_SYM": "9.29",
    "TPMI_ALG_SYM_OBJECT": "9.30",
    "TPMI_ALG_SYM_MODE": "9.31",
    "TPMI_ALG_KDF": "9.32",
    "TPMI_ALG_SIG_SCHEME": "9.33",
    "TPMI_ECC_KEY_EXCHANGE": "9.34",
    "TPMI_ST_COMMAND_TAG": "9.35",
    "TPMI_ALG_MAC_SCHEME": "9.36",
    "TPMI_ALG_CIPHER_MODE": "9.37",
    "TPMI_ST_ATTEST": "10.12.10",
    "TPMI_ALG_KEYEDHASH_SCHEME": "11.1.19",
    "TPMI_ALG_RSA_SCHEME": "11.2.4.1",
    "TPMI_ALG_RSA_DECRYPT": "11.2.4.3",
    "TPMI_RSA_KEY_BITS": "11.2.4.6",
    "TPMI_ALG_ECC_SCHEME": "11.2.5.4",
    "TPMI_ECC_CURVE": "11.2.5.5",
    "TPMI_ALG_PUBLIC": "12.2.2",
    "TPM_HANDLE": "7.1",
    "TPM_RC": "6.6",
    "TPM2B_DIGEST": "10.4.2",
    "TPM2B_DATA": "10.4.3",
    "TPM2B_NONCE": "10.4.4",
    "TPM2B_AUTH": "10.4.5",
    "TPM2B_OPERAND": "10.4.6",
    "TPM2B_EVENT": "10.4.7",
    "TPM2B_MAX_BUFFER": "10.4.8",
    "TPM2B_MAX_NV_BUFFER": "10.4.9",
    "TPM2B_TIMEOUT": "10.4.10",
    "TPM2B_IV": "10.4.11",
    "TPM2B_NAME": "10.5.3",
    "TPM2B_ATTEST": "10.12.13",
    "TPM2B_SYM_KEY": "11.1.8",
    "TPM2B_LABEL": "11.1.10",
    "TPM2B_DERIVE": "11.1.12",
    "TPM2B_SENSITIVE_DATA": "11.1.14",
    "TPM2B_SENSITIVE_CREATE": "11.1.16",
    "TPM2B_PUBLIC_KEY_RSA": "11.2.4.5",
    "TPM2B_PRIVATE_KEY_RSA": "11.2.4.7",
    "TPM2B_ECC_PARAMETER": "11.2.5.1",
    "TPM2B_ECC_POINT": "11.2.5.3",
    "TPM2B_ENCRYPTED_SECRET": "11.4.3",
    "TPM2B_PUBLIC": "12.2.5",
    "TPM2B_TEMPLATE": "12.2.6",
    "TPM2B_SENSITIVE": "12.3.3",
    "TPM2B_PRIVATE": "12.3.7",
    "TPM2B_ID_OBJECT": "12.4.3",
    "TPM2B_NV_PUBLIC": "13.6",
    "TPM2B_CONTEXT_DATA": "14.4",
    "TPM2B_CREATION_DATA": "15.2",
    "TPML_CC": "10.9.1",
    "TPML_CCA": "10.9.2",
    "TPML_ALG": "10.9.3",
    "TPML_HANDLE": "10.9.4",
    "TPML_DIGEST": "10.9.5",
    "TPML_DIGEST_VALUES": "10.9.6",
    "TPML_PCR_SELECTION": "10.9.7",
    "TPML_ALG_PROPERTY": "10.9.8",
    "TPML_TAGGED_TPM_PROPERTY": "10.9.9",
    "TPML_TAGGED_PCR_PROPERTY": "10.9.10",
    "TPML_ECC_CURVE": "10.9.11",
    "TPML_TAGGED_POLICY": "10.9.12",
    "TPML_ACT_DATA": "10.9.13",
}
"""Sections of Part 2 for types without a class; structures and constants have theirs in the docstring."""


@cache
def _names() -> dict[int, str]:
    """Returns the names of declared types, keyed by the `id()` of the type's construct."""
    modules = ["structures", "capabilities", "storage", "attestation", *(f"commands.{c}" for c in CHAPTERS)]
    names: dict[int, str] = {}
    for module in modules:
        for name, value in vars(import_module(f".{module}", __package__)).items():
            if isinstance(value, Declared):
                names.setdefault(id(wire_of(value)), name)
    return names


def type_name(declared: Any) -> str:
    """Returns the type name of an annotation or a construct, such as TPM2B_DIGEST; "" if it has none."""
    return _type_name(wire_of(declared))


@cache
def _type_name(wire: Any) -> str:
    name = _names().get(id(wire))
    if name is not None:
        # TPMA_OBJECT_BITS and the like are fields of type TPMA_OBJECT, whose name is the standard's.
        suffix = "_BITS" if name.startswith("TPMA") else "_ID" if name.startswith("TPM_") else "_OPTIONAL"
        return name.removesuffix(suffix)
    if isinstance(wire, Struct):
        return wire.record.__name__
    if isinstance(wire, Number):
        return wire.label
    if isinstance(wire, Fixed):
        return f"BYTE[{wire.size}]"
    inner = type_name(wire.inner) if isinstance(wire, SizedRecord) else ""
    return f"TPM2B_{inner[5:]}" if inner.startswith("TPM") else ""


def section(declared: Any) -> str:
    """Returns the section of the standard that defines a type, such as `Part 2 §12.2.4`; empty if unknown."""
    return _section(wire_of(declared))


@cache
def _section(wire: Any) -> str:
    number = _SECTIONS.get(type_name(wire))
    if number is None and isinstance(wire, Struct):
        number = _find_section(wire.record)
    if number is None and isinstance(wire, Number):
        number = _find_section(wire.kind)
    return f"Part 2 §{number}" if number else ""


def _find_section(kind: type) -> str | None:
    """Returns the section in a class's docstring, `(§12.2.4)` or `(Part 2, §6.3)`; or None."""
    doc = kind.__doc__ or ""
    start = doc.rfind("§")
    return doc[start + 1 : doc.index(")", start)] if start >= 0 and kind is not int else None


_CAPITALS = {"tpm", "pcr", "hmac", "id"}
"""Parts of names that the standard writes in capitals."""


def constant_name(member: IntEnum) -> str:
    """Returns the standard's name of a constant, such as `TPM_ALG_SHA256`."""
    return full_name(type(member).__name__, member.name)


def full_name(table: str, constant: str) -> str:
    """Returns the standard's name of a constant in a table: `TPM_MLKEM_768` for TPM_MLKEM and MLKEM_768."""
    name = f"{table}_{constant}"
    if name.startswith(("TPM_MLKEM_MLKEM_", "TPM_MLDSA_MLDSA_")):
        return f"TPM_{constant}"
    # This name has a different prefix from the others in its table (Part 2, §7.4).
    return "TPM_RS_PW" if name == "TPM_RH_PW" else name


@cache
def field_name(name: str) -> str:
    """Returns the standard's name of a field, such as `authPolicy` for `auth_policy`."""
    first, *others = name.rstrip("_").split("_")
    return first + "".join(part.upper() if part in _CAPITALS else part[:1].upper() + part[1:] for part in others)


@cache
def purpose(kind: type[Record] | None) -> str:
    """Returns the first paragraph of a class's docstring, in which fields have the standard's names."""
    text = " ".join(((kind.__doc__ if kind else None) or "").split("\n\n", maxsplit=1)[0].split())
    return re.sub(r"`(\w+)`", lambda found: field_name(found[1]), text)
