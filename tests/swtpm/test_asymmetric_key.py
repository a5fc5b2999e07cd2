"""RSA and ECDSA keys of every kind sign messages: `cryptography` verifies, and the TPM commands are counted."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.interposer import Interposer
from tests.support.signing_keys import PLAIN, make_signing_key, public_key_of_file
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.calls.objects import create
from tpmwire.crypto.spki import PublicKey, public_key_of
from tpmwire.errors import KeyFileError, SessionError, TpmError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.template_names import parse_template
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.primary import read_loaded
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.constants import TPM_ALG, TPM_SE
from tpmwire.tpm import Tpm
from tpmwire.use.asymmetric import AsymmetricKey, explain_unfit_key, signature_octets, verify_numbers

MESSAGE = b"AWS4-X509-ECDSA-SHA256\n20261128T082055Z\n"
PASSWORD = Secret(b"password")
HANDLE = 0x81010080
RESTRICTED = PLAIN + "|restricted"
PCR23 = PolicyPCR.of_values(TPM_ALG.SHA256, parse_pcrs("23"), {(TPM_ALG.SHA256, 23): bytes(32)})
BY_POLICY = PLAIN.replace("userwithauth|", "")


def verifies(file: KeyFile, signature: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bool:
    key, chosen = public_key_of_file(file), algorithm or hashes.SHA256()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, MESSAGE, padding.PKCS1v15(), chosen)
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(signature, MESSAGE, ec.ECDSA(chosen))
    except InvalidSignature:
        return False
    return True


def sign(
    swtpm: Swtpm, key: AsymmetricKey, expected: PublicKey, alg: TPM_ALG = TPM_ALG.SHA256
) -> tuple[bytes, list[str]]:
    with Interposer(swtpm.path) as bus:
        with Tpm.open(bus.path, 30) as tpm:
            numbers = key.sign_message(tpm, MESSAGE, expected, alg)
        return signature_octets(numbers), bus.codes


def make(swtpm: Swtpm, *words: str, **settings: object) -> KeyFile:
    with Tpm.open(swtpm.path, 60) as tpm:
        return make_signing_key(tpm, *words, **settings)  # type: ignore[arg-type]


def of(file: KeyFile, **settings: object) -> AsymmetricKey:
    return AsymmetricKey(file=file, protected=bool(settings.get("auth")), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ecc:ecdsa-sha256", "ecc384:null", "rsa2048:rsassa-sha256", "rsa3072:null"])
def test_a_key_file(swtpm: Swtpm, name: str) -> None:
    file = make(swtpm, name)
    signature, codes = sign(swtpm, of(file), public_key_of(file.public))
    assert verifies(file, signature)
    assert codes == ["CreatePrimary", "Load", "Sign", "FlushContext", "FlushContext"]


@pytest.mark.parametrize("alg", ["SHA384", "SHA512"])
@pytest.mark.parametrize("name", ["ecc:null", "ecc384:null", "rsa2048:null"])
def test_other_hashes(swtpm: Swtpm, name: str, alg: str) -> None:
    file = make(swtpm, name)
    signature, _ = sign(swtpm, of(file), public_key_of(file.public), TPM_ALG[alg])
    assert verifies(file, signature, getattr(hashes, alg)())


@pytest.mark.parametrize("auth", [EMPTY_AUTH, PASSWORD], ids=["plain", "password"])
def test_a_restricted_key_at_a_handle(swtpm: Swtpm, auth: Secret) -> None:
    """The null ticket is refused; the second attempt has a ticket, and the authorization still holds."""
    file = make(swtpm, "ecc:ecdsa-sha256", RESTRICTED, auth=auth, handle=HANDLE)
    key = AsymmetricKey(handle=HANDLE, auth=auth, protected=bool(auth))
    signature, codes = sign(swtpm, key, public_key_of(file.public))
    assert verifies(file, signature)
    assert [code for code in codes if code in ("Sign", "Hash")] == ["Sign", "Hash", "Sign"]


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("auth", [EMPTY_AUTH, PASSWORD], ids=["pcr", "pcr and password"])
@pytest.mark.parametrize("at", ["handle", "file"])
def test_a_policy(swtpm: Swtpm, restricted: bool, auth: Secret, at: str) -> None:
    policy = Policy(PCR23, PolicyAuthValue()) if auth else Policy(PCR23)
    attributes = BY_POLICY + "|restricted" * restricted
    file = make(swtpm, "ecc:ecdsa-sha256", attributes, auth=auth, policy=policy, handle=HANDLE)
    where = {"handle": HANDLE} if at == "handle" else {"file": file}
    key = AsymmetricKey(auth=auth, pcrs=parse_pcrs("23"), protected=bool(auth), **where)  # type: ignore[arg-type]
    signature, codes = sign(swtpm, key, public_key_of(file.public))
    assert verifies(file, signature)
    assert codes.count("PolicyPCR") == 1
    tpm2(swtpm, "tpm2_pcrextend", f"23:sha256={'11' * 32}")
    with pytest.raises(TpmError):
        sign(swtpm, key, public_key_of(file.public))


def test_a_persistent_parent_with_a_password(swtpm: Swtpm, tmp_path: Path) -> None:
    context = str(tmp_path / "parent.ctx")
    tpm2(swtpm, "tpm2_createprimary", "-C", "o", "-G", "ecc", "-p", "parentpw", "-c", context)
    tpm2(swtpm, "tpm2_evictcontrol", "-C", "o", "-c", context, "0x81000005")
    tpm2(swtpm, "tpm2_flushcontext", "-t")
    with Tpm.open(swtpm.path, 30) as tpm:
        session = tpm.start_session(SessionStart(TPM_SE.HMAC)).use(Secret(b"parentpw"), keep=False)
        blob = create(tpm, 0x81000005, parse_template("ecc:ecdsa-sha256", PLAIN), by=session)
    file = KeyFile.of(blob.public, blob.private, 0x81000005, empty_auth=True)
    signature, codes = sign(
        swtpm, AsymmetricKey(file=file, parent_auth=Secret(b"parentpw")), public_key_of(file.public)
    )
    assert verifies(file, signature)
    assert "StartAuthSession" in codes
    with pytest.raises(TpmError):
        sign(swtpm, AsymmetricKey(file=file, parent_auth=Secret(b"wrong")), public_key_of(file.public))


@pytest.mark.parametrize(
    ("name", "attributes", "text"),
    [
        ("rsa2048:rsapss-sha256", PLAIN, "signs by RSAPSS only"),
        ("rsa2048", PLAIN.replace("sign", "decrypt"), "for decryption only"),
        ("ecc384:ecdsa-sha384", PLAIN, "signs with SHA384 only"),
        ("ecc:ecschnorr-sha256", PLAIN, "signs by ECSCHNORR only"),
        ("hmac", PLAIN, "of type KEYEDHASH"),
    ],
)
def test_keys_that_cannot_sign_so(swtpm: Swtpm, name: str, attributes: str, text: str) -> None:
    file = make(swtpm, name, attributes)
    assert text in str(explain_unfit_key(file.public))
    with pytest.raises(KeyFileError, match=text):
        of(file).sign_message(None, MESSAGE, (b"", 1))  # type: ignore[arg-type]


def test_the_key_of_another_certificate(swtpm: Swtpm) -> None:
    file, other = make(swtpm, handle=HANDLE), make(swtpm)
    with pytest.raises(KeyFileError, match="other than the expected one"):
        of(file).sign_message(None, MESSAGE, public_key_of(other.public))  # type: ignore[arg-type]
    with pytest.raises(SessionError, match="a different key"):
        sign(swtpm, AsymmetricKey(handle=HANDLE, protected=False), public_key_of(other.public))
    with Tpm.open(swtpm.path, 30) as tpm:
        assert read_loaded(tpm, HANDLE).public == file.public


def test_a_changed_signature_does_not_verify(swtpm: Swtpm) -> None:
    for name in ("ecc384:null", "rsa2048:null"):
        file = make(swtpm, name)
        with Tpm.open(swtpm.path, 30) as tpm:
            numbers = of(file).sign_message(tpm, MESSAGE, public_key_of(file.public))
        digest = hashes.Hash(hashes.SHA256())
        digest.update(MESSAGE)
        value = digest.finalize()
        assert verify_numbers(public_key_of(file.public), value, numbers)
        changed = (bytes([numbers[0][0] ^ 1]) + numbers[0][1:], *numbers[1:])
        assert not verify_numbers(public_key_of(file.public), value, changed)
        assert not verify_numbers(public_key_of(file.public), b"\1" + value[1:], numbers)
