"""Verification of quotes without a TPM: what holds, and each kind of forgery, refused by the right check."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.attestation import ATTRIBUTES, EccSigner, RsaSigner, statement
from tpmwire.attest import AttestationError, parse_statement, qualified_name, verify
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import PolicyError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.attestation import TPMS_CERTIFY_INFO
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_ST, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_HA, TPMT_SIGNATURE

NONCE = b"a nonce of the verifier"
PCRS = "sha256:0,7"
VALUES = {(TPM_ALG.SHA256, 0): b"\1" * 32, (TPM_ALG.SHA256, 7): b"\2" * 32}
DIGEST = hashlib.sha256(b"\1" * 32 + b"\2" * 32).digest()
GOOD = statement(NONCE, parse_pcrs(PCRS), DIGEST)

ecc, pss, other = EccSigner(), RsaSigner(TPM_ALG.RSAPSS), EccSigner()


def check(message: bytes, signature: TPMT_SIGNATURE, key: Any = ecc.public, **changes: Any) -> Any:
    return verify(message, signature, key, **{"nonce": NONCE, "pcrs": PCRS, "values": VALUES, **changes})


@pytest.mark.parametrize(
    "signer",
    [ecc, EccSigner(TPM_ECC.NIST_P384, TPM_ALG.SHA256), pss, RsaSigner()],
    ids=["P-256", "P-384", "RSAPSS", "RSASSA"],
)
def test_a_quote_is_verified(signer: EccSigner | RsaSigner) -> None:
    message = GOOD.build()
    found = check(message, signer.sign(message), signer.public)
    assert found.values == VALUES
    assert found.digest == DIGEST
    assert found.key.name == name_of(signer.public)
    assert found.statement.clock_info.reset_count == 7
    key = signer.key.public_key()
    for form in (
        key,
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        signer.public.build(),
    ):
        assert check(message, signer.sign(message).build(), form).statement == GOOD


def test_other_hashes() -> None:
    # The digest of the PCR values uses the signature's hash (Part 3, §18.4.1).
    signer = EccSigner(TPM_ECC.NIST_P384, TPM_ALG.SHA384)
    message = GOOD.replace(
        attested=GOOD.attested.replace(pcr_digest=hashlib.sha384(b"".join(VALUES.values())).digest())
    )
    assert check(message.build(), signer.sign(message.build()), signer.public).values == VALUES


def forged(name: str, refused_by: str, **changes: Any) -> Any:
    return pytest.param(lambda: statement(NONCE, parse_pcrs(PCRS), DIGEST, **changes).build(), refused_by, id=name)


def quoted(name: str, refused_by: str, selection: tuple[TPMS_PCR_SELECTION, ...], digest: bytes = DIGEST) -> Any:
    return pytest.param(lambda: statement(NONCE, selection, digest).build(), refused_by, id=name)


@pytest.mark.parametrize(
    ("forge", "refused_by"),
    [
        forged("other magic", "format", magic=0xFF544348),
        forged("magic 0", "format", magic=0),
        pytest.param(lambda: GOOD.build() + b"\0", "format", id="extra byte"),
        pytest.param(lambda: b"\0\x91" + GOOD.build(), "format", id="with a size"),
        pytest.param(lambda: GOOD.build()[:-1], "format", id="a byte less"),
        pytest.param(lambda: b"", "format", id="empty"),
        forged("other nonce", "nonce", extra_data=b"another nonce"),
        forged("longer nonce", "nonce", extra_data=NONCE + b"\0"),
        forged("start of the nonce", "nonce", extra_data=NONCE[:-1]),
        forged("no nonce", "nonce", extra_data=b""),
        forged(
            "other type",
            "type",
            type=TPM_ST.ATTEST_CERTIFY,
            attested=TPMS_CERTIFY_INFO(b"\0\x0b" + bytes(32), b"\0\x0b" + bytes(32)),
        ),
        quoted("no PCRs", "PCR selection", ()),
        quoted("an empty bank", "PCR selection", (TPMS_PCR_SELECTION(TPM_ALG.SHA256, bytes(3)),)),
        quoted("other PCRs", "PCR selection", parse_pcrs("sha256:0,8")),
        quoted("fewer PCRs", "PCR selection", parse_pcrs("sha256:0")),
        quoted("more PCRs", "PCR selection", parse_pcrs("sha256:0,7,8")),
        quoted("other bank", "PCR selection", parse_pcrs("sha1:0,7")),
        quoted("a bank more", "PCR selection", parse_pcrs("sha256:0,7+sha1:0")),
        quoted("a bank twice", "PCR selection", parse_pcrs("sha256:0,7") + parse_pcrs("sha256:0")),
        quoted("other digest", "PCR values", parse_pcrs(PCRS), bytes(32)),
        quoted("no digest", "PCR values", parse_pcrs(PCRS), b""),
        quoted("start of the digest", "PCR values", parse_pcrs(PCRS), DIGEST[:-1]),
    ],
)
def test_a_statement_that_a_key_signed_is_refused(forge: Callable[[], bytes], refused_by: str) -> None:
    message = forge()
    with pytest.raises(AttestationError) as refused:
        check(message, ecc.sign(message))
    assert refused.value.check == refused_by
    assert str(refused.value).startswith(f"{refused_by}: ")


def test_any_changed_byte_is_refused() -> None:
    message = GOOD.build()
    signature = ecc.sign(message)
    for at in range(len(message)):
        changed = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
        with pytest.raises(AttestationError):
            check(changed, signature)


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        (lambda signature: signature + b"\0", "format"),
        (lambda signature: signature[:-1], "format"),
        (lambda _: other.sign(GOOD.build()).build(), "signature"),
        (lambda _: ecc.sign(GOOD.build(), TPM_ALG.SHA384).build(), "signature"),
        (lambda _: ecc.sign(GOOD.build(), TPM_ALG.SHA1).build(), "signature"),
        (lambda _: pss.sign(GOOD.build()).build(), "signature"),
        (lambda _: TPMT_SIGNATURE(TPM_ALG.HMAC, TPMT_HA(TPM_ALG.SHA256, bytes(32))).build(), "signature"),
        (lambda _: TPMT_SIGNATURE(TPM_ALG.NULL).build(), "signature"),
        (lambda signature: b"\0\x1a" + signature[2:], "signature"),  # ECDAA, which has the same layout
    ],
    ids=["longer", "shorter", "other key", "other hash", "SHA-1", "RSA", "HMAC", "NULL", "ECDAA"],
)
def test_other_signatures_are_refused(change: Callable[[bytes], bytes], refused_by: str) -> None:
    message = GOOD.build()
    with pytest.raises(AttestationError) as refused:
        verify(message, change(ecc.sign(message).build()), ecc.public, nonce=NONCE, pcrs=PCRS, values=VALUES)
    assert refused.value.check == refused_by


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        (ATTRIBUTES & ~TPMA_OBJECT.RESTRICTED, "restricted"),
        (ATTRIBUTES & ~TPMA_OBJECT.FIXED_TPM, "fixedTPM"),
        (ATTRIBUTES & ~TPMA_OBJECT.SIGN_ENCRYPT, "sign"),
        (ATTRIBUTES | TPMA_OBJECT.DECRYPT, "decrypt"),
    ],
)
def test_keys_that_sign_anything_are_refused(attributes: int, named: str) -> None:
    message = GOOD.build()
    key = ecc.public.replace(object_attributes=TPMA_OBJECT(attributes))
    with pytest.raises(AttestationError, match=named) as refused:
        check(message, ecc.sign(message), key)
    assert refused.value.check == "key"
    # The attributes of a key in PEM are unknown; the result says so.
    assert check(message, ecc.sign(message), ecc.key.public_key()).key.has_attributes is False


def test_pcr_values() -> None:
    message = GOOD.build()
    signature = ecc.sign(message)
    assert check(message, signature, values=None).values == {}
    assert check(message, signature, values=None, expected=VALUES).values == VALUES
    assert check(message, signature, expected={(TPM_ALG.SHA256, 7): b"\2" * 32}).values == VALUES
    for changes, text in (
        ({"values": {}}, "no value was given for PCR 0"),
        ({"expected": {(TPM_ALG.SHA256, 7): b"\3" * 32}}, "sha256:7: expected 0303"),
        ({"values": None, "expected": {(TPM_ALG.SHA256, 7): b"\2" * 32}}, "of all quoted PCRs"),
        ({"values": {**VALUES, (TPM_ALG.SHA256, 7): b"\3" * 32}}, "a value differs"),
    ):
        with pytest.raises(AttestationError, match=text):
            check(message, signature, **changes)


def test_expectations_that_prove_nothing_are_refused() -> None:
    message = statement(NONCE, (), DIGEST).build()
    with pytest.raises(AttestationError, match="no PCRs to verify were given"):
        check(message, ecc.sign(message), pcrs=())
    with pytest.raises(PolicyError):
        check(message, ecc.sign(message), pcrs="")


def test_a_nonce_is_bytes() -> None:
    message = GOOD.build()
    with pytest.raises(TypeError, match="nonce must be bytes, not str"):
        check(message, ecc.sign(message), nonce=NONCE.decode())
    assert check(message, ecc.sign(message), nonce=bytearray(NONCE))


def test_the_signer_is_compared() -> None:
    signer = qualified_name(name_of(ecc.public), bytes.fromhex("4000000b"))
    assert signer[2:] == hashlib.sha256(bytes.fromhex("4000000b") + name_of(ecc.public)).digest()
    message = GOOD.replace(qualified_signer=signer).build()
    assert check(message, ecc.sign(message), signer=signer)
    with pytest.raises(AttestationError) as refused:
        check(message, ecc.sign(message), signer=qualified_name(name_of(ecc.public), bytes.fromhex("40000001")))
    assert refused.value.check == "signer"
    assert parse_statement(message).qualified_signer == signer
