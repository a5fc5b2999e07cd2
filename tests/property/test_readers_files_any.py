"""Any bytes, and damaged files: read_file raises nothing, and its trees have a limited number of nodes."""

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.programs import ROOT
from tpmwire.explain import Node, as_text
from tpmwire.explain.readers.files import read_file

FILES = [
    bytes.fromhex(data)
    for data in json.loads((ROOT / "fixtures" / "files" / "tpm2-tools.json").read_text()).values()
]


def count(node: Node) -> int:
    return 1 + sum(map(count, node.children)) + sum(map(count, node.beside))


def check(data: bytes) -> None:
    for reading in read_file(data):
        assert reading.kind
        for tree in reading.trees:
            assert as_text(tree)
            assert count(tree) <= 7000


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.sampled_from(FILES), st.data())
def test_damaged_files(file: bytes, data: st.DataObject) -> None:
    octets = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(octets) - 1, 0)))
        change = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if change == "cut":
            del octets[place : place + data.draw(st.integers(1, 40))]
        elif change == "repeat":
            octets[place:place] = octets[place : place + 60]
        else:
            end = place + (change == "set")
            octets[place:end] = data.draw(st.binary(min_size=1, max_size=4))
    check(bytes(octets))


PIECES = st.sampled_from(
    [
        *(b"-----BEGIN %s-----" % label for label in (b"PUBLIC KEY", b"TSS2 PRIVATE KEY", b"CERTIFICATE")),
        *(b"-----END %s-----" % label for label in (b"PUBLIC KEY", b"TSS2 PRIVATE KEY", b"CERTIFICATE")),
        *(b"ssh-rsa ", b"AAAA", b"MIIB", b'{"kty":', b'"RSA"', b'"n":', b"[", b"{", b"}", b"]", b",", b"\n"),
        *(
            b'"type":',
            b'"PolicyPCR"',
            b'"PolicyOR"',
            b'"branches":',
            b'"public":',
            b'"host"',
            b"tpmwire cache 3\n",
        ),
        *(b"\x30\x80", b"\x30\x82\xff\xff", b"\x04\x04", b"\x30\x00", b"\xba\xdc\xc0\xde", b"\xff\x54\x43\x47"),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=6), max_size=40).map(b"".join))
def test_pieces_of_files(data: bytes) -> None:
    check(data)


def test_damaged_messages_are_not_files() -> None:
    """A message with a changed tag or size is not named as a structure, but for a rare accident."""
    random = Random(1)
    lines = (ROOT / "fixtures" / "captures" / "tpm2-tools.jsonl").read_text().splitlines()
    messages = [bytes.fromhex(json.loads(line)[part]) for line in lines for part in ("command", "response")]
    named = 0
    for _ in range(2000):
        octets = bytearray(random.choice(messages))
        for _ in range(random.randint(0, 3)):
            place = random.randrange(len(octets) + 1)
            if random.random() < 0.5:
                octets[place : place + 1] = random.randbytes(1)
            else:
                octets[place : place + random.randint(0, 8)] = random.randbytes(random.randint(0, 4))
        named += bool(read_file(bytes(octets)))
    assert named <= 2


def test_deep_and_long_der_is_bounded() -> None:
    deep = b""
    for _ in range(3000):
        size = len(deep)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        deep = b"\x30" + length + deep
    wide = b"\x30\x83" + (600_000).to_bytes(3, "big") + b"\x30\x00" * 300_000
    nested = b"\x30\x83" + (600_000).to_bytes(3, "big") + b"\x04\x04\x30\x02\x05\x01" * 100_000
    for data in (deep, wide, nested):
        check(data)
