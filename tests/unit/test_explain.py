"""Explanations: every octet once, in order, in the standard's words; what does not parse, as far as it goes."""

import json
import re
import struct
from pathlib import Path

import pytest

from cli.toolbox import main
from tpmwire.explain import Node, as_json, as_text, explain_command, explain_response
from tpmwire.spec.constants import TPM_CC
from tpmwire.spec.firmware import firmware_version

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
    assert named(tree, "sessionHandle").text == "0x40000009, TPM_RS_PW"
    assert named(tree, "nameAlg").text == "TPM_ALG_SHA256"
    assert named(tree, "curveID").text == "TPM_ECC_NIST_P256"
    assert named(tree, "objectAttributes").text == (
        "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|restricted|decrypt"
    )
    assert named(tree, "inPublic").type == "TPM2B_PUBLIC"
    assert named(tree, "parameters").type == "TPMS_ECC_PARMS"


def test_a_response_and_an_error() -> None:
    tree = explain_response(ANSWER, GET_RANDOM)
    assert leaves(tree) == ANSWER
    assert (named(tree, "randomBytes").text, named(tree, "buffer").octets.hex()) == ("3 bytes", "aabbcc")
    error = explain_response(bytes.fromhex("80010000000a0000098e"), CREATE_PRIMARY)
    assert "TPM_RC_AUTH_FAIL (session 1): wrong password" in named(error, "responseCode").text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (GET_RANDOM[:11], "size: expected 12 bytes, got"),
        (
            bytes.fromhex("80010000000b0000017b00"),
            "GetRandom.bytes_requested: UINT16 needs 2 bytes (at byte 10, 1 left)",
        ),
        (CREATE_PRIMARY[:2] + bytes.fromhex("00000044") + CREATE_PRIMARY[6:] + b"\0", "1 byte after the last"),
        (b"\x80\x01", "at least 10 bytes"),
        (b"", "at least 10 bytes"),
        (bytes.fromhex("80030000000a0000017c"), "TPM_ST(0x8003)"),
    ],
)
def test_what_does_not_parse_is_explained_as_far_as_it_goes(data: bytes, says: str) -> None:
    tree = explain_command(data)
    assert says in tree.error
    assert leaves(tree) == data
    assert as_text(tree).endswith(f"! {tree.error}")


def test_what_was_read_before_the_fault_stays() -> None:
    tree = explain_command(CREATE_PRIMARY.replace(b"\x00\x43\x00\x10\x00\x03", b"\x00\x43\x12\x34\x00\x03"))
    assert tree.error == (
        "CreatePrimary.in_public.parameters.scheme.details: unsupported scheme TPM_ALG(0x1234): "
        "the union has no such member (at byte 53, 8 left)"
    )
    public = named(tree, "inPublic")
    assert named(public, "nameAlg").text == "TPM_ALG_SHA256"
    assert named(public, "mode").text == "TPM_ALG_CFB"
    assert named(public, "scheme").children[0].text == "0x1234: unknown"
    stuck, behind = (node for node in walk(tree) if node.name == "?")
    assert (stuck.offset, stuck.octets) == (53, CREATE_PRIMARY[53:61])
    assert stuck.text == "unsupported scheme TPM_ALG(0x1234): the union has no such member"
    assert (behind.offset, behind.octets, behind.text) == (
        61,
        CREATE_PRIMARY[61:],
        "not parsed, because of the preceding error",
    )


def message(tag: int, code: int, body: str) -> bytes:
    octets = bytes.fromhex(body)
    return tag.to_bytes(2, "big") + (10 + len(octets)).to_bytes(4, "big") + code.to_bytes(4, "big") + octets


def test_a_password_is_marked_and_kept_out_of_reprs() -> None:
    tree = explain_command(message(0x8002, 0x155, "8000000000000011400000090000010008776f7264776f72640001ff000b"))
    assert not tree.error
    hmac = named(tree, "hmac")
    assert (hmac.text, hmac.secret) == ("a password of 8 bytes, in cleartext", True)
    assert "secret" in as_text(hmac)
    assert not any("word" in repr(node) for node in walk(tree))


