"""Keys of the TPM as private keys of `cryptography`: certificates, requests, signatures, decryption, ECDH.

Also run with the oldest `cryptography` that pyproject.toml allows (`make test-oldest`).
"""

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

import tpmwire
from tests.support.swtpm import Swtpm
from tpmwire import EccPrivateKey, RsaPrivateKey, calls, templates
from tpmwire.errors import EncodeError, TpmError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.sessions import Password
from tpmwire.spec.constants import TPM_RH

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a key in a TPM")])
DAY = datetime.datetime(2026, 11, 28)
HASHES = {"ecc": hashes.SHA256(), "ecc384": hashes.SHA384(), "ecc521": hashes.SHA512(), "rsa2048": hashes.SHA256()}
MGF = padding.MGF1(hashes.SHA256())


@pytest.fixture
def tpm(shared_swtpm: Swtpm) -> Iterator[tpmwire.Tpm]:
    with tpmwire.Tpm.open(shared_swtpm.path, timeout=60) as opened:
        yield opened


def verify(public: Any, signature: bytes, data: bytes, algorithm: Any) -> None:
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), algorithm)
    else:
        public.verify(signature, data, ec.ECDSA(algorithm))


@pytest.mark.parametrize("name", HASHES)
def test_requests_and_certificates(tpm: tpmwire.Tpm, name: str) -> None:
    key = calls.private_key(tpm, calls.create_primary(tpm, templates.signing(name)))
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, HASHES[name])
    assert request.is_signature_valid
    assert request.public_key().public_numbers() == key.public_key().public_numbers()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(request.public_key())
        .serial_number(1)
        .not_valid_before(DAY)
        .not_valid_after(DAY + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, HASHES[name])
    )
    verify(key.public_key(), certificate.signature, certificate.tbs_certificate_bytes, HASHES[name])
    revoked = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(DAY)
        .next_update(DAY + datetime.timedelta(days=1))
        .sign(key, HASHES[name])
    )
    assert revoked.is_signature_valid(key.public_key())


def test_signatures_of_data_and_of_digests(tpm: tpmwire.Tpm) -> None:
    key = EccPrivateKey(tpm, calls.create_primary(tpm, templates.signing("ecc")))
    digest = hashes.Hash(hashes.SHA384())
    digest.update(b"data")
    prehashed = utils.Prehashed(hashes.SHA384())
    public = key.public_key()
    public.verify(key.sign(b"data", ec.ECDSA(hashes.SHA384())), b"data", ec.ECDSA(hashes.SHA384()))
    public.verify(key.sign(digest.finalize(), ec.ECDSA(prehashed)), b"data", ec.ECDSA(hashes.SHA384()))
    assert (key.key_size, key.curve.name) == (256, "secp256r1")
    with pytest.raises(UnsupportedAlgorithm, match="does not support hash 'sha512-256'"):
        key.sign(b"data", ec.ECDSA(hashes.SHA512_256()))


def test_rsa_signatures(tpm: tpmwire.Tpm) -> None:
    key = RsaPrivateKey(tpm, calls.create_primary(tpm, templates.signing("rsa2048")))
    public = key.public_key()
    auto = padding.PSS(MGF, padding.PSS.AUTO)
    public.verify(key.sign(b"data", auto, hashes.SHA256()), b"data", auto, hashes.SHA256())
    of_digest = padding.PSS(MGF, 32)  # libtpms uses a salt as long as the digest
    public.verify(key.sign(b"data", of_digest, hashes.SHA256()), b"data", of_digest, hashes.SHA256())
    for length in (padding.PSS.MAX_LENGTH, 7):
        with pytest.raises(UnsupportedAlgorithm, match="a different PSS salt length"):
            key.sign(b"data", padding.PSS(MGF, length), hashes.SHA256())
    with pytest.raises(UnsupportedAlgorithm, match="same hash for PSS and MGF1"):
        key.sign(b"data", auto, hashes.SHA384())
    with pytest.raises(UnsupportedAlgorithm, match="use PKCS1v15 or PSS"):
        key.sign(b"data", padding.OAEP(MGF, hashes.SHA256(), None), hashes.SHA256())


