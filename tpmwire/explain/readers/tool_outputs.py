"""Recognizes what tpm2-tools print: capabilities, PCR values, public areas of keys and NV indices."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from ...errors import DecodeError
from ...policy.pcr_selection import bank_name
from ...spec.attestation import TPMS_ATTEST
from ...spec.properties import TPM_PT
from ..lookup import find_name
from ..reading import Reading
from ..texts import meaning
from ..tree import Node
from ..value import explain_value
from .structures import HASH_SIZES, tree_of
from .words import pcr_use

__all__ = ["read_tool_output"]

LARGEST = 1 << 17
"""Maximum size of an output in bytes."""

_Fields = dict[str, Any]
"""{key: text, or the fields below it}."""

_LINE = re.compile(r"( *)(?:- )?([^\s:][^:]*?) ?:(?: +(.*))?")
_HANDLE = re.compile(r"- 0x[0-9A-Fa-f]{1,8}")
_FAULTS = (ValueError, OverflowError, KeyError, AttributeError, TypeError, DecodeError)
"""What an output of an unknown version can raise."""

_BANKS = {bank_name(alg): size for alg, size in HASH_SIZES.items()}
_HANDLE_KINDS = {
    0x00: "pcr",
    0x01: "nv-index",
    0x02: "loaded-session",
    0x03: "saved-session",
    0x40: "permanent",
    0x80: "transient",
    0x81: "persistent",
}
_VARIABLE = {name for name, number in TPM_PT.__members__.items() if number >= 0x200}
_PROGRAMS: tuple[tuple[set[str], str], ...] = (
    ({"name-alg", "attributes", "type"}, "tpm2_readpublic, tpm2_create or tpm2_createprimary"),
    ({"quoted", "signature"}, "tpm2_quote"),
    ({"time", "clock_info"}, "tpm2_readclock"),
    ({"persistent-handle"}, "tpm2_evictcontrol"),
    ({"nv-index"}, "tpm2_nvdefine"),
    ({"loaded-key"}, "tpm2_createak"),
    ({"certinfodata"}, "tpm2_activatecredential"),
)
"""(keys, program) of outputs that have one value of each kind."""


def read_tool_output(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation as the output of a program of tpm2-tools, with the meaning of each value."""
    if len(data) > LARGEST or not data.isascii():
        return
    lines = [line.rstrip() for line in data.decode().splitlines()]
    lines = [line for line in lines if line and not line.startswith(("$ ", "# ", "---"))]
    if "events:" in lines[:2] and any(line.startswith("- EventNum:") for line in lines[:5]):
        yield Reading("the output of tpm2_eventlog; `tpmwire eventlog` explains the log itself", [])
    elif all(map(_HANDLE.fullmatch, lines)):
        yield from _read_handles([int(line[2:], 16) for line in lines])
    else:
        yield from _read_fields(_parse(lines))


def _read_fields(fields: _Fields) -> Iterator[Reading]:
    for holds, read in _OUTPUTS if fields else ():
        if all(holds(key, value) for key, value in fields.items()):
            with suppress(*_FAULTS):
                yield _output(*read(fields))
                return
    for keys, program in _PROGRAMS:
        if keys <= fields.keys():
            with suppress(*_FAULTS):
                reading = _output(program, "", [_field(key, value) for key, value in fields.items()])
                if "quoted" in keys:
                    reading.trees.append(tree_of("quoted", TPMS_ATTEST, bytes.fromhex(fields["quoted"])))
                yield reading
            return


def _output(kind: str, what: str, found: list[Node]) -> Reading:
    root = Node(kind, 0, b"", "", what)
    root.beside = found
    return Reading(f"the output of {kind}", [root])


def _parse(lines: list[str]) -> _Fields:
    """Returns the fields of a YAML text with one key on each line; no fields if it has any other line."""
    root: _Fields = {}
    levels = [(-1, root)]
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            return {}
        while len(levels) > 1 and levels[-1][0] >= len(found[1]):
            levels.pop()
        inner: _Fields = {}
        levels[-1][1][found[2]] = found[3].strip('"') if found[3] else inner
        if not found[3]:
            levels.append((len(found[1]), inner))
    return root


def _read_handles(handles: list[int]) -> Iterator[Reading]:
    kinds = {_HANDLE_KINDS.get(handle >> 24, "") for handle in handles}
    if len(kinds) == 1 and (kind := kinds.pop()):
        found = [_value("TPM_HANDLE", f"0x{handle:08x}", handle) for handle in handles]
        yield _output(f"tpm2_getcap handles-{kind}", _count(len(found), "handle"), found)


def _value(name: str, key: str, number: int, size: int = 4) -> Node:
    """Returns the node of a number with its meaning as the type `name`."""
    first, *more = explain_value(name, number)
    text = first.removeprefix(f"0x{number:08x}, ").removeprefix(f"0x{number:x}: ")
    node = Node(key, 0, number.to_bytes(size, "big"), name, text)
    if name == "TPM_HANDLE" and number < 24:
        node.text = f"PCR {number}: {pcr_use(number)}"
    elif name == "TPMA_CC":
        node.text = _join(text, meaning(text.partition(",")[0]))
    elif name in ("TPMA_OBJECT", "TPMA_NV"):
        flags = text.partition(",")[0].split("|")
        node.children = [Node(flag, 0, b"", "", meaning(name, flag)) for flag in flags]
    else:
        node.text = _join(text, " ".join(line.strip() for line in more))
    return node


