"""Declarations as values: typed, immutable, compared by value, secrets out of sight, faults named to the field."""

import copy
import inspect
import pickle
import pydoc
from typing import Annotated

import pytest

from tpmwire import Policy, PolicyAuthValue, commands
from tpmwire.errors import DecodeError, EncodeError, TpmwireError, WireError
from tpmwire.record import SECRET, Record
from tpmwire.spec.commands.objects import ReadPublic
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.commands.symmetric import HMAC
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.spec.numbers import OpenEnum
from tpmwire.spec.structures import TPM2B_DIGEST, TPMS_SENSITIVE_CREATE, TPMT_HA, UINT16
from tpmwire.wires import Counted, Encrypted, Fixed, Number, Sized, SizedRecord, select, wire_of


class Kind(OpenEnum):
    ONE = 1
    TWO = 2


class Inner(Record):
    number: Annotated[int, Number(2)]
    octets: Annotated[bytes, Sized(4)] = b""


class Outer(Record):
    kind: Annotated[Kind, Number(1, Kind)]
    choice: Annotated[bytes | Inner, select("kind", {Kind.ONE: Fixed(2), Kind.TWO: Inner})]
    inner: Annotated[Inner | None, SizedRecord(Inner, optional=True)] = None
    several: Annotated[tuple[Inner, ...], Counted(Inner, 2)] = ()
    password: Annotated[bytes, Sized(), SECRET] = b""


def test_octets_in_the_order_of_the_declaration() -> None:
    value = Outer(Kind.TWO, Inner(0x1234, b"ab"), Inner(7), (Inner(1), Inner(2, b"c")), b"secret")
    octets = bytes.fromhex("02 12340002 6162 0004 00070000 00000002 00010000 00020001 63 0006") + b"secret"
    assert value.build() == octets
    assert Outer.parse(octets) == value
    assert Outer.parse(bytes.fromhex("01 beef 0000 00000000 0000")) == Outer(Kind.ONE, b"\xbe\xef")


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("", "kind: Kind needs 1 byte (at byte 0, 0 left)"),
        ("03", "choice: unsupported kind Kind(0x3): the union has no such member (at byte 1, 0 left)"),
        ("01 be", "choice: the value needs 2 bytes (at byte 1, 1 left)"),
        ("02 1234 0005 0102030405", "choice.octets: a size of 5 exceeds 4 (at byte 3, 7 left)"),
        ("01 beef 0003 000700 00000000 0000", "inner.octets: the size needs 2 bytes (at byte 7, 1 left)"),
        ("01 beef 0005 00070000ff 00000000 0000", "inner: trailing data: 1 byte (at byte 9, 1 left)"),
        ("01 beef 0000 00000003", "several: a count of 3 exceeds 2 (at byte 5, 4 left)"),
        ("01 beef 0000 00000002 0000", "several: a count of 2 exceeds the remaining bytes (at byte 5, 6 left)"),
        (
            "01 beef 0000 00000002 00010000 00020005 0000",
            "several.[1].octets: a size of 5 exceeds 4 (at byte 15, 4 left)",
        ),
        (
            "01 beef 0000 00000000 ffff 00",
            "password: a size of 65535 exceeds the remaining bytes (at byte 9, 3 left)",
        ),
        ("01 beef 0000 00000000 0000 00", "trailing data: 1 byte (at byte 11, 1 left)"),
    ],
)
def test_a_fault_names_field_offset_and_octets_left(octets: str, text: str) -> None:
    data = bytes.fromhex(octets)
    with pytest.raises(DecodeError) as caught:
        Outer.parse(data)
    assert str(caught.value) == text
    assert caught.value.offset + caught.value.left <= len(data)
    assert isinstance(caught.value, WireError)
    assert isinstance(caught.value, TpmwireError)


ONE = Outer(Kind.ONE, b"ab")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ONE.replace(kind=256), "kind: 256 is not a valid Kind"),
        (ONE.replace(kind=True), "kind: True is not a valid Kind"),
        (ONE.replace(kind="1"), "kind: '1' is not a valid Kind"),
        (ONE.replace(kind=3), "choice: unsupported kind 3: the union has no such member"),
        (ONE.replace(choice=b"abc"), "choice: expected 2 bytes, got 3 bytes"),
        (ONE.replace(choice=Inner(1)), "choice: expected 2 bytes, got Inner"),
        (ONE.replace(kind=2), "choice: expected Inner, got bytes"),
        (ONE.replace(inner=Inner(-1)), "inner.number: -1 is not a valid UINT16"),
        (ONE.replace(inner=Inner(1, "text")), "inner.octets: expected bytes, got str"),  # type: ignore[arg-type]
        (ONE.replace(several=(Inner(1), Inner(1, b"12345"))), "several.[1].octets: 5 bytes exceed the limit of 4"),
        (ONE.replace(several=(Inner(1),) * 3), "several: expected a list or tuple of at most 2 elements, got 3"),
        (ONE.replace(password=bytes(65536)), "password: 65536 bytes exceed the limit of 65535"),
        (TPMS_SENSITIVE_CREATE(b"x" * 65, b""), "user_auth: 65 bytes exceed the limit of 64"),
        (TPMT_HA(TPM_ALG.NULL, b"x"), "digest: expected None for this selector, got 1 byte"),
    ],
)
def test_a_value_without_a_wire_form_is_refused(value: Record, text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        value.build()
    assert str(caught.value) == text


def test_records_do_not_change() -> None:
    value = Inner(1, bytearray(b"ab"))
    with pytest.raises(AttributeError, match="replace"):
        value.number = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="replace"):
        del value.number
    assert type(value.octets) is bytes
    assert Outer(Kind.ONE, b"ab", several=[Inner(1)]).several == (Inner(1),)  # type: ignore[arg-type]
    assert value.replace(number=2) == Inner(2, b"ab")
    assert (value.number, value == Inner(1, b"ab"), hash(value) == hash(Inner(1, b"ab"))) == (1, True, True)
    assert value != Inner(1, b"ac")