def test_decryption_and_exchange(tpm: tpmwire.Tpm) -> None:
    key = RsaPrivateKey(tpm, calls.create_primary(tpm, templates.decryption()))
    for pad in (
        padding.OAEP(MGF, hashes.SHA256(), None),
        padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), b"label\0"),
        padding.PKCS1v15(),
    ):
        assert key.decrypt(key.public_key().encrypt(b"a secret", pad), pad) == b"a secret"
    with pytest.raises(UnsupportedAlgorithm, match="zero byte"):
        key.decrypt(bytes(256), padding.OAEP(MGF, hashes.SHA256(), b"label"))
    with pytest.raises(UnsupportedAlgorithm, match="same hash"):
        key.decrypt(bytes(256), padding.OAEP(MGF, hashes.SHA1(), None))
    with pytest.raises(TpmError):
        key.decrypt(bytes(256), padding.OAEP(MGF, hashes.SHA256(), None))
    for curve in (ec.SECP256R1(), ec.SECP384R1()):
        ours = EccPrivateKey(tpm, calls.create_primary(tpm, templates.decryption(f"ecc{curve.key_size}")))
        peer = ec.generate_private_key(curve)
        assert ours.exchange(ec.ECDH(), peer.public_key()) == peer.exchange(ec.ECDH(), ours.public_key())
        tpm.flush_opened()
    with pytest.raises(ValueError, match="the peer's key is on secp521r1"):
        ours.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP521R1()).public_key())


def test_the_private_key_stays_in_the_tpm(tpm: tpmwire.Tpm) -> None:
    key = calls.private_key(tpm, calls.create_primary(tpm, templates.signing("ecc")))
    with pytest.raises(UnsupportedAlgorithm, match="the TPM, which never releases it"):
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    with pytest.raises(UnsupportedAlgorithm, match="never releases"):
        key.private_numbers()
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert repr(key) == "<EccPrivateKey 256 bits, Loaded>"
    with pytest.raises(TypeError, match="use EccPrivateKey"):
        RsaPrivateKey(tpm, key.key)
    with pytest.raises(EncodeError):
        calls.private_key(tpm, calls.load_external(tpm, templates.sealed().replace(unique=bytes(32))))


def test_a_restricted_key_signs_a_request(tpm: tpmwire.Tpm) -> None:
    key = calls.private_key(tpm, calls.create_primary(tpm, templates.attestation("rsa2048")))
    assert x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, hashes.SHA256()).is_signature_valid


def test_key_files_passwords_and_policies(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm, templates.h2_primary())
    policy = Policy(calls.pcr_policy(tpm, "sha256:23"), PolicyAuthValue())
    plain = calls.create(tpm, parent, templates.signing("ecc"), auth=b"pw")
    bound = calls.create(tpm, parent, templates.signing("ecc", policy=policy), auth=b"pw")
    loaded = calls.load(tpm, parent, bound)
    tpm.flush(parent.handle)
    algorithm = ec.ECDSA(hashes.SHA256())
    for key in (
        EccPrivateKey(tpm, KeyFile.of(*plain, TPM_RH.OWNER), by=Password(b"pw")),
        EccPrivateKey(tpm, KeyFile.of(*bound, TPM_RH.OWNER, policy=policy.to_steps()), by=Password(b"pw")),
        EccPrivateKey(tpm, loaded, by=lambda: calls.satisfy_policy(tpm, policy, auth=b"pw")),
    ):
        for _ in range(3):
            key.public_key().verify(key.sign(b"data", algorithm), b"data", algorithm)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(key.sign(b"data", algorithm), b"other", algorithm)
    with pytest.raises(TpmError):
        EccPrivateKey(tpm, loaded, by=lambda: calls.satisfy_policy(tpm, policy, auth=b"no")).sign(
            b"data", algorithm
        )


@pytest.mark.parametrize("name", ["ecc", "ecc521", "rsa2048"])
def test_a_software_key_is_imported(tpm: tpmwire.Tpm, name: str) -> None:
    if name == "rsa2048":
        software: Any = rsa.generate_private_key(65537, 2048)
    else:
        software = ec.generate_private_key(ec.SECP256R1() if name == "ecc" else ec.SECP521R1())
    for template in ("ecc", "rsa2048"):
        parent = calls.create_primary(tpm, template)
        blob = calls.import_private(tpm, parent, software, templates.signing(name), auth=b"pw")
        key = calls.private_key(tpm, calls.load(tpm, parent, blob), by=Password(b"pw"))
        request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, HASHES[name])
        assert request.is_signature_valid
        assert request.public_key().public_numbers() == software.public_key().public_numbers()
        with pytest.raises(UnsupportedAlgorithm):
            calls.import_private(tpm, parent, key)
        tpm.flush_opened()
    with pytest.raises(EncodeError):
        calls.import_private(tpm, calls.create_primary(tpm), software.public_key())