def test_an_encrypted_parameter_is_not_looked_into() -> None:
    public = CREATE_PRIMARY[33:61].hex()
    auth = "020000000000210000"
    sent = message(0x8002, 0x153, f"8000000100000009{auth}0004deadbeef{public}000000000000")
    tree = explain_command(sent)
    assert not tree.error
    sensitive = named(tree, "inSensitive")
    assert sensitive.text == "4 bytes, encrypted by a session"
    assert [child.name for child in sensitive.children] == ["size", "encrypted"]
    assert named(tree, "curveID").text == "TPM_ECC_NIST_P256"
    answer = message(0x8002, 0, "000000050003aabbcc00020102410000")
    tree = explain_response(answer, GET_RANDOM)
    assert not tree.error
    assert named(tree, "randomBytes").text == "3 bytes, encrypted by a session"
    plain = explain_response(answer.replace(b"\x02\x41", b"\x02\x01"), GET_RANDOM)
    assert named(plain, "randomBytes").text == "3 bytes"


@pytest.mark.parametrize(
    ("code", "command", "answer", "name", "text"),
    [
        (0x17A, "00000001 81000000 00000001", "", "property", "from 0x81000000, persistent object on"),
        (0x17A, "00000006 00000105 00000001", "", "property", "from TPM_PT_MANUFACTURER on"),
        (0x17A, "00000006 00000000 00000001", "00 00000006 00000001 00000105 49424d00", "value", "'IBM'"),
        (0x17A, "00000006 00000000 00000001", "00 00000006 00000001 00000102 000000a4", "value", "1.64"),
        (0x17A, "00000006 00000000 00000001", "00 00000006 00000001 00000200 00000401", "value",
         "ownerAuthSet|tpmGeneratedEPS"),
        (0x17A, "00000002 00000000 00000001", "00 00000002 00000001 04400131", "[0]",
         "TPM2_CreatePrimary, 2 handles, nv"),
        (0x17E, "00000001 000b 03 800001", "", "pcrSelectionIn", "1 element"),
        (0x17E, "00000001 000b 03 800001", "", "[0]", "sha256:7,16"),
        (0x17E, "00000000", "00000007 00000000 00000000", "pcrUpdateCounter", "7"),
        (0x17C, "", "0000 00000101", "testResult", "TPM_RC_FAILURE: the TPM is in failure mode"),
    ],
)  # fmt: skip
def test_values_in_words(code: int, command: str, answer: str, name: str, text: str) -> None:
    tree = explain_command(message(0x8001, code, command))
    if answer:
        tree = explain_response(message(0x8001, 0, answer), code)
    assert not tree.error
    assert named(tree, name).text == text


def test_a_quote_is_looked_into() -> None:
    body = (
        "ff544347 8018 0006000b01020304 0003616263 0000000000000010 00000001 00000000 01 0000000000000001"
        "00000001 000b 03 000080 0000"
    ).replace(" ", "")
    answer = message(0x8001, 0, f"{len(body) // 2:04x}{body}0010")
    tree = explain_response(answer, 0x158)
    assert not tree.error
    assert named(tree, "magic").text == "TPM_GENERATED_VALUE"
    assert named(tree, "qualifiedSigner").text == "6 bytes, a Name (sha256)"
    assert named(tree, "extraData").text == "3 bytes, 'abc'"
    assert named(tree, "[0]").text == "sha256:23"
    # What claims to be one and is not stays octets.
    other = explain_response(message(0x8001, 0, "0004deadbeef0010"), 0x158)
    assert not other.error
    assert [child.name for child in named(other, "quoted").children] == ["size", "buffer"]


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
    assert "00 03 aa bb cc              randomBytes: 3 bytes" in out
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
        ([ANSWER.hex()], "--command NAME"),
        (["zz"], "'zz': no TPM 2.0 message found; expected an existing file, or a message"),
        (["ab" * 16], "line 1 has bytes, but no TPM 2.0 message found"),
        (["00c10000000c0000004600000004"], "a TPM 1.2 message (tag 00c1); only TPM 2.0 is supported"),
        (["no-such-file.hex"], "no such file, and no TPM 2.0 message found; expected an existing file, or "),
        (["--command=-1", ANSWER.hex()], "'-1' is not a command"),
        (["--command", "0x100000000", ANSWER.hex()], "is not a command"),
        (["--command", "Nothing", ANSWER.hex()], "is not a command"),
    ):
        assert main(["decode", *words]) == 2
        assert says in capsys.readouterr().err


