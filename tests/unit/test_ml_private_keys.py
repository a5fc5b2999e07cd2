"""ML-DSA keys of the soft TPM as private keys of `cryptography`, which verifies what they sign."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from tpmwire import calls, templates
from tpmwire.errors import EncodeError, TpmError
from tpmwire.sessions import Password
from tpmwire.soft import SoftTransport
from tpmwire.tpm import Tpm

mldsa: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
NAME = x509.Name.from_rfc4514_string("CN=a machine")
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Tpm(SoftTransport()) as opened:
        yield opened


@pytest.mark.parametrize("name", ["mldsa44", "mldsa65", "mldsa87"])
def test_requests_certificates_and_revocation_lists(tpm: Tpm, name: str) -> None:
    parent = calls.create_primary(tpm)
    loaded = calls.load(tpm, parent, calls.create(tpm, parent, templates.signing(name), auth=b"password"))
    key: Any = calls.private_key(tpm, loaded, by=Password(b"password"))
    assert isinstance(key, getattr(mldsa, f"{name.upper()}PrivateKey"))
    assert repr(key) == f"<{name.capitalize()}PrivateKey Loaded>"
    assert x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, None).is_signature_valid
    certificate: Any = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).serial_number(1)
    certificate = certificate.public_key(key.public_key()).not_valid_before(NOW).not_valid_after(NOW + DAY)
    signed = certificate.sign(key, None)
    signed.verify_directly_issued_by(signed)
    revoked: Any = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW)
    assert revoked.next_update(NOW + DAY).sign(key, None).is_signature_valid(key.public_key())
    long = b"data" * 1000
    key.public_key().verify(key.sign(long, b"a context"), long, b"a context")
    with pytest.raises(InvalidSignature):
        key.public_key().verify(key.sign(long), long, b"a context")
    for release in (key.private_bytes, key.private_bytes_raw):
        with pytest.raises(UnsupportedAlgorithm, match="never releases"):
            release()


def test_mu(tpm: Tpm) -> None:
    key: Any = calls.private_key(tpm, calls.create_primary(tpm, templates.signing("mldsa65:extmu")))
    hasher = mldsa.MLDSAMuHasher(key.public_key())
    hasher.update(b"data")
    key.public_key().verify(key.sign_mu(hasher.finalize()), b"data")
    usual: Any = calls.private_key(tpm, calls.create_primary(tpm, templates.signing("mldsa65")))
    with pytest.raises(TpmError):
        usual.sign_mu(bytes(64))


def test_other_types_of_keys(tpm: Tpm) -> None:
    for template in ("hmac", templates.signing("hashmldsa44:sha256"), templates.decryption("mlkem768")):
        with pytest.raises(EncodeError, match="is not a private key of cryptography"):
            calls.private_key(tpm, calls.create_primary(tpm, template))
