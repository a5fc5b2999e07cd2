"""Salted sessions against a real TPM: it opens our sealed salt, and both sides come to the same session key.

`Tpm.execute` verifies the response's HMAC, and a cipher with the wrong key gives other octets: each of these tests
fails where a single bit of the salt, the KDF or the cipher differs.
"""

import itertools
from collections.abc import Iterator

import pytest

from tests.support.salt_keys import NO_SECRETS, SALT_KEYS, SEALED
from tests.support.swtpm import Swtpm
from tpmwire import calls
from tpmwire.crypto import salt
from tpmwire.crypto.formulas import kdfe
from tpmwire.crypto.pure.curves import P256
from tpmwire.crypto.salt import seal_secret
from tpmwire.errors import TpmError
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPM_SE
from tpmwire.spec.structures import (
    TPMS_ECC_POINT,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
    TPMT_SYM_DEF,
)
from tpmwire.tpm import Tpm

pytestmark = pytest.mark.open_tpm

SESSION_HASHES = [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512]


def ciphers(auth_hash: TPM_ALG) -> list[TPMT_SYM_DEF]:
    aes = [TPMT_SYM_DEF(TPM_ALG.AES, bits, TPM_ALG.CFB) for bits in (128, 256)]
    return [TPMT_SYM_DEF(TPM_ALG.XOR, auth_hash), *aes]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Checks nothing: the module's TPM stays open between its tests, and swtpm serves one client at a time."""


@pytest.fixture(scope="module", params=SALT_KEYS)
def keyed(request: pytest.FixtureRequest) -> Iterator[tuple[Tpm, int, TPMT_PUBLIC, int]]:
    """A TPM, the salt key's handle and public area, and the handle of a storage key."""
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as tpm:
        made = tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS[request.param]))
        parent = tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS["p256-sha256"]))
        yield tpm, made.object_handle, made.out_public, parent.object_handle


@pytest.mark.parametrize("auth_hash", SESSION_HASHES, ids=lambda alg: alg.name)
def test_a_secret_goes_in_and_out_encrypted(keyed: tuple[Tpm, int, TPMT_PUBLIC, int], auth_hash: TPM_ALG) -> None:
    tpm, handle, public, parent = keyed
    for cipher in ciphers(auth_hash):
        secret, sealed = seal_secret(public)
        start = SessionStart(TPM_SE.HMAC, auth_hash, cipher, tpm_key=handle, salt=secret, encrypted_salt=sealed)
        session = tpm.start_session(start)
        data = Secret(b"what nobody may read on the bus")
        sensitive = TPMS_SENSITIVE_CREATE(b"its password", data.reveal())
        made = tpm.execute(Create(parent, sensitive, SEALED), session.use(decrypt=True, encrypt=True))
        loaded = tpm.execute(Load(parent, made.out_private, made.out_public), session.use())
        unsealed = tpm.execute(
            Unseal(loaded.object_handle), session.use(b"its password", encrypt=True, keep=False)
        )
        tpm.flush(loaded.object_handle)
        assert unsealed.out_data == data.reveal()


@pytest.mark.parametrize("name", ["p256-sha256", "p384-sha384"])
def test_cryptography_and_python_agree_with_the_tpm_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_cryptography(curve_id: TPM_ECC, static: tuple[int, int]) -> tuple[tuple[int, int], bytes]:
        return salt.agree_by_cryptography(curve_id, static)

    def in_python(curve_id: TPM_ECC, static: tuple[int, int]) -> tuple[tuple[int, int], bytes]:
        return salt.agree_in_python(salt.CURVES[curve_id], static)

    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as tpm:
        made = tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS[name]))
        for agree in (by_cryptography, in_python):
            monkeypatch.setattr(salt, "agree", agree)
            secret, sealed = seal_secret(made.out_public)
            cipher = TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)
            start = SessionStart(symmetric=cipher, tpm_key=made.object_handle, salt=secret, encrypted_salt=sealed)
            session = tpm.start_session(start)
            sensitive = TPMS_SENSITIVE_CREATE(b"", b"sealed")
            created = tpm.execute(Create(made.object_handle, sensitive, SEALED), session.use(decrypt=True))
            loaded = tpm.execute(Load(made.object_handle, created.out_private, created.out_public))
            assert tpm.execute(Unseal(loaded.object_handle)).out_data == b"sealed"
            tpm.flush(loaded.object_handle)
            tpm.flush(session.handle)


def test_another_salt_than_the_sealed_one_is_refused() -> None:
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as tpm:
        made = tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS["p256-sha256"]))
        secret, sealed = seal_secret(made.out_public)
        cipher = TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)
        other = Secret(bytes(b ^ 1 for b in secret.reveal()))
        wrong = SessionStart(symmetric=cipher, tpm_key=made.object_handle, salt=other, encrypted_salt=sealed)
        session = tpm.start_session(wrong)
        with pytest.raises(TpmError, match=r"AUTH_FAIL|BAD_AUTH"):
            tpm.execute(Create(made.object_handle, NO_SECRETS, SEALED), session.use(decrypt=True))


def test_a_point_without_its_leading_zero_byte(swtpm: Swtpm) -> None:
    """KDFe takes the x coordinate as it was sent: tpm2-tools send it without leading zeros."""
    curve = P256
    scalar = next(n for n in itertools.count(2) if curve.multiply(n, curve.g)[0] < 1 << 248)
    own = curve.multiply(scalar, curve.g)
    x, y = own[0].to_bytes(31, "big"), own[1].to_bytes(32, "big")
    with Tpm.open(swtpm.path, 20) as tpm:
        key = calls.create_primary(tpm)
        unique = key.public.unique
        assert isinstance(unique, TPMS_ECC_POINT)
        static = int.from_bytes(unique.x, "big"), int.from_bytes(unique.y, "big")
        shared = curve.multiply(scalar, static)[0].to_bytes(32, "big")
        salt = Secret(kdfe(TPM_ALG.SHA256, shared, b"SECRET", x, unique.x, 256))
        sealed = TPMS_ECC_POINT(x, y).build()
        session = tpm.start_session(SessionStart(tpm_key=key.handle, salt=salt, encrypted_salt=sealed))
        assert len(calls.random(tpm, 8, session.use(audit=True))) == 8
