"""DER elements: one table proves reading and writing; another holds what has another form in BER, or none."""

import io
from typing import Any

import pytest

from tpmwire.crypto import der
from tpmwire.errors import DecodeError, EncodeError

PAIR = der.Sequence(("first", der.INTEGER), ("maybe", der.Explicit(0, der.BOOLEAN)), optional=("maybe",))

FORMS: list[tuple[der.Element, Any, str]] = [
    (der.BOOLEAN, True, "0101ff"),
    (der.BOOLEAN, False, "010100"),
    (der.INTEGER, 0, "020100"),
    (der.INTEGER, 127, "02017f"),
    (der.INTEGER, 128, "02020080"),
    (der.INTEGER, 0x40000001, "020440000001"),
    (der.INTEGER, 0x81000001, "02050081000001"),
    (der.INTEGER, -1, "0201ff"),
    (der.INTEGER, -128, "020180"),
    (der.INTEGER, -129, "0202ff7f"),
    (der.INTEGER, 2**63 - 1, "02087fffffffffffffff"),
    (der.OCTET_STRING, b"", "0400"),
    (der.OCTET_STRING, b"x" * 127, "047f" + "78" * 127),
    (der.OCTET_STRING, b"x" * 128, "048180" + "78" * 128),
    (der.OCTET_STRING, b"x" * 256, "04820100" + "78" * 256),
    (der.UTF8_STRING, "", "0c00"),
    (der.UTF8_STRING, "Schlüssel", "0c0a5363686cc3bc7373656c"),
    (der.OBJECT_IDENTIFIER, "2.23.133.10.1.3", "06066781050a0103"),
    (der.OBJECT_IDENTIFIER, "0.0", "060100"),
    (der.OBJECT_IDENTIFIER, "1.39", "06014f"),
    (der.OBJECT_IDENTIFIER, "2.0", "060150"),
    (der.OBJECT_IDENTIFIER, "2.999.3", "0603883703"),
    (der.OBJECT_IDENTIFIER, "1.2.840.113549", "06062a864886f70d"),
    (der.Explicit(3, der.INTEGER), 5, "a303020105"),
    (PAIR, (1, None), "3003020101"),
    (PAIR, (1, True), "3008020101a0030101ff"),
    (der.SequenceOf(der.INTEGER), (), "3000"),
    (der.SequenceOf(der.INTEGER), (1, 2), "3006020101020102"),
]

BAD: dict[str, tuple[der.Element, str, str]] = {
    "nothing": (der.INTEGER, "", "expected INTEGER, got end of data"),
    "no length": (der.INTEGER, "02", "truncated before its length"),
    "cut length": (der.OCTET_STRING, "048201", "truncated inside its length"),
    "cut contents": (der.OCTET_STRING, "040201", "exceeds the remaining bytes"),
    "longest length": (der.OCTET_STRING, "04fe" + "ff" * 126, "exceeds the remaining bytes"),
    "reserved length": (der.OCTET_STRING, "04ff" + "01" * 127, "exceeds the remaining bytes"),
    "indefinite": (der.OCTET_STRING, "0480010000", "indefinite"),
    "long form of a short length": (der.OCTET_STRING, "04810141", "shortest form"),
    "length with a zero in front": (der.OCTET_STRING, "0482008041", "shortest form"),
    "something behind": (der.INTEGER, "02010101", "trailing data"),
    "wrong tag": (der.INTEGER, "040101", "expected INTEGER, got OCTET STRING"),
    "constructed string": (der.OCTET_STRING, "2403040101", "expected OCTET STRING, got tag 0x24"),
    "implicit": (der.Explicit(0, der.BOOLEAN), "8001ff", "expected [0], got tag 0x80"),
    "two inside explicit": (der.Explicit(0, der.BOOLEAN), "a0060101ff0101ff", "trailing data"),
    "BOOLEAN 2": (der.BOOLEAN, "010102", "invalid BOOLEAN"),
    "BOOLEAN of two bytes": (der.BOOLEAN, "0102ffff", "invalid BOOLEAN"),
    "empty INTEGER": (der.INTEGER, "0200", "at least one byte"),
    "INTEGER with a zero too many": (der.INTEGER, "02020001", "shortest form"),
    "INTEGER with a sign octet too many": (der.INTEGER, "0202ff80", "shortest form"),
    "INTEGER of nine octets": (der.INTEGER, "0209008000000000000000", "9 bytes"),
    "not UTF-8": (der.UTF8_STRING, "0c02c328", "not UTF-8"),
    "surrogate": (der.UTF8_STRING, "0c03eda080", "not UTF-8"),
    "empty OID": (der.OBJECT_IDENTIFIER, "0600", "1 to 64 bytes"),
    "long OID": (der.OBJECT_IDENTIFIER, "0641" + "01" * 65, "1 to 64 bytes"),
    "unfinished OID": (der.OBJECT_IDENTIFIER, "0602 2a86", "is truncated"),
    "padded arc": (der.OBJECT_IDENTIFIER, "0603 2a8001", "shortest form"),
    "optional in another place": (PAIR, "3008a0030101ff020101", "expected INTEGER, got [0]"),
    "optional twice": (PAIR, "300d020101a0030101ffa0030101ff", "trailing data"),
    "element missing": (PAIR, "3000", "first: expected INTEGER, got end of data"),
    "inner length over outer": (PAIR, "3003020201", "first: the length of INTEGER exceeds"),
}


