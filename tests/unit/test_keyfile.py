"""Key files: other programs' read to the last field, ours written in the one form, and every fault one line."""

import json
import subprocess
import sys
from typing import Any

import pytest
from asn1crypto import core, pem  # type: ignore[import-untyped]

from tests.support.key_files import HMAC, KEYS, SEED, TEXT, built, fault
from tests.support.tpmkey import pem_text
from tpmwire.errors import KeyFileError
from tpmwire.keys import keyfile
from tpmwire.keys.keyfile import IMPORTABLE, LOADABLE, SEALED, KeyFile, parse, parse_der
from tpmwire.keys.templates import hmac_key
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH

MANIFEST = {entry["name"]: entry for entry in json.loads((KEYS / "manifest.json").read_text())}
PCR_STEP = (int(TPM_CC.PolicyPCR), bytes.fromhex("0000 00000001 000b 03 000080"))
AUTH_STEP = (int(TPM_CC.PolicyAuthValue), b"")


def named(steps: tuple[keyfile.Step, ...]) -> list[dict[str, Any]]:
    return [{"command_code": code, "command_policy": octets} for code, octets in steps]


@pytest.mark.parametrize("name", MANIFEST)
def test_other_programs_files(name: str) -> None:
    text = (KEYS / f"{name}.pem").read_bytes()
    key = parse(text)
    assert key.fields() == MANIFEST[name]["fields"]
    assert parse(text.decode()) == key
    assert parse(key.to_pem()) == key
    assert parse_der(key.to_der()) == parse(key.to_der()) == key


@pytest.mark.parametrize("name", MANIFEST)
def test_the_same_octets_again(name: str) -> None:
    _, _, data = pem.unarmor((KEYS / f"{name}.pem").read_bytes())
    # Two of the programs write TRUE as 1, which is BER; everything else must come back as it was.
    canonical = data.replace(bytes.fromhex("a003010101"), bytes.fromhex("a0030101ff"), 1)
    assert parse(data).to_der() == canonical


EVERYTHING: dict[str, dict[str, Any]] = {
    "nothing optional": {},
    "empty_auth false": {"empty_auth": False},
    "policy": {"policy": (PCR_STEP, AUTH_STEP)},
    "empty policy": {"policy": ()},
    "importable": {"type": IMPORTABLE, "secret": SEED},
    "sealed": {"type": SEALED},
    "auth policy": {"auth_policy": ((None, (AUTH_STEP,)), ("naïve", (PCR_STEP, AUTH_STEP)), ("", ()))},
    "description": {"description": "Schlüssel für AWS"},
    "empty description": {"description": ""},
    "long description": {"description": "d" * 40_000},
    "rsa parent": {"rsa_parent": True, "parent": TPM_RH.ENDORSEMENT},
    "not rsa parent": {"rsa_parent": False},
    "all": {
        "type": IMPORTABLE,
        "empty_auth": True,
        "policy": (PCR_STEP,),
        "secret": SEED,
        "auth_policy": (("n", (PCR_STEP,)),),
        "description": "d",
        "rsa_parent": True,
        "parent": 0x81000001,
    },
}


@pytest.mark.parametrize("values", EVERYTHING.values(), ids=EVERYTHING)
def test_every_field(values: dict[str, Any]) -> None:
    """What we write is what asn1crypto writes, and both read it."""
    key = KeyFile(**{"parent": HMAC.parent, "pubkey": HMAC.pubkey, "privkey": HMAC.privkey, **values})
    theirs = {"empty_auth": None, **values}
    if "policy" in values:
        theirs["policy"] = named(values["policy"])
    if "auth_policy" in values:
        entries = [{"name": n, "policy": named(steps)} for n, steps in values["auth_policy"]]
        theirs["auth_policy"] = [{k: v for k, v in e.items() if v is not None} for e in entries]
    data = built(**theirs)
    assert key.to_der() == data
    assert parse(data) == key
    assert key.to_pem().encode() == pem_text(data)
    for name, value in values.items():
        assert getattr(parse_der(data), name) == value


def test_parts_for_the_tpm() -> None:
    key = KeyFile.of(HMAC.public, b"private", 0x81000001, type=IMPORTABLE, secret=SEED)
    assert key.pubkey == HMAC.pubkey
    assert key.privkey == b"\0\7private"
    assert key.private == b"private"
    assert key.encrypted_seed == b"\xaa\xbb\xcc"
    assert key.public == HMAC.public
    assert HMAC.encrypted_seed == b""