def test_a_broken_line_does_not_hide_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = GET_RANDOM.hex().replace("0000000c", "00000100")
    (tmp_path / "lines").write_text(f"{broken}\n\n{GET_RANDOM.hex(':')}\n{ANSWER.hex(' ')}\n")
    assert main(["decode", str(tmp_path / "lines")]) == 1
    out = capsys.readouterr().out
    assert out.count("TPM2_GetRandom: ") == 2
    assert "! size: expected 256 bytes, got 12" in out
    assert "commandSize: 256 bytes, but the message has 12" in out
    assert "randomBytes: 3 bytes" in out


def test_recorded_traffic_as_one_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands and responses are told apart, and answers find their commands, in hex and in binary."""
    captures = Path(__file__).parents[2] / "fixtures" / "captures" / "tpm2-tools.jsonl"
    pairs = [json.loads(line) for line in captures.read_text().splitlines()]
    messages = [message for pair in pairs for message in (pair["command"], pair["response"])]
    (tmp_path / "hex").write_text("\n".join(messages))
    (tmp_path / "binary").write_bytes(bytes.fromhex("".join(messages)))
    for file in ("hex", "binary"):
        assert main(["decode", "--json", str(tmp_path / file)]) == 0
        trees = json.loads(capsys.readouterr().out)
        assert [tree["octets"] for tree in trees] == messages
        assert [tree["type"] for tree in trees] == ["command", "response"] * len(pairs)
        for command, response in zip(trees[::2], trees[1::2], strict=True):
            assert response["text"] == f"response to {command['name']}"


def test_numbers_that_only_their_place_explains() -> None:
    def platform(value: str) -> str:
        property_ = "00000000060000000100000123" + value
        tree = explain_response(bytes.fromhex("80010000001b00000000" + property_), TPM_CC.GetCapability)
        assert not tree.error
        return named(tree, "value").text

    assert platform("00000001") == "TPM_PS_PC"
    assert platform("322e3000") == "'2.0'"

    def sent(output: str) -> str:
        return named(explain_response(bytes.fromhex("80010000001200000000" + output), TPM_CC.AC_Send), "data").text

    assert sent("0000000100000000") == "TPM_AE_NONE"
    assert sent("0000000100000005") == "5"
    assert sent("8000000000000000") == "0"


@pytest.mark.parametrize(
    ("maker", "first", "second", "version"),
    [
        (b"IFX\0", 0x00070055, 0x0011CB00, "7.85.4555.0"),
        (b"IFX\0", 0x000F0016, 0x00412602, "15.22.16678.2"),
        (b"STM ", 0x00490008, 0x44A01587, "73.8.17568.5511"),
        (b"INTC", 0x02580012, 0, "600.18.0.0"),
    ],
)
def test_firmware_versions_are_those_that_makers_write(
    maker: bytes, first: int, second: int, version: str
) -> None:
    values = [(0x105, int.from_bytes(maker, "big")), (0x10B, first), (0x10C, second)]
    assert firmware_version(first, second, values[0][1]) == version
    body = b"\0" + struct.pack(">II", 6, 3) + b"".join(struct.pack(">II", *pair) for pair in values)
    response = struct.pack(">HII", 0x8001, 10 + len(body), 0) + body
    command = struct.pack(">HIIIII", 0x8001, 22, 0x17A, 6, 0x105, 8)
    text = as_text(explain_response(response, command))
    third_and_fourth = ".".join(version.split(".")[2:])
    assert f"TPM_PT_FIRMWARE_VERSION_2 = {third_and_fourth}: firmware version {version}" in text
    assert re.search(rf"value: {re.escape(third_and_fourth)} ", text)
