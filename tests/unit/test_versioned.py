"""Layouts that version 1.85 changed: the old and the new one are told apart, rebuilt and explained."""

import pytest

from tpmwire.errors import DecodeError, EncodeError
from tpmwire.explain import as_text, explain_command, explain_response
from tpmwire.spec.commands.asymmetric import RSA_Encrypt
from tpmwire.spec.commands.nv import NV_Certify
from tpmwire.spec.commands.policies import PolicyAuthorize
from tpmwire.spec.commands.signing import Sign, VerifySignature
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_RH, TPM_ST
from tpmwire.spec.structures import (
    TPML_DIGEST_VALUES,
    TPMS_AUTH_COMMAND,
    TPMS_ECC_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMT_ECC_SCHEME,
    TPMT_HA,
    TPMT_KDF_SCHEME,
    TPMT_RSA_DECRYPT,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_SYM_DEF_OBJECT,
    TPMT_TK_HASHCHECK,
    TPMT_TK_VERIFIED,
)
from tpmwire.wire import CommandMessage, parse_command

NO_TICKET = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
OLD = TPMT_SIGNATURE(TPM_ALG.EDDSA, TPMS_SIGNATURE_ECC(TPM_ALG.SHA512, bytes(32), bytes(32)))


@pytest.mark.parametrize(
    ("signature", "data"),
    [
        (OLD, "0060000d" + "0020" + "00" * 32 + "0020" + "00" * 32),
        (TPMT_SIGNATURE(TPM_ALG.EDDSA, bytes(64)), "00600040" + "00" * 64),
        (TPMT_SIGNATURE(TPM_ALG.HASH_EDDSA, bytes(114)), "00610072" + "00" * 114),
        (TPMT_SIGNATURE(TPM_ALG.MLDSA, bytes(2420)), "00a10974" + "00" * 2420),
    ],
)
def test_signatures(signature: TPMT_SIGNATURE, data: str) -> None:
    assert signature.build().hex() == data
    assert TPMT_SIGNATURE.parse(bytes.fromhex(data)) == signature
    message = CommandMessage(TPM_CC.VerifySignature, VerifySignature(0x80000000, bytes(32), signature)).build()
    tree = explain_command(message)
    assert not tree.error
    assert parse_command(message).build() == message


@pytest.mark.parametrize(
    "scheme",
    [
        TPMT_SIG_SCHEME(TPM_ALG.EDDSA),
        TPMT_SIG_SCHEME(TPM_ALG.EDDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA512)),
        TPMT_SIG_SCHEME(TPM_ALG.HASH_MLDSA),
        TPMT_SIG_SCHEME(TPM_ALG.HASH_MLDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256)),
        TPMT_SIG_SCHEME(TPM_ALG.NULL),
    ],
)
def test_schemes(scheme: TPMT_SIG_SCHEME) -> None:
    command = Sign(0x80000000, bytes(32), scheme, NO_TICKET)
    message = CommandMessage(TPM_CC.Sign, command, [TPMS_AUTH_COMMAND()]).build()
    assert parse_command(message).command == command
    assert not explain_command(message).error


@pytest.mark.parametrize("details", [None, TPMS_SCHEME_HASH(TPM_ALG.SHA512)])
def test_key_parameters(details: TPMS_SCHEME_HASH | None) -> None:
    none = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
    scheme = TPMT_ECC_SCHEME(TPM_ALG.EDDSA, details)
    parameters = TPMS_ECC_PARMS(none, scheme, TPM_ECC.CURVE_25519, TPMT_KDF_SCHEME(TPM_ALG.NULL))
    assert TPMS_ECC_PARMS.parse(parameters.build()) == parameters


@pytest.mark.parametrize(
    ("ticket", "data"),
    [
        (TPMT_TK_VERIFIED(TPM_ST.VERIFIED, TPM_RH.OWNER, hmac=bytes(32)), "8022400000010020" + "00" * 32),
        (TPMT_TK_VERIFIED(TPM_ST.MESSAGE_VERIFIED, TPM_RH.NULL), "8026400000070000"),
        (
            TPMT_TK_VERIFIED(TPM_ST.DIGEST_VERIFIED, TPM_RH.OWNER, TPM_ALG.SHA256, bytes(32)),
            "802740000001000b0020" + "00" * 32,
        ),
        (TPMT_TK_VERIFIED(TPM_ST.DIGEST_VERIFIED, TPM_RH.NULL, TPM_ALG.NULL), "80274000000700100000"),
        (TPMT_TK_VERIFIED(TPM_ST.DIGEST_VERIFIED, TPM_RH.NULL), "8027400000070000"),
    ],
)
def test_tickets(ticket: TPMT_TK_VERIFIED, data: str) -> None:
    assert ticket.build().hex() == data
    assert TPMT_TK_VERIFIED.parse(bytes.fromhex(data)) == ticket
    assert ticket.digest == ticket.hmac
    policy = PolicyAuthorize(0x03000000, bytes(32), b"", bytes(34), ticket)
    assert parse_command(CommandMessage(TPM_CC.PolicyAuthorize, policy).build()).command == policy


def test_other_tags_are_refused() -> None:
    with pytest.raises(DecodeError, match="unsupported tag"):
        TPMT_TK_VERIFIED.parse(bytes.fromhex("8023400000070000"))


def test_explained_metadata() -> None:
    ticket = TPMT_TK_VERIFIED(TPM_ST.DIGEST_VERIFIED, TPM_RH.OWNER, TPM_ALG.SHA256, bytes(32)).build()
    response = b"\x80\x01" + (10 + len(ticket)).to_bytes(4, "big") + bytes(4) + ticket
    text = as_text(explain_response(response, TPM_CC.VerifyDigestSignature))
    assert "metadata: TPM_ALG_SHA256" in text
    assert "TPM_ST_DIGEST_VERIFIED" in text


@pytest.mark.parametrize(
    ("alg", "size"), [("SHA256_192", 24), ("SHAKE256_192", 24), ("SHAKE256_256", 32), ("SHAKE256_512", 64)]
)
def test_digests_of_version_184(alg: str, size: int) -> None:
    values = (TPMT_HA(TPM_ALG[alg], bytes(size)), TPMT_HA(TPM_ALG.SHA1, bytes(20)))
    assert TPML_DIGEST_VALUES.parse(TPML_DIGEST_VALUES.build(values)) == values
    with pytest.raises(EncodeError):
        TPMT_HA(TPM_ALG[alg], bytes(size + 1)).build()


def test_scheme_before_an_empty_label() -> None:
    command = RSA_Encrypt(0x80000000, b"", TPMT_RSA_DECRYPT(TPM_ALG.EDDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA1)), b"")
    assert RSA_Encrypt.parse(command.build()) == command


@pytest.mark.parametrize("size", [0, 11, 16, 32])
@pytest.mark.parametrize("details", [None, TPMS_SCHEME_HASH(TPM_ALG.SHA256)])
def test_scheme_before_a_size(details: TPMS_SCHEME_HASH | None, size: int) -> None:
    """In TPM2_NV_Certify, the size behind a scheme can have the value of a hash algorithm."""
    scheme = TPMT_SIG_SCHEME(TPM_ALG.MLDSA, details)
    command = NV_Certify(0x80000000, 0x01000000, 0x01000000, b"", scheme, size, 0)
    message = CommandMessage(TPM_CC.NV_Certify, command, [TPMS_AUTH_COMMAND()] * 2).build()
    assert parse_command(message).command == command
    assert not explain_command(message).error