def test_the_constructor_says_what_is_wrong() -> None:
    with pytest.raises(TypeError, match="Inner needs number"):
        Inner()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Inner expected at most 2 values, got 3"):
        Inner(1, b"", 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Inner has no field 'size'; it has number, octets"):
        Inner(1, size=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Inner got number twice"):
        Inner(1, number=2)  # type: ignore[misc]


def test_no_repr_shows_a_secret() -> None:
    value = Outer(Kind.ONE, b"ab", password=b"hunter2")
    assert "hunter2" not in repr(value)
    assert "password=<secret>" in repr(value)
    assert "hunter2" not in repr((value, [value]))
    # An empty one is no secret, and worth seeing: a key without a password.
    assert "password=b''" in repr(value.replace(password=b""))


def test_encrypted_octets_take_the_place_of_a_structure() -> None:
    sealed = Outer(Kind.ONE, b"ab", inner=Encrypted(b"\xde\xad\xbe"))
    assert sealed.build() == bytes.fromhex("01 6162 0003 deadbe 00000000 0000")


def test_unknown_numbers_survive_and_leave_no_trace() -> None:
    before = len(TPM_ALG._value2member_map_)
    for number in range(0x8000, 0x9000):
        found = TPM_ALG(number)
        assert (found, found.name, found.known) == (number, f"0x{number:x}", False)
    assert len(TPM_ALG._value2member_map_) == before
    assert repr(TPM_ALG(0x8000)) == "TPM_ALG(0x8000)"
    for word in range(1 << 13):
        assert int(TPMA_OBJECT(word << 19)) == word << 19
    assert len(TPMA_OBJECT._value2member_map_) < 2048
    for wrong in (-1, "SHA256", None):
        with pytest.raises(ValueError, match="is not a valid TPM_ALG"):
            TPM_ALG(wrong)


def test_attribute_words_keep_reserved_bits() -> None:
    word = TPMA_OBJECT(1 | TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.NO_DA)
    assert word.described() == "fixedTPM|noDA|0x1"
    assert TPMA_OBJECT(0).described() == "0"


def test_numbers_are_unsigned_and_big_endian() -> None:
    for annotation, size in ((UINT16, 2), (Annotated[int, Number(8)], 8)):
        wire = wire_of(annotation)
        assert wire.build(1) == bytes(size - 1) + b"\1"
        assert wire.parse(b"\xff" * size) == (1 << 8 * size) - 1
    assert TPM2B_DIGEST.build(b"ab") == b"\0\2ab"


def test_signatures_are_real() -> None:
    assert str(inspect.signature(GetRandom)) == "(bytes_requested: UINT16)"
    assert str(inspect.signature(HMAC)).startswith("(handle: TPMI_DH_OBJECT, buffer: TPM2B_MAX_BUFFER, hash_alg: ")
    assert str(inspect.signature(Inner)) == "(number: int, octets: bytes = b'')"
    assert "GetRandom(bytes_requested: UINT16)" in pydoc.plain(pydoc.render_doc(GetRandom))


@pytest.mark.parametrize("name", ["bytesRequested", "BytesRequested", "bytesrequested"])
def test_the_standards_spelling_is_understood(name: str) -> None:
    with pytest.raises(TypeError, match=f"GetRandom has no field '{name}'; did you mean bytes_requested\\?"):
        GetRandom(**{name: 8})


def test_a_field_may_have_the_name_of_what_a_construct_has() -> None:
    """A class is a construct too, with attributes such as `name`; those are no defaults of fields."""
    with pytest.raises(TypeError, match=r"needs .*name"):
        ReadPublic.Response(out_public=None)  # type: ignore[call-arg, arg-type]


def test_a_field_in_the_standards_spelling_is_suggested() -> None:
    response = GetRandom.Response(b"12")
    with pytest.raises(AttributeError, match="has no field 'randomBytes'; did you mean random_bytes"):
        _ = response.randomBytes  # type: ignore[attr-defined]
    assert not hasattr(response, "other")
    with pytest.raises(AttributeError, match="'TPM2_GetRandom'; did you mean GetRandom"):
        _ = commands.TPM2_GetRandom  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value", [GetRandom(8), TPMT_HA(TPM_ALG.SHA256, bytes(32)), Policy(PolicyAuthValue())], ids=repr
)
def test_copies_and_pickles(value: object) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