def _field(key: str, value: Any) -> Node:
    """Returns the node of any field and of the fields below it."""
    if key in ("nv-index", "persistent-handle"):
        return _value("TPM_HANDLE", key, int(value, 16))
    if not isinstance(value, dict):
        return Node(key, 0, b"", "", value)
    if key == "attributes" and "raw" in value:
        return _value("TPMA_OBJECT", key, int(value["raw"], 16))
    if value.keys() == {"value", "raw"}:
        return Node(key, 0, b"", "", value["value"])
    node = Node(key, 0)
    node.children = [_field(inner, each) for inner, each in value.items()]
    return node


def _join(*texts: str) -> str:
    return ": ".join(filter(None, texts))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _words(key: str) -> str:
    """Returns the meaning of a constant by its name in tpm2-tools, such as TPM2_PT_MANUFACTURER, or ""."""
    found = find_name(key)
    return meaning(found[0], found[1] or "") if found is not None else ""


def _read_commands(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = [_value("TPMA_CC", key, int(value["value"], 16)) for key, value in fields.items()]
    return "tpm2_getcap commands", _count(len(found), "command"), found


def _read_algorithms(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = [_value("TPM_ALG", key, int(value["value"], 16), 2) for key, value in fields.items()]
    return "tpm2_getcap algorithms", _count(len(found), "algorithm"), found


def _read_curves(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = [_value("TPM_ECC", key, int(value, 16), 2) for key, value in fields.items()]
    return "tpm2_getcap ecc-curves", _count(len(found), "curve"), found


def _read_properties(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = []
    for key, value in fields.items():
        inner = value if isinstance(value, dict) else {"raw": value}
        shown = inner.get("value") or inner.get("raw", "")
        node = Node(key, 0, b"", "", _join(shown, _words(key)))
        if "raw" in inner:
            node.octets = int(inner["raw"], 0).to_bytes(4, "big")
        kind = "TPMA_" + key.split("_PT_")[-1]
        bits = {name: bit for name, bit in inner.items() if name not in ("raw", "value")}
        node.children = [
            Node(name, 0, b"", "", _join(bit, meaning(kind, name) * (bit == "1"))) for name, bit in bits.items()
        ]
        found.append(node)
    constants = [find_name(key) for key in fields]
    variable = all(each is None or each[1] in _VARIABLE for each in constants)
    return f"tpm2_getcap properties-{'variable' if variable else 'fixed'}", f"{len(found)} properties", found


def _read_banks(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = [
        Node(bank, 0, b"", "", value.strip("[ ]") or "none") for bank, value in fields["selected-pcrs"].items()
    ]
    return "tpm2_getcap pcrs", "the PCRs of each bank", found


def _read_pcrs(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = []
    for bank, values in fields.items():
        for number, value in (values or {}).items():
            octets = bytes.fromhex(value.removeprefix("0x"))
            if len(octets) != _BANKS[bank]:
                raise ValueError(value)
            found.append(Node(f"{bank}:{number}", 0, octets, "", pcr_use(int(number))))
    return "tpm2_pcrread", _count(len(found), "PCR value"), found


def _read_digests(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = [Node(bank, 0, bytes.fromhex(value)) for bank, value in fields.items()]
    if any(len(node.octets) != _BANKS[node.name] for node in found):
        raise ValueError(fields)
    return "tpm2_pcrevent", "the digests of the data, one for each PCR bank", found


def _read_indices(fields: _Fields) -> tuple[str, str, list[Node]]:
    found = []
    for key, value in fields.items():
        node = _value("TPM_HANDLE", key, int(key, 16))
        node.children = [_field(name, each) for name, each in value.items() if name != "attributes"]
        node.children.append(_value("TPMA_NV", "attributes", int(value["attributes"]["value"], 16)))
        found.append(node)
    return "tpm2_nvreadpublic", f"{len(found)} NV ind{'ices' if found[1:] else 'ex'}", found


_OUTPUTS: tuple[tuple[Callable[[str, Any], bool], Callable[[_Fields], tuple[str, str, list[Node]]]], ...] = (
    (lambda key, value: "commandIndex" in value, _read_commands),
    (lambda key, value: "asymmetric" in value and "hash" in value, _read_algorithms),
    (lambda key, value: key.startswith(("TPM2_PT_", "TPM_PT_")), _read_properties),
    (lambda key, value: key.startswith(("TPM2_ECC_", "TPM_ECC_")), _read_curves),
    (lambda key, value: key == "selected-pcrs", _read_banks),
    (lambda key, value: key in _BANKS and isinstance(value, dict), _read_pcrs),
    (lambda key, value: key in _BANKS and isinstance(value, str), _read_digests),
    (lambda key, value: key.startswith("0x") and "hash algorithm" in value, _read_indices),
)
"""(whether a field can be in the output, reader of the fields) of outputs that are lists."""
