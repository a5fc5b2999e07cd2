"""Everything that is declared, built and parsed: the same value, the same octets, and no other error than ours."""

import io
import itertools
import os
import tracemalloc
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property.strategies import records
from tpmwire.errors import DecodeError, WireError
from tpmwire.record import Declared, Record
from tpmwire.spec import attestation, capabilities, storage, structures
from tpmwire.spec.command import Command, command_class
from tpmwire.spec.commands import CHAPTERS
from tpmwire.spec.commands.attestation import CertifyX509
from tpmwire.spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from tpmwire.spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from tpmwire.wire import CommandMessage, ResponseMessage, parse_command, parse_response
from tpmwire.wires import Counted, Sized, wire_of

MODULES: list[ModuleType] = [
    structures,
    capabilities,
    storage,
    attestation,
    *(import_module(f"tpmwire.spec.commands.{chapter}") for chapter in CHAPTERS),
]


# Hundreds of declarations, each with a few examples; `make fuzz` gives each as many as the profile says.
FEW = settings() if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else settings(max_examples=15)


def declared() -> Iterator[type[Record]]:
    """Every structure, command and response."""
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Record) and value.__module__ == module.__name__:
                yield value
                if issubclass(value, Command):
                    yield value.Response


RECORDS = list(dict.fromkeys(declared()))
COMMANDS = [record for record in RECORDS if issubclass(record, Command)]


def _is_ambiguous(value: Record) -> bool:
    """An empty certificate behind a scheme looks as the size and offset of TPM2_NV_Certify. No TPM accepts it."""
    return isinstance(value, CertifyX509) and not value.partial_certificate


def test_every_command_code_is_declared() -> None:
    assert {command.code for command in COMMANDS} == set(TPM_CC)
    assert all(command_class(code) is not None for code in TPM_CC)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__qualname__)
def test_build_and_parse(record: type[Record]) -> None:
    @FEW
    @given(records(record))
    def check(value: Record) -> None:
        assume(not _is_ambiguous(value))
        octets = value.build()
        parsed = record.parse(octets)
        assert parsed == value
        assert parsed.build() == octets
        assert hash(parsed) == hash(value)
        repr(parsed)

    check()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__qualname__)
def test_arbitrary_octets(record: type[Record]) -> None:
    @FEW
    @given(st.binary(max_size=200))
    def check(octets: bytes) -> None:
        try:
            value = record.parse(octets)
        except DecodeError as error:
            where, text = error.offset, str(error)
        else:
            where, text = 0, ""
            assert value.build() == octets
        assert 0 <= where <= len(octets)
        assert "\n" not in text

    check()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__qualname__)
def test_cut_and_changed_octets(record: type[Record]) -> None:
    @FEW
    @given(records(record), st.data())
    def check(value: Record, data: st.DataObject) -> None:
        octets = bytearray(value.build())
        if octets:
            place = data.draw(st.integers(0, len(octets) - 1))
            octets[place] = data.draw(st.integers(0, 255))
        octets = octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets
        try:
            again = record.parse(bytes(octets))
        except DecodeError:
            return
        assert again.build() == bytes(octets)

    check()


def sessions(record: type[Record]) -> st.SearchStrategy[list[Record]]:
    plain = TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT
    kept = records(record).map(lambda auth: auth.replace(session_attributes=auth.session_attributes & ~plain))
    return st.lists(kept, max_size=3)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__qualname__)
def test_messages(command: type[Command]) -> None:
    """Whole commands and responses, with and without sessions."""

    @FEW
    @given(records(command), records(command.Response), sessions(TPMS_AUTH_COMMAND), sessions(TPMS_AUTH_RESPONSE))
    def check(value: Command, answer: Record, auths: list, replies: list) -> None:  # type: ignore[type-arg]
        assume(not _is_ambiguous(value))
        sent = CommandMessage(command.code, value, auths)
        octets = sent.build()
        assert parse_command(octets) == sent
        tag = TPM_ST.SESSIONS if replies else TPM_ST.NO_SESSIONS
        reply = ResponseMessage(0, command.code, answer, replies, tag)
        assert parse_response(reply.build(), octets) == reply

    check()


@given(st.binary(max_size=120), st.sampled_from(sorted(TPM_CC)), st.booleans(), st.booleans())
def test_arbitrary_messages(body: bytes, code: int, sessions: bool, succeeded: bool) -> None:
    tag = (b"\x80\x02" if sessions else b"\x80\x01") + (10 + len(body)).to_bytes(4, "big")
    for octets, parse in (
        (tag + code.to_bytes(4, "big") + body, parse_command),
        (tag + (bytes(4) if succeeded else b"\0\0\x01\x9a") + body, lambda data: parse_response(data, code)),
    ):
        try:
            message = parse(octets)
        except WireError:
            continue
        assert message.build() == octets


@given(st.binary(max_size=60))
def test_what_is_no_message(octets: bytes) -> None:
    for parse in (parse_command, lambda data: parse_response(data, TPM_CC.GetRandom)):
        try:
            assert parse(octets).build() == octets
        except WireError:
            continue


@pytest.mark.parametrize(
    "octets",
    [bytes.fromhex("ffffffff") + bytes(60), bytes.fromhex("0fffffff0000"), bytes.fromhex("ffff") + bytes(30)],
)
def test_sizes_are_not_believed(octets: bytes) -> None:
    """A count of four thousand million takes no memory."""
    tracemalloc.start()
    lists = [value for value in vars(capabilities).values() if isinstance(value, Declared)]
    lists += [value for value in vars(structures).values() if isinstance(value, Declared)]
    wires = [wire for wire in map(wire_of, lists) if isinstance(wire, (Counted, Sized))]
    assert len(wires) > 20
    for wire, _ in itertools.product(wires, range(2)):
        with pytest.raises(DecodeError):
            wire._parse(io.BytesIO(octets), {}, "")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
