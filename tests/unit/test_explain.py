"""Explanations: every octet once, in order, in the standard's words; what does not parse, as far as it goes."""

import json
from pathlib import Path

import pytest

from cli.toolbox import main
from tpmwire.explain import Node, as_json, as_text, explain_command, explain_response

GET_RANDOM = bytes.fromhex("80010000000c0000017b0010")
ANSWER = bytes.fromhex("80010000000f000000000003aabbcc")
CREATE_PRIMARY = bytes.fromhex(
    "8002000000430000013140000001"
    "00000009400000090000000000"
    "000400000000"
    "001a0023000b00030472000000060080004300100003001000000000"
    "000000000000"
)


def leaves(node: Node) -> bytes:
    return b"".join(map(leaves, node.children)) if node.children else node.octets


def named(node: Node, name: str) -> Node:
    return next(found for found in walk(node) if found.name == name)


def walk(node: Node) -> list[Node]:
    return [node, *(found for child in node.children for found in walk(child))]


@pytest.mark.parametrize("data", [GET_RANDOM, CREATE_PRIMARY])
def test_every_octet_of_a_command_once(data: bytes) -> None:
    tree = explain_command(data)
    assert leaves(tree) == data
    assert not tree.error
    for node in walk(tree):
        assert data[node.offset : node.offset + len(node.octets)] == node.octets
        assert leaves(node) == node.octets


def test_the_words_are_the_standards() -> None:
    tree = explain_command(CREATE_PRIMARY)
    assert (tree.name, tree.spec) == ("TPM2_CreatePrimary", "Part 3 §24.1")
    assert named(tree, "primaryHandle").text == "0x40000001, TPM_RH_OWNER"
    assert named(tree, "sessionHandle").text == "0x40000009, TPM_RH_PW"
    assert named(tree, "nameAlg").text == "TPM_ALG_SHA256"
    assert named(tree, "curveId").text == "TPM_ECC_NIST_P256"
    assert named(tree, "objectAttributes").text == (
        "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|restricted|decrypt"
    )
    assert named(tree, "inPublic").type == "TPM2B_PUBLIC"
    assert named(tree, "parameters").type == "TPMS_ECC_PARMS"


def test_a_response_and_an_error() -> None:
    tree = explain_response(ANSWER, GET_RANDOM)
    assert leaves(tree) == ANSWER
    assert named(tree, "randomBytes").text == "aabbcc (3 octets)"
    error = explain_response(bytes.fromhex("80010000000a0000098e"), CREATE_PRIMARY)
    assert "TPM_RC_AUTH_FAIL (session 1): wrong password" in named(error, "responseCode").text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (GET_RANDOM[:11], "size: the size says 12 octets"),
        (
            bytes.fromhex("80010000000b0000017b00"),
            "GetRandom.bytes_requested: UINT16 wants 2 octets (at octet 10, 1 left)",
        ),
        (CREATE_PRIMARY[:2] + bytes.fromhex("00000044") + CREATE_PRIMARY[6:] + b"\0", "1 octets after the last"),
        (b"\x80\x01", "at least 10 octets"),
        (b"", "at least 10 octets"),
        (bytes.fromhex("80030000000a0000017c"), "TPM_ST(0x8003)"),
    ],
)
def test_what_does_not_parse_is_explained_as_far_as_it_goes(data: bytes, says: str) -> None:
    tree = explain_command(data)
    assert says in tree.error
    assert leaves(tree) == data
    assert says in as_text(tree)


def test_a_vendors_command_passes_through() -> None:
    data = bytes.fromhex("80010000000e20000123cafe0001")
    assert leaves(explain_command(data)) == data
    assert "0x20000123" in as_text(explain_command(data))


def test_json_is_the_tree() -> None:
    plain = as_json(explain_command(GET_RANDOM))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["children"][-1] == {
        "name": "bytesRequested",
        "offset": 10,
        "size": 2,
        "octets": "0010",
        "type": "UINT16",
        "text": "16",
    }


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", GET_RANDOM.hex(), "80010000000f00000000", "0003aabbcc"]) == 0
    out = capsys.readouterr().out
    assert out.count("TPM2_GetRandom") == 3
    assert "randomBytes: aabbcc" in out
    (tmp_path / "binary").write_bytes(GET_RANDOM + ANSWER)
    (tmp_path / "hex").write_text("80:01 00:00 00:0c\n0x0000017b 0010\n")
    assert main(["decode", str(tmp_path / "binary")]) == 0
    assert capsys.readouterr().out == out
    assert main(["decode", "--json", str(tmp_path / "hex")]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "TPM2_GetRandom"
    assert main(["decode", "--command", "GetRandom", ANSWER.hex()]) == 0
    assert main(["decode", "--command", "0x17b", "80010000000a0000018b"]) == 0
    assert "TPM_RC_HANDLE (handle 1)" in capsys.readouterr().out
    assert main(["decode", GET_RANDOM.hex(), "80010000000a0000018b"]) == 0
    assert "TPM_RC_HANDLE (handle 1)" in capsys.readouterr().out
    assert main(["decode", "80010000000b0000017b00"]) == 1
    for words, says in (
        ([ANSWER.hex()], "--command NAME says"),
        (["zz"], "neither hex"),
        (["--command", "Nothing", ANSWER.hex()], "neither a command's name"),
    ):
        assert main(["decode", *words]) == 2
        assert says in capsys.readouterr().err
