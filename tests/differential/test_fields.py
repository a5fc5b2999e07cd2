"""The fields of every structure and command are those that tpmstream has, by name and in order."""

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import tpmstream.spec.commands as their_commands
import tpmstream.spec.structures as their_structures

from tpmwire.explain.table import declarations
from tpmwire.record import Record
from tpmwire.spec.command import Command, role_of
from tpmwire.spec.names import field_name

DIFFER = {
    # Part 3 §28.4: flushHandle is a parameter, not in the handle area. The octets are the same.
    "TPMS_COMMAND_HANDLES_FLUSH_CONTEXT": ([], ["flushHandle"]),
    "TPMS_COMMAND_PARAMS_FLUSH_CONTEXT": (["flushHandle"], []),
    # Part 3: TPM2_FirmwareRead answers with fuData; sequenceNumber is what it is asked with.
    "TPMS_RESPONSE_PARAMS_FIRMWARE_READ": (["fuData"], ["sequenceNumber"]),
    # Points and scalars of Part 3 §19 in capitals: Python's names are small.
    "TPMS_COMMAND_PARAMS_COMMIT": (["p1", "s2", "y2"], ["P1", "s2", "y2"]),
    "TPMS_RESPONSE_PARAMS_COMMIT": (["k", "l", "e", "counter"], ["K", "L", "E", "counter"]),
    "TPMS_RESPONSE_PARAMS_EC_EPHEMERAL": (["q", "counter"], ["Q", "counter"]),
    "TPMS_COMMAND_PARAMS_QUOTE": (
        ["qualifyingData", "inScheme", "pcrSelect"],
        ["qualifyingData", "inScheme", "PCRselect"],
    ),
    # Version 1.85 adds metadata, empty for older tickets, and names the digest hmac.
    "TPMT_TK_VERIFIED": (["tag", "hierarchy", "metadata", "hmac"], ["tag", "hierarchy", "digest"]),
}
"""Ours and theirs, where they are not the same."""

# A size that is part of the value here; what is empty for every algorithm that there is.
LEFT_OUT = {"sizeofSelect", "details"}


def theirs() -> dict[str, list[str]]:
    """tpmstream's structures, and its handle and parameter areas."""
    found = {}
    for package in (their_structures, their_commands):
        for module in iter_modules(package.__path__):
            for name, value in vars(import_module(f"{package.__name__}.{module.name}")).items():
                if isinstance(value, type) and dataclasses.is_dataclass(value):
                    found[name] = [field.name for field in dataclasses.fields(value)]
    return found


def ours() -> Iterator[tuple[str, list[str]]]:
    """Ours, under the names that tpmstream gives."""
    for name, kind in declarations().items():
        if not isinstance(kind, type) or not issubclass(kind, Record):
            continue
        if not issubclass(kind, Command):
            yield name, [field_name(field) for field, _ in kind.fields()]
            continue
        for way, record in (("COMMAND", kind), ("RESPONSE", kind.Response)):
            for area, handles in (("HANDLES", True), ("PARAMS", False)):
                fields = [field_name(f) for f, a in record.fields() if (role_of(a) is not None) == handles]
                yield f"TPMS_{way}_{area}_{name.removeprefix('TPM2_')}", fields


def test_fields_are_tpmstreams() -> None:
    known = {name.replace("_", "").upper(): (name, fields) for name, fields in theirs().items()}
    compared, differing = 0, {}
    for name, fields in ours():
        found = known.get(name.replace("_", "").upper())
        if found is None:
            continue
        compared += 1
        # TPMT_SYM_DEF's details alone are left out; a scheme's are a field here too.
        other = [field for field in found[1] if field not in LEFT_OUT or field in fields]
        if fields != other:
            differing[found[0]] = (fields, other)
    assert differing == DIFFER
    assert compared > 500
