"""The short calls against a real TPM, each held against the host's own arithmetic or tpm2-tools."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, cast

import pytest

import tpmwire
from tests.support.swtpm import SOFT, Swtpm, tpm2
from tests.support.verbs import held
from tpmwire import calls
from tpmwire.channel import protected_sessions
from tpmwire.errors import PolicyError, SessionError, TpmError
from tpmwire.keys import templates
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyPCR
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.attestation import TPMS_ATTEST, TPMS_CERTIFY_INFO, TPMS_QUOTE_INFO
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_CC, TPM_ECC, TPM_PT, TPM_RH, TPM_SE, TPMA_NV, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_SYM_DEF_OBJECT,
)

RESTRICTED = TPMT_PUBLIC(
    TPM_ALG.ECC,
    TPM_ALG.SHA256,
    templates.srk_ecc().object_attributes & ~TPMA_OBJECT.DECRYPT | TPMA_OBJECT.SIGN_ENCRYPT,
    b"",
    TPMS_ECC_PARMS(
        TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL),
        TPMT_ECC_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256)),
        TPM_ECC.NIST_P256,
        TPMT_KDF_SCHEME(TPM_ALG.NULL),
    ),
    TPMS_ECC_POINT(b"", b""),
)
KEY, AUTH, INDEX = b"a key of thirty-two octets, told.", b"a password", 0x01000010


@pytest.fixture
def tpm(swtpm: Swtpm) -> Iterator[tpmwire.Tpm]:
    with tpmwire.Tpm.open(swtpm.path, timeout=30) as opened:
        yield opened


def test_random_gives_as_many_octets_as_asked_for(tpm: tpmwire.Tpm) -> None:
    # More than the 64 that one command gives.
    assert len(calls.random(tpm, 200)) == 200
    assert calls.random(tpm, 0) == b""
    assert calls.random(tpm, 32) != calls.random(tpm, 32)
    with pytest.raises(ValueError, match="-1"):
        calls.random(tpm, -1)


def test_random_can_come_encrypted(tpm: tpmwire.Tpm) -> None:
    (session,) = protected_sessions(tpm, [TPM_SE.HMAC])
    assert len(calls.random(tpm, 16, session.use(encrypt=True))) == 16


def test_hash(tpm: tpmwire.Tpm) -> None:
    assert calls.hash(tpm, b"abc") == hashlib.sha256(b"abc").digest()
    assert calls.hash(tpm, b"abc", TPM_ALG.SHA384) == hashlib.sha384(b"abc").digest()


def test_hmac_with_a_key_of_ones_own(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    blob = calls.create(tpm, parent, templates.hmac_key(), auth=AUTH, data=KEY)
    key = calls.load(tpm, parent, blob)
    assert calls.hmac(tpm, key.handle, b"data", by=Password(AUTH)) == hmac.digest(KEY, b"data", "sha256")
    with pytest.raises(TpmError):
        calls.hmac(tpm, key.handle, b"data", by=Password(b"another"))
    assert calls.read_public(tpm, key.handle) == key


def test_pcrs_of_several_banks(tpm: tpmwire.Tpm) -> None:
    before = calls.pcr_read(tpm, "sha256:0,1,2,3,4,5,6,7,8,16+sha384:16")
    assert len(before) == 11
    calls.pcr_extend(tpm, 16, bytes(32))
    calls.pcr_extend(tpm, 16, bytes(48), TPM_ALG.SHA384)
    after = calls.pcr_read(tpm, "sha256:16+sha384:16")
    for bank, size in ((TPM_ALG.SHA256, 32), (TPM_ALG.SHA384, 48)):
        name = f"sha{8 * size}"
        assert after[bank, 16] == hashlib.new(name, before[bank, 16] + bytes(size)).digest()
    with pytest.raises(PolicyError):
        calls.pcr_read(tpm, "no bank:1")


def test_sealed_data_open_with_their_password(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    sealed = calls.seal(tpm, parent, b"to be kept", auth=AUTH)
    assert calls.unseal(tpm, parent, sealed, by=Password(AUTH)) == b"to be kept"
    for _ in range(2):
        with pytest.raises(TpmError):
            calls.unseal(tpm, parent, sealed)
    # A TPM has three slots: the object was flushed after each failure.
    assert calls.unseal(tpm, parent, sealed, by=Password(AUTH)) == b"to be kept"


def test_sealed_data_open_with_their_pcrs_only(tpm: tpmwire.Tpm) -> None:
    pcrs = parse_pcrs("sha256:23")
    policy = Policy(PolicyPCR.of_values(TPM_ALG.SHA256, pcrs, calls.pcr_read(tpm, pcrs)))
    parent = calls.create_primary(tpm)
    sealed = calls.seal(tpm, parent, b"to be kept", policy=policy.digest())
    with pytest.raises(TpmError):
        calls.unseal(tpm, parent, sealed)

    def opened() -> bytes:
        session = tpm.start_session(SessionStart(TPM_SE.POLICY))
        for command in policy.commands(session.handle):
            tpm.execute(command)
        return calls.unseal(tpm, parent, sealed, by=session.use(keep=False))

    assert opened() == b"to be kept"
    calls.pcr_extend(tpm, 23, bytes(32))
    with pytest.raises(TpmError):
        opened()


def test_signatures_verify_outside_and_inside(tpm: tpmwire.Tpm) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    scheme = TPMT_ECC_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
    none, no_kdf = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), TPMT_KDF_SCHEME(TPM_ALG.NULL)
    attributes = templates.srk_ecc().object_attributes & ~(TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT)
    template = TPMT_PUBLIC(
        TPM_ALG.ECC,
        TPM_ALG.SHA256,
        attributes | TPMA_OBJECT.SIGN_ENCRYPT,
        b"",
        TPMS_ECC_PARMS(none, scheme, TPM_ECC.NIST_P256, no_kdf),
        TPMS_ECC_POINT(b"", b""),
    )
    key = calls.create_primary(tpm, template, TPM_RH.OWNER, auth=AUTH)
    digest = hashlib.sha256(b"a message").digest()
    made = calls.sign(tpm, key, digest, by=Password(AUTH))
    point, ecdsa = key.public.unique, made.signature
    assert isinstance(point, TPMS_ECC_POINT)
    assert isinstance(ecdsa, TPMS_SIGNATURE_ECC)
    x, y = (int.from_bytes(n, "big") for n in (point.x, point.y))
    r, s = (int.from_bytes(n, "big") for n in (ecdsa.signature_r, ecdsa.signature_s))
    der = utils.encode_dss_signature(r, s)
    ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
        der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    )
    assert calls.verify(tpm, key, digest, made)
    assert not calls.verify(tpm, key, bytes(32), made)
    with pytest.raises(TpmError):
        calls.verify(tpm, 0x80000007, digest, made)


def test_nv_is_what_tpm2_tools_read(swtpm: Swtpm) -> None:
    data = bytes(range(256)) * 4
    with tpmwire.Tpm.open(swtpm.path, timeout=30) as tpm:
        calls.nv_define(tpm, INDEX, len(data), auth=AUTH)
        calls.nv_write(tpm, INDEX, data, by=Password(AUTH))
        assert calls.nv_read(tpm, INDEX, by=Password(AUTH)) == data
        assert calls.nv_read(tpm, INDEX, 7, 600, authority=TPM_RH.OWNER) == data[600:607]
        with pytest.raises(TpmError):
            calls.nv_read(tpm, INDEX)
    assert tpm2(swtpm, "nvread", "-C", "o", f"0x{INDEX:08x}") == data
    with tpmwire.Tpm.open(swtpm.path, timeout=30) as tpm:
        calls.nv_write(tpm, INDEX, b"new", 1000, authority=TPM_RH.OWNER)
        assert calls.nv_read(tpm, INDEX, by=Password(AUTH))[998:1004] == data[998:1000] + b"new" + data[1003:1004]
        calls.nv_undefine(tpm, INDEX)
        with pytest.raises(TpmError):
            calls.nv_read(tpm, INDEX)
        # Written by the owner only, when the attributes say so.
        calls.nv_define(tpm, INDEX, 8, TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE)
        with pytest.raises(TpmError):
            calls.nv_write(tpm, INDEX, bytes(8))
        calls.nv_undefine(tpm, INDEX)


def test_capabilities(swtpm: Swtpm, tpm: tpmwire.Tpm) -> None:
    properties = calls.properties(tpm)
    assert properties[TPM_PT.MANUFACTURER] == int.from_bytes(b"SOFT" if SOFT else b"IBM\0", "big")
    assert TPM_PT.LOCKOUT_INTERVAL in properties
    implemented = calls.commands(tpm)
    assert len(implemented) == len(set(implemented)) == properties[TPM_PT.TOTAL_COMMANDS]
    assert {TPM_CC.HMAC, TPM_CC.NV_UndefineSpaceSpecial} <= set(implemented)
    assert {one.alg for one in calls.capabilities(tpm, TPM_CAP.ALGS)} >= {TPM_ALG.SHA256, TPM_ALG.ECC}
    parent = calls.create_primary(tpm)
    assert parent.handle in calls.capabilities(tpm, TPM_CAP.HANDLES, 0x80000000)
    assert calls.capabilities(tpm, TPM_CAP.HANDLES, parent.handle + 1) == []


class Swapped:
    """A way to the TPM on which somebody changes an octet of each Name that a load gives."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def transceive(self, command: bytes) -> bytes:
        response = bytearray(self._transport.transceive(command))
        if command[6:10] == TPM_CC.Load.to_bytes(4, "big"):
            response[-10] ^= 1
        return bytes(response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def test_a_name_that_is_not_that_of_the_object_is_refused(swtpm: Swtpm) -> None:
    with tpmwire.Tpm.open(swtpm.path, timeout=30) as tpm:
        parent = calls.create_primary(tpm)
        blob = calls.seal(tpm, parent, b"to be kept")
        honest, tpm.transport = tpm.transport, cast("Any", Swapped(tpm.transport))
        with pytest.raises(SessionError, match="whose Name does not match"):
            calls.load(tpm, parent, blob)
        tpm.transport = honest
        assert calls.unseal(tpm, parent, blob) == b"to be kept"
    assert held(swtpm) == ""


def test_quote_and_certify(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm, RESTRICTED)
    quoted = calls.quote(tpm, key, "sha256:0,7+sha1:16", b"a nonce")
    attest = TPMS_ATTEST.parse(quoted.message)
    assert attest.extra_data == b"a nonce"
    assert isinstance(attest.attested, TPMS_QUOTE_INFO)
    assert attest.attested.pcr_select == parse_pcrs("sha256:0,7+sha1:16")
    assert calls.verify(tpm, key, hashlib.sha256(quoted.message).digest(), quoted.signature)
    certified = calls.certify(tpm, calls.create_primary(tpm), key, b"another")
    info = TPMS_ATTEST.parse(certified.message).attested
    assert isinstance(info, TPMS_CERTIFY_INFO)
    assert info.name == calls.create_primary(tpm).name
    with pytest.raises(PolicyError):
        calls.quote(tpm, key, "sha256:99", b"")