@pytest.mark.parametrize(("element", "value", "octets"), FORMS, ids=[f"{o[:16]}" for _, _, o in FORMS])
def test_one_form(element: der.Element, value: Any, octets: str) -> None:
    assert der.build_element(element, value).hex() == octets
    assert der.parse_element(element, bytes.fromhex(octets)) == value


@pytest.mark.parametrize(("element", "octets", "reason"), BAD.values(), ids=BAD)
def test_refused(element: der.Element, octets: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        der.parse_element(element, bytes.fromhex(octets))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_true_as_openssl_writes_it() -> None:
    assert der.parse_element(der.BOOLEAN, b"\x01\x01\x01") is True


def test_an_error_names_the_place() -> None:
    two = der.Sequence(("one", der.INTEGER), ("list", der.SequenceOf(der.Explicit(0, der.INTEGER))))
    with pytest.raises(DecodeError) as caught:
        der.parse_element(two, bytes.fromhex("300f 020101 300a a003020101 a003040102"))
    assert caught.value.path == ("list", "[1]")
    # The wrong tag is the 15th octet: 2 + 3 + 2 + 5 + 2.
    assert caught.value.offset == 14


@pytest.mark.parametrize(
    ("element", "value"),
    [
        (der.BOOLEAN, 1),
        (der.INTEGER, True),
        (der.INTEGER, "1"),
        (der.OCTET_STRING, "text"),
        (der.UTF8_STRING, b"octets"),
        (der.UTF8_STRING, "\ud800"),
        (der.OBJECT_IDENTIFIER, "2"),
        (der.OBJECT_IDENTIFIER, "3.1"),
        (der.OBJECT_IDENTIFIER, "1.40"),
        (der.OBJECT_IDENTIFIER, "1.2.-3"),
        (der.OBJECT_IDENTIFIER, "1.2." + "1." * 80 + "1"),
        (der.OBJECT_IDENTIFIER, 7),
        (der.Explicit(0, der.INTEGER), None),
        (der.SequenceOf(der.INTEGER), 1),
        (der.SequenceOf(der.INTEGER), ("1",)),
        (PAIR, (1,)),
        (PAIR, (None, None)),
    ],
)
def test_no_form(element: der.Element, value: Any) -> None:
    with pytest.raises(EncodeError):
        der.build_element(element, value)


def test_a_size_is_not_believed() -> None:
    """A length of gigabytes is refused from what follows, and nothing is reserved for it."""

    class Stream(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            Stream.largest = max(Stream.largest, size or 0)
            return super().read(size)

    with pytest.raises(DecodeError):
        der.OCTET_STRING._parse(Stream(b"\x04\x84\xff\xff\xff\xff"), {}, "")
    assert Stream.largest == 4