@pytest.mark.parametrize(
    ("parent", "persistent", "hierarchy"),
    [
        (0x40000001, None, 0x40000001),
        (0x40000007, None, 0x40000007),
        (0x4000000B, None, 0x4000000B),
        (0x4000000C, None, 0x4000000C),
        (0x80000000, None, 0x40000001),
        (0x80FFFFFF, None, 0x40000001),
        (0x81000001, 0x81000001, None),
        (0x81FFFFFF, 0x81FFFFFF, None),
        (0, None, 0x40000001),  # tpm2tss-genkey before 2020
        (0x40000140, None, 0x40000001),  # firmware-limited: go-tpm's programs, which mean the owner hierarchy
        (0x40000141, None, 0x4000000B),
        (0x40000142, None, 0x4000000C),
        (0x40000143, None, 0x40000007),
        (0x40010000, None, 0x40000001),  # SVN-limited
        (0x4002FFFF, None, 0x4000000B),
        (0x40030003, None, 0x4000000C),
        (0x40040001, None, 0x40000007),
    ],
)
def test_parent(parent: int, persistent: int | None, hierarchy: int | None) -> None:
    key = parse(built(parent=parent))
    assert (key.parent, key.persistent_parent, key.hierarchy) == (parent, persistent, hierarchy)


@pytest.mark.parametrize(
    "parent",
    [
        1,
        23,  # a PCR
        0x01500001,  # an NV index
        0x02000000,  # a session
        0x03000000,
        0x4000013F,
        0x40000144,
        0x4000FFFF,
        0x40050000,
        0x40000000,  # what used to be the SRK in TPM 1.2
        0x40000009,  # TPM_RS_PW
        0x4000000A,  # lockout
        0x82000000,
        0x90000000,
        0xFFFFFFFF,
        0x100000000,
        0x140000001,
        -1,
        -0x80000001,
    ],
)
def test_no_parent(parent: int) -> None:
    assert "parent" in fault(built(parent=parent))


@pytest.mark.parametrize("parent", [0x81000001, 0x81010001, 0x80FFFFFF])
def test_a_negative_parent_is_a_handle_without_its_zero_in_front(parent: int) -> None:
    key = parse(built(parent=parent - (1 << 32)))
    assert key.parent == parent
    assert key.to_der() == built(parent=parent)


def test_a_parent_that_cannot_be_is_named_and_not_called_damage() -> None:
    message = fault(built(parent=0x01500001))
    assert "0x01500001 (NV INDEX) cannot be the parent" in message
    assert "damaged" not in message


