"""What the names of the standard mean: every name has a meaning, and no meaning is about an unknown name."""

import re
from enum import IntEnum, IntFlag

import pytest

from tests.support.verbs import Tool
from tpmwire.explain import texts
from tpmwire.explain.table import declarations, table_of
from tpmwire.explain.texts import command_errors, field_meaning, meaning, plain_name
from tpmwire.record import Record
from tpmwire.spec.command import Command
from tpmwire.spec.names import field_name
from tpmwire.spec.response_codes import TPM_RC

COMMANDS = {
    name: kind for name, kind in declarations().items() if isinstance(kind, type) and issubclass(kind, Command)
}
NUMBERS = {
    name: kind
    for name, kind in declarations().items()
    if isinstance(kind, type) and issubclass(kind, IntEnum | IntFlag)
}


def spelled(kind: type, member: object) -> str:
    return kind(member).described() if issubclass(kind, IntFlag) else member.name  # type: ignore[call-arg,attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_each_of_its_fields_has_a_meaning(name: str) -> None:
    kind = COMMANDS[name]
    fields = [field_name(field) for field, _ in (*kind.fields(), *kind.Response.fields())]
    assert meaning(name)
    assert [field for field in fields if not field_meaning(name, field)] == []
    assert [
        code for code, reason in command_errors(name) if code[7:] not in TPM_RC.__members__ or not reason
    ] == []


def test_most_commands_have_typical_errors() -> None:
    assert sum(bool(command_errors(name)) for name in COMMANDS) > len(COMMANDS) / 2


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "TPM_CC"])
def test_a_constant_has_a_meaning(name: str) -> None:
    kind = NUMBERS[name]
    assert meaning(name)
    assert [spelled(kind, member) for member in kind if not meaning(name, spelled(kind, member))] == []


def test_a_type_has_a_purpose() -> None:
    assert [name for name in declarations() if not (table_of(name).purpose or meaning(name))] == []


def test_a_name_without_meaning_is_found() -> None:
    assert meaning("TPMA_OBJECT", "fixedTPM")
    assert not meaning("TPMA_OBJECT", "fixedTMP")
    assert not field_meaning("TPM2_Create", "inSecret")


def test_no_meaning_is_about_an_unknown_name() -> None:
    known = {(name, "") for name in declarations()} | {("TPM2", "")}
    for name, kind in NUMBERS.items():
        known |= {(name, plain_name(spelled(kind, member))) for member in kind}
        known |= {(name, plain_name(alias)) for alias in kind.__members__}
    for name, kind in declarations().items():
        if isinstance(kind, type) and issubclass(kind, Record):
            records = (kind, kind.Response) if issubclass(kind, Command) else (kind,)
            fields = {plain_name(field_name(field)) for record in records for field, _ in record.fields()}
            known |= {(name, field) for field in fields}
            if issubclass(kind, Command):
                known |= {("TPM2", field) for field in fields}
    known |= {("TPM_RC", "referenceh"), ("TPM_RC", "references")}
    entries = {
        (name, plain_name(member)) for name, member, _ in texts._all_entries() if not member.startswith("!")
    }
    known |= {each for each in entries if each[0] == "TPM_HANDLE" and re.fullmatch("[0-9a-f]{8}", each[1])}
    assert sorted(entries - known) == []


def test_codes_that_a_text_names_exist() -> None:
    for name, member, text in texts._all_entries():
        for code in re.findall(r"TPM_RC_(\w+)", text):
            assert code in TPM_RC.__members__, (name, member)
        for command in re.findall(r"TPM2_(\w+)", text):
            assert f"TPM2_{command}" in declarations() or command in ("MAC", "MAC_Start"), (name, member)


def test_spec_and_explain_show_the_meaning(tool: Tool) -> None:
    for ran in (tool("spec", "TPMA_OBJECT"), tool("explain", "TPMA_OBJECT"), tool("explain", "0x40472")):
        assert "the object never leaves this TPM" in ran.out
    assert "all object slots are in use" in tool("explain", "0x902").out
    assert "at most as long as the EK's nameAlg" in tool("spec", "TPM2_MakeCredential").out
    assert "the parent is another key" in tool("explain", "tpm2_load").out
    assert all(len(line) <= 110 for line in tool("spec", "TPM2_StartAuthSession").out.splitlines()[1:])
