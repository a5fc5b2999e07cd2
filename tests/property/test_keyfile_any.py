"""Key files from anywhere: a value or KeyFileError, nothing else; what we read, asn1crypto reads the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import pem  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.tpmkey import TPMKey, fields_of, pem_text
from tpmwire.crypto import der
from tpmwire.errors import DecodeError, KeyFileError
from tpmwire.keys.keyfile import IMPORTABLE, LOADABLE, SEALED, KeyFile, parse, parse_der

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"
NAMES = [entry["name"] for entry in json.loads((KEYS / "manifest.json").read_text())]
TEXTS = [(KEYS / f"{name}.pem").read_bytes() for name in NAMES]
ENCODED = [pem.unarmor(text)[2] for text in TEXTS]
PUBLICS = [parse(text).pubkey for text in TEXTS]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
policies = st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=200)), max_size=4).map(tuple)
two = st.binary(max_size=300)
with_size = st.binary(min_size=1, max_size=300).map(lambda data: len(data).to_bytes(2, "big") + data)
parents = st.one_of(
    st.sampled_from([0, 0x40000001, 0x40000007, 0x4000000B, 0x4000000C, 0x40000140, 0x40010003]),
    st.integers(0x80000000, 0x81FFFFFF),
)


@st.composite
def key_files(draw: st.DrawFn) -> KeyFile:
    """Any key file."""
    kind = draw(st.sampled_from([LOADABLE, IMPORTABLE, SEALED]))
    return KeyFile(
        type=kind,
        empty_auth=draw(st.none() | st.booleans()),
        policy=draw(st.none() | policies),
        secret=draw(with_size if kind == IMPORTABLE else st.none() | with_size) if kind != LOADABLE else None,
        auth_policy=draw(st.none() | st.lists(st.tuples(st.none() | text, policies), max_size=3).map(tuple)),
        description=draw(st.none() | text),
        rsa_parent=draw(st.none() | st.booleans()),
        parent=draw(parents),
        pubkey=draw(st.sampled_from(PUBLICS)),
        privkey=draw(with_size),
    )


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A good file with some octets changed, put in, taken out or written twice."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["change", "insert", "remove", "repeat", "bit"]))
        if kind == "change":
            data[at : at + size] = draw(st.binary(min_size=size, max_size=size))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=size, max_size=size))
        elif kind == "remove":
            del data[at : at + size]
        elif kind == "repeat":
            data[at:at] = data[at : at + 40]
        elif at < len(data):
            data[at] ^= 1 << size % 8
    return bytes(data)


def named(steps: tuple[tuple[int, bytes], ...]) -> list[dict[str, Any]]:
    return [{"command_code": code, "command_policy": octets} for code, octets in steps]


def read(parser: Callable[[bytes], KeyFile], data: bytes) -> KeyFile | None:
    """The key file, or None where it is refused in one printable line."""
    try:
        return parser(data)
    except KeyFileError as error:
        message = str(error)
    assert message.isprintable()
    return None


def agreed(data: bytes) -> bool:
    """Reads DER with both; True if we took it, and then asn1crypto took it for the same."""
    key = read(parse_der, data)
    if key is None:
        return False
    assert fields_of(data) == key.fields()
    # It was the one form of its values, but for a TRUE that OpenSSL wrote.
    assert len(key.to_der()) == len(data)
    assert parse_der(key.to_der()) == key
    return True


@given(key_files())
def test_both_write_the_same(key: KeyFile) -> None:
    values: dict[str, Any] = {name: getattr(key, name) for name in key.fields()}
    if key.policy is not None:
        values["policy"] = named(key.policy)
    if key.auth_policy is not None:
        values["auth_policy"] = [
            {**({} if name is None else {"name": name}), "policy": named(steps)} for name, steps in key.auth_policy
        ]
    data = TPMKey({name: value for name, value in values.items() if value is not None}).dump()
    assert key.to_der() == data
    assert key.to_pem().encode() == pem_text(data)
    assert parse(key.to_pem()) == parse(key.to_pem().encode()) == key
    assert agreed(data)


@given(st.binary(max_size=2000) | st.text(max_size=2000))
@example(b"0\x80")
@example(b"0\x81")
def test_arbitrary(data: bytes | str) -> None:
    with pytest.raises(KeyFileError):
        parse(data)


@given(st.binary(max_size=2000))
@example(b"")
def test_arbitrary_der(data: bytes) -> None:
    assert not agreed(data)
    with pytest.raises(KeyFileError):
        parse(pem_text(data))


@given(mutated(ENCODED))
@example(ENCODED[0])
def test_mutated_der(data: bytes) -> None:
    agreed(data)


@given(mutated(TEXTS))
def test_mutated_text(data: bytes) -> None:
    key = read(parse, data)
    assert key is None or parse(key.to_pem()) == key


ELEMENTS = [
    (der.INTEGER, st.integers(-(2**63), 2**63 - 1)),
    (der.OCTET_STRING, two),
    (der.UTF8_STRING, text),
    (der.BOOLEAN, st.booleans()),
    (der.SequenceOf(der.Explicit(7, der.INTEGER)), st.lists(st.integers(0, 9)).map(tuple)),
    (
        der.OBJECT_IDENTIFIER,
        st.tuples(
            st.integers(0, 1).flatmap(lambda top: st.just(top * 40).flatmap(lambda b: st.integers(b, b + 39)))
            | st.integers(80, 2**40),
            st.lists(st.integers(0, 2**62), max_size=5),
        ).map(lambda p: ".".join(map(str, (min(p[0] // 40, 2), p[0] - 40 * min(p[0] // 40, 2), *p[1])))),
    ),
]


@given(st.sampled_from(ELEMENTS).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1])))
def test_elements_come_back(pair: tuple[der.Element, Any]) -> None:
    element, value = pair
    assert der.parse_element(element, der.build_element(element, value)) == value


@given(st.sampled_from([element for element, _ in ELEMENTS]), st.binary(max_size=40))
@example(der.OBJECT_IDENTIFIER, b"\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00")
def test_elements_have_one_form(element: der.Element, data: bytes) -> None:
    data = bytes([element.tag, len(data)]) + data
    try:
        value = der.parse_element(element, data)
    except DecodeError:
        return
    assert der.build_element(element, value) == data or data == b"\x01\x01\x01"