def sequence(contents: bytes) -> bytes:
    """A SEQUENCE of 128 octets and more."""
    size = len(contents)
    return b"\x30" + (b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")) + contents


def with_element(element: bytes) -> bytes:
    """The octets of the key of hmac.pem with one element more in front of `parent`."""
    parent = bytes.fromhex("020440000001")
    before, after = built().split(parent)
    return sequence(before[3:] + element + parent + after)


@pytest.mark.parametrize(
    ("element", "tag"), [("a603020107", "[6]"), ("be020500", "[30]"), ("8601ff", "[6]"), ("a60000", None)]
)
def test_later_elements_are_kept_and_named(element: str, tag: str | None) -> None:
    data = with_element(bytes.fromhex(element))
    if tag is None:
        assert "not a TPM key" in fault(data)  # something behind the element that is none
        return
    key = parse(data)
    assert key.unknown == (tag,)
    assert key.later == (bytes.fromhex(element),)
    assert key.replace(later=()) == HMAC.replace(empty_auth=True)
    assert key.to_der() == data
    assert key.fields()["later"] == [element]


def test_several_later_elements() -> None:
    key = parse(with_element(bytes.fromhex("a603020107 a7020500")))
    assert key.unknown == ("[6]", "[7]")


@pytest.mark.parametrize("element", ["0500", "a5020500", "a50305000500", "a0030101ff", "04020000", "bf0600"])
def test_what_no_later_element_is(element: str) -> None:
    fault(with_element(bytes.fromhex(element)))


def test_later_elements_of_a_policy_are_passed_over() -> None:
    class Later(core.Sequence):  # type: ignore[misc]
        _fields = [  # noqa: RUF012
            ("code", core.Integer, {"explicit": 0}),
            ("octets", core.OctetString, {"explicit": 1}),
            ("later", core.Boolean, {"explicit": 2}),
        ]

    steps = b"".join(
        Later({"code": AUTH_STEP[0], "octets": b"", "later": value}).dump() for value in (True, False)
    )
    policies = core.Any(core.load(b"\x30" + bytes([len(steps)]) + steps))
    data = built(policy=[])
    assert b"\xa1\x02\x30\x00" in data
    tagged = b"\xa1" + bytes([len(policies.dump())]) + policies.dump()
    key = parse(sequence(data[3:].replace(b"\xa1\x02\x30\x00", tagged)))
    assert key.policy == (AUTH_STEP, AUTH_STEP)


PUBLIC, PRIVATE = HMAC.pubkey, HMAC.privkey
POLICY_20 = hmac_key(b"d" * 20).replace(unique=bytes(32)).build()
BAD_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "the arc itself": ({"type": "2.23.133.10.1"}, "unknown type of TPM key 2.23.133.10.1"),
    "another type": ({"type": "1.2.840.113549.1.1.1"}, "unknown type"),
    "importable without secret": ({"type": IMPORTABLE}, "missing field"),
    "loadable with secret": ({"secret": SEED}, "unexpected field"),
    "sealed with secret without size": ({"type": SEALED, "secret": b"\xaa\xbb\xcc"}, "secret: a size"),
    "secret without size": ({"type": IMPORTABLE, "secret": b"\xaa\xbb\xcc"}, "secret: a size"),
    "secret with too much": ({"type": IMPORTABLE, "secret": SEED + b"\0"}, "secret: trailing data: 1 byte"),
    "pubkey empty": ({"pubkey": b""}, "pubkey: the size needs"),
    "pubkey of size 0": ({"pubkey": b"\0\0"}, "pubkey"),
    "pubkey cut": ({"pubkey": PUBLIC[:-1]}, "pubkey: a size"),
    "pubkey with too much": ({"pubkey": PUBLIC + b"\0"}, "pubkey: trailing data: 1 byte"),
    "pubkey with too much inside": (
        {"pubkey": bytes([0, PUBLIC[1] + 1]) + PUBLIC[2:] + b"\0"},
        "trailing data: 1 byte",
    ),
    "pubkey without size": ({"pubkey": PUBLIC[2:]}, "pubkey"),
    "no such type of object": ({"pubkey": PUBLIC[:2] + b"\x00\x99" + PUBLIC[4:]}, "pubkey.parameters"),
    "no such nameAlg": ({"pubkey": PUBLIC[:4] + b"\x00\x99" + PUBLIC[6:]}, "nameAlg"),
    "nameAlg NULL": ({"pubkey": PUBLIC[:4] + b"\x00\x10" + PUBLIC[6:]}, "nameAlg"),
    "authPolicy of another hash": (
        {"pubkey": b"\0\x44" + POLICY_20},
        "expected an authPolicy of 32 bytes, got 20",
    ),
    "privkey empty": ({"privkey": b""}, "privkey: the size needs"),
    "privkey of size 0": ({"privkey": b"\0\0"}, "private area is empty"),
    "privkey cut": ({"privkey": PRIVATE[:-1]}, "privkey: a size"),
    "privkey with too much": ({"privkey": PRIVATE + b"\0"}, "privkey: trailing data: 1 byte"),
    "areas exchanged": ({"pubkey": PRIVATE, "privkey": PUBLIC}, "pubkey"),
    "negative command": (
        {"policy": [{"command_code": -1, "command_policy": b""}]},
        "-1 is not a valid command code",
    ),
    "large command": (
        {"auth_policy": [{"policy": [{"command_code": 1 << 32, "command_policy": b""}]}]},
        "is not a valid command code",
    ),
}


