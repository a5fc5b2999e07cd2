"""Messages: header, handles, authorization area and parameters, and what a peer can do wrong with them."""

import pytest

from tpmwire.errors import DecodeError, EncodeError, TpmError
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.commands.sequences import HMAC_Start
from tpmwire.spec.commands.symmetric import HMAC
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_ST, TPMA_SESSION
from tpmwire.spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from tpmwire.wire import CommandMessage, ResponseMessage, parse_command, parse_response, response_size
from tpmwire.wires import Encrypted

RANDOM = "8001 0000000c 0000017b 0010"
MAC = "8002 00000027 00000155 81010002 00000009 40000009 0000 01 0000 0008 3230323631313234 0010"
MAC_ANSWER = "8002 00000017 00000000 00000004 0002 cafe 0000 01 0000"


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def test_a_command_without_sessions() -> None:
    message = CommandMessage(TPM_CC.GetRandom, GetRandom(16))
    assert message.build() == octets(RANDOM)
    assert parse_command(octets(RANDOM)) == message
    assert message.tag == TPM_ST.NO_SESSIONS


def test_a_command_with_a_password() -> None:
    password = TPMS_AUTH_COMMAND(session_attributes=TPMA_SESSION.CONTINUE_SESSION)
    message = CommandMessage(TPM_CC.HMAC, HMAC(0x81010002, b"20261124"), [password])
    assert message.build() == octets(MAC)
    parsed = parse_command(octets(MAC))
    assert parsed == message
    assert parsed.authorizations[0].session_handle == TPM_RH.PW


def test_its_response() -> None:
    ok = TPMS_AUTH_RESPONSE(b"", TPMA_SESSION.CONTINUE_SESSION, b"")
    message = ResponseMessage(0, TPM_CC.HMAC, HMAC.Response(b"\xca\xfe"), [ok], TPM_ST.SESSIONS)
    for command in (octets(MAC), parse_command(octets(MAC)), TPM_CC.HMAC, HMAC, HMAC(1, b"")):
        assert parse_response(octets(MAC_ANSWER), command) == message
    assert message.build() == octets(MAC_ANSWER)
    assert message.error is None


def test_a_response_with_a_handle() -> None:
    answer = "8002 00000017 00000000 80000001 00000000 0000 01 0000"
    message = parse_response(octets(answer), TPM_CC.HMAC_Start)
    assert message.response == HMAC_Start.Response(0x80000001)
    assert message.build() == octets(answer)


@pytest.mark.parametrize("tag", ["8001", "00c4"])
def test_a_refusal_has_a_header_alone(tag: str) -> None:
    answer = octets(f"{tag} 0000000a 0000098e")
    message = parse_response(answer, octets(MAC))
    assert message.build() == answer
    assert isinstance(message.error, TpmError)
    assert (message.error.code, message.error.session, message.error.command) == (0x08E, 1, TPM_CC.HMAC)


def test_what_is_not_declared_passes_through() -> None:
    vendor = octets("8002 00000012 20000001 00000009 deadbeef")
    assert parse_command(vendor).command == octets("00000009 deadbeef")
    assert parse_command(vendor).build() == vendor
    answer = octets("8001 0000000e 00000000 deadbeef")
    assert parse_response(answer, 0x20000001).response == octets("deadbeef")
    assert parse_response(answer, vendor).build() == answer


