"""ML-KEM encapsulation in Python, decapsulated by two other implementations, and the secrets derived from it."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from kyber_py.ml_kem import ML_KEM_512, ML_KEM_768, ML_KEM_1024

from tpmwire.crypto import salt
from tpmwire.crypto.pure.mlkem import encapsulate_in_python
from tpmwire.crypto.salt import seal_secret
from tpmwire.errors import EncodeError, SessionError
from tpmwire.spec.constants import TPM_ALG, TPM_MLKEM, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_MLKEM_PARMS, TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT

KEYS = (mlkem.MLKEM768PrivateKey, mlkem.MLKEM1024PrivateKey)


@pytest.mark.parametrize("kind", KEYS)
def test_opened_by_cryptography(kind: type) -> None:
    key = kind.generate()
    secret, ciphertext = encapsulate_in_python(key.public_key().public_bytes_raw())
    assert key.decapsulate(ciphertext) == secret
    assert encapsulate_in_python(key.public_key().public_bytes_raw())[0] != secret


@pytest.mark.parametrize("kem", [ML_KEM_512, ML_KEM_768, ML_KEM_1024])
def test_same_result_as_kyber_py(kem: object) -> None:
    public, private = kem.keygen()  # type: ignore[attr-defined]
    message = bytes(range(32))
    ours = encapsulate_in_python(public, message)
    assert ours == kem._encaps_internal(public, message)  # type: ignore[attr-defined]
    assert kem.decaps(private, ours[1]) == ours[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "public", [b"", bytes(799), bytes(1952), b"\xff" * 1184], ids=["empty", "short", "rank", "unreduced"]
)
def test_refused_keys(public: bytes) -> None:
    with pytest.raises(ValueError, match="ML-KEM"):
        encapsulate_in_python(public)


def public_of(unique: bytes, name_alg: TPM_ALG = TPM_ALG.SHA256) -> TPMT_PUBLIC:
    attributes = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    sets = {800: TPM_MLKEM.MLKEM_512, 1184: TPM_MLKEM.MLKEM_768}
    parameters = TPMS_MLKEM_PARMS(
        TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 256, TPM_ALG.CFB), sets.get(len(unique), TPM_MLKEM.MLKEM_1024)
    )
    return TPMT_PUBLIC(TPM_ALG.MLKEM, name_alg, attributes, b"", parameters, unique)


@pytest.mark.parametrize(
    ("name_alg", "hashed"),
    [
        (TPM_ALG.SHA256, hashes.SHA256()),
        (TPM_ALG.SHA384, hashes.SHA384()),
        (TPM_ALG.SHA512, hashes.SHA512()),
    ],
)
@pytest.mark.parametrize("label", [b"SECRET", b"DUPLICATE", b"IDENTITY"])
def test_derived_secret(name_alg: TPM_ALG, hashed: hashes.HashAlgorithm, label: bytes) -> None:
    key = mlkem.MLKEM768PrivateKey.generate()
    unique = key.public_key().public_bytes_raw()
    secret, sealed = seal_secret(public_of(unique, name_alg), label)
    # KDFa is the KDF in counter mode of SP 800-108 (Part 1, §11.4.10.2).
    kdf = KBKDFHMAC(
        hashed,
        Mode.CounterMode,
        hashed.digest_size,
        4,
        4,
        CounterLocation.BeforeFixed,
        label,
        sealed + unique,
        None,
    )
    assert kdf.derive(key.decapsulate(sealed)) == secret.reveal()


@pytest.mark.parametrize("present", [True, False])
def test_arithmetic(present: bool) -> None:
    """`cryptography` computes if it is already loaded; otherwise Python does, and does not load it."""
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        f"{'import cryptography.hazmat.primitives.asymmetric.mlkem' if present else ''}\n"
        "from tpmwire.crypto import salt\n"
        "salt._encapsulate_in_python = lambda key: (bytes(32), b'python')\n"
        "print(salt.encapsulate_secret(bytes(1184))[1][:6], 'cryptography.hazmat' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.strip() == "b'python' False") is not present


def test_unsound_key() -> None:
    with pytest.raises(SessionError, match="do not trust this TPM"):
        seal_secret(public_of(b"\xff" * 800))
    with pytest.raises(EncodeError, match="not a decryption key"):
        seal_secret(public_of(bytes(800)).replace(object_attributes=TPMA_OBJECT.SIGN_ENCRYPT))


def test_key_of_another_parameter_set() -> None:
    """A key that is shorter than its parameter set requires is not accepted, since its secret is weaker."""
    weak, _ = ML_KEM_512.keygen()
    public = public_of(bytes(1184)).replace(unique=weak)
    with pytest.raises(SessionError, match="expected a public key of 1184 bytes, got 800 bytes"):
        seal_secret(public)


def test_an_old_cryptography_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mlkem", None)
    key = mlkem.MLKEM768PrivateKey.generate()
    shared, ciphertext = salt.encapsulate_secret(key.public_key().public_bytes_raw())
    assert key.decapsulate(ciphertext) == shared.reveal()