@pytest.mark.parametrize(("changes", "reason"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_values(changes: dict[str, Any], reason: str) -> None:
    assert reason in fault(pem_text(built(**changes)))


DER = built()
BAD_DER = {
    "something behind": (DER + b"\x05\x00", "trailing data"),
    "an element more": (b"\x30\x81" + bytes([DER[2] + 2]) + DER[3:] + b"\x05\x00", "trailing data"),
    "empty sequence": (b"\x30\x00", "missing -----BEGIN"),
    "empty sequence, long": (b"\x30\x81\x00", "shortest form"),
    "indefinite": (b"\x30\x80" + DER[3:] + b"\0\0", "indefinite"),
    "length too long by form": (b"\x30\x82\x00" + DER[2:], "shortest form"),
    "type under another tag": (DER.replace(b"\x06\x06\x67", b"\x04\x06\x67", 1), "expected OBJECT IDENTIFIER"),
    "BOOLEAN 2": (
        DER.replace(bytes.fromhex("a0030101ff"), bytes.fromhex("a003010102")),
        "emptyAuth: invalid BOOLEAN",
    ),
    "integer for BOOLEAN": (DER.replace(bytes.fromhex("a0030101ff"), bytes.fromhex("a003020101")), "emptyAuth"),
    "not a sequence": (b"\x31" + DER[1:], "missing -----BEGIN"),
    "a set in text": (pem_text(b"\x31" + DER[1:]), "expected SEQUENCE, got SET"),
}


@pytest.mark.parametrize(("data", "reason"), BAD_DER.values(), ids=BAD_DER)
def test_bad_der(data: bytes, reason: str) -> None:
    assert reason in fault(data)


def test_plain_keys_are_named() -> None:
    """PKCS #1, PKCS #8 and RFC 5915 begin with their version; whoever has one is told of `tpmwire import`."""

    class Version(core.Sequence):  # type: ignore[misc]
        _fields = [("version", core.Integer), ("key", core.OctetString)]  # noqa: RUF012

    for length in (3, 200, 1000):
        data = Version({"version": 0, "key": bytes(length)}).dump()
        message = fault(pem_text(data))
        assert "the file is a plain private key, not a TPM key; create a TPM key with `tpmwire import`" in message


def test_every_cut_and_every_octet_changed() -> None:
    """Cut anywhere: refused. An octet changed anywhere: refused, or read and written back as it was changed."""
    read = 0
    for size in range(len(DER)):
        fault(pem_text(DER[:size]))
    for index in range(len(DER)):
        for change in (0x01, 0x80, 0xFF):
            data = DER[:index] + bytes([DER[index] ^ change]) + DER[index + 1 :]
            try:
                key = parse_der(data)
            except KeyFileError:
                continue
            read += 1
            assert key.to_der() == data
    # The private area and the public one's digest are any octets at all.
    assert read > 3 * (len(PRIVATE) - 2)


def test_constructor_refuses_too() -> None:
    good: dict[str, Any] = {"parent": HMAC.parent, "pubkey": PUBLIC, "privkey": PRIVATE}
    for changes in ({"parent": 1}, {"type": "1.2.3"}, {"pubkey": b""}, {"privkey": b"\0\0"}, {"secret": SEED}):
        with pytest.raises(KeyFileError):
            KeyFile(**{**good, **changes})
    with pytest.raises(KeyFileError, match="private"):
        KeyFile.of(HMAC.public, b"", HMAC.parent)
    with pytest.raises(KeyFileError, match="cannot be written to a key file"):
        KeyFile.of(HMAC.public, bytes(70_000), HMAC.parent)
    with pytest.raises(KeyFileError, match="cannot be written to a key file"):
        KeyFile(**good, description="\ud800").to_der()
    with pytest.raises(KeyFileError, match="shorten the description"):
        KeyFile(**good, description="d" * 60_000).to_pem()


def test_a_value() -> None:
    assert parse(TEXT) == HMAC
    assert parse(TEXT) is not HMAC
    assert hash(HMAC) == hash(parse(TEXT))
    assert HMAC.replace(description="d") != HMAC
    assert HMAC.replace(description="d").replace(description=None) == HMAC
    with pytest.raises(AttributeError):
        HMAC.parent = 1
    with pytest.raises(AttributeError):
        del HMAC.parent


def test_repr_shows_no_private_area() -> None:
    key = KeyFile.of(hmac_key(), b"the private area", TPM_RH.OWNER, type=IMPORTABLE, secret=b"\0\6a seed")
    shown = repr(key)
    assert "<secret>" in shown
    assert LOADABLE[:-1] in shown
    assert TPM_ALG.KEYEDHASH.name in shown
    for secret in (b"the private area", b"a seed"):
        assert secret.decode() not in shown
        assert secret.hex() not in shown


def test_start_up_is_lean() -> None:
    """A run with a key file imports this module each time."""
    code = (
        "import sys, tpmwire.spec.structures; before = set(sys.modules); import tpmwire.keys.keyfile;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert loaded == ["tpmwire.crypto", "tpmwire.crypto.der", "tpmwire.keys", "tpmwire.keys.keyfile"]