def test_a_first_parameter_that_a_session_encrypts_stays_octets() -> None:
    session = TPMS_AUTH_COMMAND(0x02000000, b"nonce", TPMA_SESSION.DECRYPT, b"mac")
    message = CommandMessage(TPM_CC.HMAC, HMAC(0x81010002, Encrypted(b"sealed"), TPM_ALG.SHA256), [session])
    parsed = parse_command(message.build())
    assert isinstance(parsed.command, HMAC)
    assert type(parsed.command.buffer) is Encrypted
    assert parsed.build() == message.build()
    answered = TPMS_AUTH_RESPONSE(b"nonce", TPMA_SESSION.ENCRYPT, b"mac")
    reply = ResponseMessage(0, TPM_CC.HMAC, HMAC.Response(b"x" * 80), [answered], TPM_ST.SESSIONS)
    with pytest.raises(EncodeError, match="80 bytes exceed the limit of 64"):
        reply.build()
    answer = octets("8002 0000001b 00000000 00000006 0004 deadbeef 0000 40 0002 6d61")
    found = parse_response(answer, TPM_CC.HMAC)
    assert found.response == HMAC.Response(Encrypted(b"\xde\xad\xbe\xef"))
    assert found.build() == answer


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "header: truncated: expected at least 10 bytes, got 0 (at byte 0, 0 left)"),
        ("8001 0000000c 0000", "header: truncated: expected at least 10 bytes, got 8 (at byte 0, 8 left)"),
        ("8001 0000000d 0000017b 0010", "size: expected 13 bytes, got 12 (at byte 2, 10 left)"),
        (
            "8001 ffffffff 0000017b 0010",
            "size: expected 4294967295 bytes, got 12 (at byte 2, 10 left)",
        ),
        (
            "00c4 0000000c 0000017b 0010",
            "tag: expected TPM_ST_NO_SESSIONS or TPM_ST_SESSIONS, got TPM_ST.RSP_COMMAND (at byte 0, 12 left)",
        ),
        ("8001 0000000b 0000017b 00", "GetRandom.bytes_requested: UINT16 needs 2 bytes (at byte 10, 1 left)"),
        (
            "8001 0000000e 0000017b 00100000",
            "GetRandom: trailing data: 2 bytes after the last parameter (at byte 12, 2 left)",
        ),
        ("8002 0000000c 00000155 8101", "HMAC.handle: UINT32 needs 4 bytes (at byte 10, 2 left)"),
        (
            "8002 00000010 00000155 81010002 0000",
            "authorizationSize: invalid size of the authorization area: 0 bytes (at byte 14, 2 left)",
        ),
        (
            "8002 00000012 00000155 81010002 ffffffff",
            "authorizationSize: invalid size of the authorization area: 4294967295 bytes (at byte 14, 4 left)",
        ),
        (
            "8002 00000012 00000155 81010002 00000000",
            "authorizationSize: invalid size of the authorization area: 0 bytes (at byte 14, 4 left)",
        ),
        (
            "8002 0000001b 00000155 81010002 00000005 40000009 0000 01 0000",
            "authorizations: the authorization area ends inside an authorization (at byte 23, 0 left)",
        ),
        (
            "8002 00000017 00000155 81010002 00000005 40000009 00",
            "authorizations.[0].nonce: the size needs 2 bytes (at byte 22, 1 left)",
        ),
    ],
)
def test_commands_that_are_none(data: str, text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_command(octets(data))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            "8003 0000000a 00000000",
            "tag: TPM_ST(0x8003) is not the tag of a response (at byte 0, 10 left)",
        ),
        (
            "8002 0000000c 00000000 0000",
            "parameterSize: invalid size of the parameters: 0 bytes (at byte 10, 2 left)",
        ),
        (
            "8002 0000000e 00000000 ffffffff",
            "parameterSize: invalid size of the parameters: 4294967295 bytes (at byte 10, 4 left)",
        ),
        (
            "8002 00000013 00000000 00000000 0000 01 0000",
            "HMAC.Response.out_hmac: the size needs 2 bytes (at byte 14, 0 left)",
        ),
        (
            "8002 0000001a 00000000 00000007 0004 cafebabe 00 0000 01 0000",
            "HMAC.Response: trailing data: 1 byte after the last parameter (at byte 20, 1 left)",
        ),
        (
            "8002 00000018 00000000 00000004 0002 cafe 0000 01 0000 ff",
            "authorizations.[1].nonce: the size needs 2 bytes (at byte 23, 1 left)",
        ),
    ],
)
def test_responses_that_are_none(data: str, text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_response(octets(data), TPM_CC.HMAC)
    assert str(caught.value) == text


@pytest.mark.parametrize("size", [0, 9, 16385, 0xFFFFFFFF])
def test_a_size_is_judged_before_anything_is_read(size: int) -> None:
    with pytest.raises(DecodeError, match=f"invalid response size: expected 10 to 16384 bytes, got {size}"):
        response_size(b"\x80\x01" + size.to_bytes(4, "big") + bytes(4))


def test_a_size_that_can_be() -> None:
    assert response_size(octets("8001 00004000 00000000")) == 16384


def test_no_repr_of_a_message_shows_a_password() -> None:
    password = TPMS_AUTH_COMMAND(hmac=b"hunter2")
    assert "hunter2" not in repr(CommandMessage(TPM_CC.GetRandom, GetRandom(1), [password]))
