"""Calls on data of any length, signatures, RSA and ECDH, each compared with `cryptography` or hashlib."""

import hashlib
import hmac
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import tpmwire
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm
from tpmwire import calls, protected_sessions, templates
from tpmwire.errors import EncodeError, TpmError
from tpmwire.keys.bridges import signature_from_der
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_SE
from tpmwire.spec.structures import (
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
)

LENGTHS = [0, 1, 1023, 1024, 1025, 2048, 5000]
CURVES = {"ecc": ec.SECP256R1(), "ecc384": ec.SECP384R1(), "ecc521": ec.SECP521R1()}


@pytest.fixture
def tpm(shared_swtpm: Swtpm) -> Iterator[tpmwire.Tpm]:
    with tpmwire.Tpm.open(shared_swtpm.path, timeout=60) as opened:
        yield opened


def ecc_key(public: TPMT_PUBLIC, curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    point = public.unique
    assert isinstance(point, TPMS_ECC_POINT)
    x, y = int.from_bytes(point.x, "big"), int.from_bytes(point.y, "big")
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()


def rsa_key(public: TPMT_PUBLIC) -> rsa.RSAPublicKey:
    assert isinstance(public.unique, bytes)
    return rsa.RSAPublicNumbers(65537, int.from_bytes(public.unique, "big")).public_key()


def ecdsa_der(signature: TPMT_SIGNATURE) -> bytes:
    made = signature.signature
    assert isinstance(made, TPMS_SIGNATURE_ECC)
    return utils.encode_dss_signature(*(int.from_bytes(n, "big") for n in (made.signature_r, made.signature_s)))


def rsa_bytes(signature: TPMT_SIGNATURE) -> bytes:
    assert isinstance(signature.signature, TPMS_SIGNATURE_RSA)
    return signature.signature.sig


@pytest.mark.parametrize("length", LENGTHS)
def test_a_hash_of_any_length(tpm: tpmwire.Tpm, length: int) -> None:
    data = bytes(n % 251 for n in range(length))
    assert calls.hash(tpm, data) == hashlib.sha256(data).digest()
    assert calls.hash(tpm, data, "sha384") == hashlib.sha384(data).digest()
    assert calls.hash(tpm, data, TPM_ALG.SHA512) == hashlib.sha512(data).digest()


def test_an_hmac_of_any_length(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    key = calls.load(tpm, parent, calls.create(tpm, parent, "hmac:sha384", data=b"k" * 48))
    tpm.flush(parent.handle)
    for length in LENGTHS:
        data = bytes(n % 251 for n in range(length))
        assert calls.hmac(tpm, key, data) == hmac.digest(b"k" * 48, data, "sha384")


@pytest.mark.parametrize("length", [10, 3000])
def test_an_hmac_stays_encrypted(shared_swtpm: Swtpm, length: int) -> None:
    expected = hmac.digest(b"k" * 32, bytes(length), "sha256")
    with Interposer(shared_swtpm.path) as bus, tpmwire.Tpm.open(bus.path, timeout=60) as tpm:
        parent = calls.create_primary(tpm)
        key = calls.load(tpm, parent, calls.create(tpm, parent, "hmac", data=b"k" * 32))
        (session,) = protected_sessions(tpm, [TPM_SE.HMAC])
        assert calls.hmac(tpm, key, bytes(length), by=session.use(encrypt=True)) == expected
        assert calls.hmac(tpm, key, bytes(length), companions=[session.use(encrypt=True)]) == expected
        both = session.use(encrypt=True, decrypt=True)
        assert calls.hmac(tpm, key, bytes(length), companions=[both]) == expected
        assert expected not in bus.octets
        assert calls.hmac(tpm, key, bytes(length)) == expected
        assert expected in bus.octets


def test_a_cipher_of_any_length(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    key = calls.load(tpm, parent, calls.create(tpm, parent, "aes128ctr", data=b"sixteen byte key"))
    data, iv = bytes(range(256)) * 9, bytes(range(16))
    cipher = Cipher(algorithms.AES(b"sixteen byte key"), modes.CTR(iv)).encryptor()
    encrypted = calls.encrypt(tpm, key, data, iv)
    assert encrypted == cipher.update(data) + cipher.finalize()
    assert calls.decrypt(tpm, key, encrypted, iv) == data


def test_older_commands_are_used_where_a_tpm_lacks_the_newer(shared_swtpm: Swtpm) -> None:
    refused = {TPM_CC.HMAC, TPM_CC.EncryptDecrypt2}
    with Interposer(shared_swtpm.path) as bus, tpmwire.Tpm.open(bus.path, timeout=60) as tpm:
        parent = calls.create_primary(tpm)
        key = calls.load(tpm, parent, calls.create(tpm, parent, "hmac", data=b"k" * 32))
        cipher = calls.load(tpm, parent, calls.create(tpm, parent, "aes128ctr"))
        tpm.flush(parent.handle)
        encrypted = calls.encrypt(tpm, cipher, bytes(2000))
        no_command = bytes.fromhex("80010000000a00000143")
        bus.on_command = lambda sent: no_command if int.from_bytes(sent[6:10], "big") in refused else None
        assert calls.hmac(tpm, key, b"data") == hmac.digest(b"k" * 32, b"data", "sha256")
        assert calls.decrypt(tpm, cipher, encrypted) == bytes(2000)
        assert {"HMAC_Start", "EncryptDecrypt"} <= set(bus.codes)


@pytest.mark.parametrize("name", CURVES)
def test_a_signature_without_a_scheme_has_the_digests_hash(tpm: tpmwire.Tpm, name: str) -> None:
    key = calls.create_primary(tpm, templates.signing(name))
    public = ecc_key(key.public, CURVES[name])
    for digest_hash in (hashes.SHA256(), hashes.SHA384()):
        digest = hashlib.new(digest_hash.name, b"a message").digest()
        signature = calls.sign(tpm, key.handle, digest)
        public.verify(ecdsa_der(signature), digest, ec.ECDSA(utils.Prehashed(digest_hash)))
        assert calls.verify(tpm, key, digest, signature)
        assert calls.verify(tpm, key.public, digest, signature)
        assert not calls.verify(tpm, key.public, digest[::-1], signature)
    with pytest.raises(EncodeError, match="invalid digest of 31 bytes"):
        calls.sign(tpm, key, bytes(31))


def test_rsa_signatures_of_both_schemes(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm, templates.signing("rsa2048"))
    public, digest = rsa_key(key.public), hashlib.sha256(b"a message").digest()
    prehashed = utils.Prehashed(hashes.SHA256())
    public.verify(rsa_bytes(calls.sign(tpm, key, digest)), digest, padding.PKCS1v15(), prehashed)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    for scheme in ("rsapss", "rsapss-sha256", TPMT_SIG_SCHEME(TPM_ALG.RSAPSS, TPMS_SCHEME_HASH(TPM_ALG.SHA256))):
        public.verify(rsa_bytes(calls.sign(tpm, key, digest, scheme)), digest, pss, prehashed)
    with pytest.raises(EncodeError, match="unknown signing scheme 'pss'"):
        calls.sign(tpm, key, digest, "pss")


def test_the_tpm_verifies_signatures_of_software_keys(tpm: tpmwire.Tpm) -> None:
    ecc, other = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    made = signature_from_der(ecc.sign(b"data", ec.ECDSA(hashes.SHA256())))
    assert calls.verify_message(tpm, calls.load_external(tpm, ecc.public_key()), b"data", made)
    plain = other.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    made = signature_from_der(plain, TPM_ALG.RSASSA)
    assert calls.verify_message(tpm, calls.load_external(tpm, other.public_key()), b"data", made)
    assert not calls.verify_message(tpm, calls.load_external(tpm, other.public_key()), b"other", made)


@pytest.mark.parametrize("message", [b"short", bytes(3000)])
def test_a_restricted_key_signs_messages(tpm: tpmwire.Tpm, message: bytes) -> None:
    key = calls.create_primary(tpm, templates.attestation("ecc384"))
    signature = calls.sign_message(tpm, key, message)
    ecc_key(key.public, ec.SECP384R1()).verify(ecdsa_der(signature), message, ec.ECDSA(hashes.SHA384()))
    assert calls.verify_message(tpm, key, message, signature)
    assert not calls.verify_message(tpm, key.public, message + b"x", signature)
    with pytest.raises(TpmError):
        calls.sign(tpm, key, hashlib.sha384(message).digest())
    with pytest.raises(TpmError):
        calls.sign_message(tpm, key, b"\xffTCG" + message)


@pytest.mark.parametrize("length", [16, 1025])
def test_a_message_is_hashed_by_the_named_hash(tpm: tpmwire.Tpm, length: int) -> None:
    key = calls.create_primary(tpm, templates.signing("rsa2048"))
    signature = calls.sign_message(tpm, key, bytes(length), "rsassa-sha512")
    rsa_key(key.public).verify(rsa_bytes(signature), bytes(length), padding.PKCS1v15(), hashes.SHA512())


def test_rsa_encryption_both_ways(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm, templates.decryption("rsa2048"))
    public, data = rsa_key(key.public), b"a secret"
    pads = {
        "oaep": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
        "oaep-sha1": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
        "rsaes": padding.PKCS1v15(),
    }
    for name, pad in pads.items():
        assert calls.rsa_decrypt(tpm, key, public.encrypt(data, pad), name) == data
        assert calls.rsa_decrypt(tpm, key, calls.rsa_encrypt(tpm, key.handle, data, name), name) == data
    labelled = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"label\0")
    assert calls.rsa_decrypt(tpm, key, public.encrypt(data, labelled), label="label") == data
    with pytest.raises(TpmError):
        calls.rsa_decrypt(tpm, key, public.encrypt(data, labelled), label="another")
    with pytest.raises(EncodeError, match="unknown RSA padding 'pkcs1'"):
        calls.rsa_encrypt(tpm, key, data, "pkcs1")


@pytest.mark.parametrize("name", CURVES)
def test_ecdh_with_a_software_key(tpm: tpmwire.Tpm, name: str) -> None:
    key = calls.create_primary(tpm, templates.decryption(name))
    peer, public = ec.generate_private_key(CURVES[name]), ecc_key(key.public, CURVES[name])
    assert calls.ecdh(tpm, key, peer.public_key()) == peer.exchange(ec.ECDH(), public)
    made = calls.ecdh_ephemeral(tpm, key)
    assert calls.ecdh(tpm, key.handle, made.point) == made.secret
    with pytest.raises(EncodeError, match="ECDH needs an ECC key"):
        calls.ecdh(tpm, calls.create_primary(tpm, "rsa2048"), peer.public_key())
