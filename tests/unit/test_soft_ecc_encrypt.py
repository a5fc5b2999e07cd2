"""TPM2_ECC_Encrypt and TPM2_ECC_Decrypt of the soft TPM, compared with the key derivation of `cryptography`."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from tpmwire import commands
from tpmwire.errors import TpmError
from tpmwire.soft import SoftTransport, ecc
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF_OBJECT,
)
from tpmwire.tpm import Tpm

PRIVATE = int.from_bytes(hashlib.sha256(b"a private key").digest(), "big")
KDF2 = TPMT_KDF_SCHEME(TPM_ALG.KDF2, TPMS_SCHEME_HASH(TPM_ALG.SHA384))
NO_KDF = TPMT_KDF_SCHEME(TPM_ALG.NULL)
HASHES = {TPM_ALG.SHA256: hashes.SHA256(), TPM_ALG.SHA384: hashes.SHA384()}


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Tpm(SoftTransport()) as opened:
        yield opened


def load(tpm: Tpm, curve_id: TPM_ECC, attributes: TPMA_OBJECT, *, private: bool = True) -> int:
    curve = ecc.CURVES[curve_id]
    point = ecc.point_of(curve, curve.multiply(PRIVATE, curve.g))
    parameters = TPMS_ECC_PARMS(TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), TPMT_ECC_SCHEME(TPM_ALG.NULL), curve_id, NO_KDF)
    attributes |= TPMA_OBJECT.USER_WITH_AUTH
    public = TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, attributes, b"", parameters, point)
    area = TPMT_SENSITIVE(TPM_ALG.ECC, b"", b"", PRIVATE.to_bytes(curve.size, "big")) if private else None
    return tpm.execute(commands.LoadExternal(area, public, TPM_RH.NULL)).object_handle


@pytest.mark.parametrize("alg", HASHES)
@pytest.mark.parametrize("curve_id", [TPM_ECC.NIST_P256, TPM_ECC.NIST_P521])
@pytest.mark.parametrize("size", [0, 1, 48, 1000])
def test_encrypted_data(tpm: Tpm, curve_id: TPM_ECC, alg: TPM_ALG, size: int) -> None:
    """The mask is KDF2 of the shared point, which equals the KDF of ANSI X9.63 without shared info."""
    key = load(tpm, curve_id, TPMA_OBJECT.DECRYPT)
    data = bytes(number % 251 for number in range(size))
    scheme = TPMT_KDF_SCHEME(TPM_ALG.KDF2, TPMS_SCHEME_HASH(alg))
    sent: Any = tpm.execute(commands.ECC_Encrypt(key, data, scheme))
    curve = ecc.CURVES[curve_id]
    point = ecc.to_point(curve, sent.c1)
    assert point is not None
    x, y = (part.to_bytes(curve.size, "big") for part in curve.multiply(PRIVATE, point))
    mask = X963KDF(HASHES[alg], size, None).derive(x + y) if size else b""
    assert bytes(a ^ b for a, b in zip(sent.c2, mask, strict=True)) == data
    assert sent.c3 == hashlib.new(alg.name, x + data + y).digest()
    assert tpm.execute(commands.ECC_Decrypt(key, sent.c1, sent.c2, sent.c3, scheme)).plain_text == data


def code(tpm: Tpm, command: Any) -> int:
    with pytest.raises(TpmError) as refused:
        tpm.execute(command)
    return refused.value.rc


def test_refused_commands(tpm: Tpm) -> None:
    key = load(tpm, TPM_ECC.NIST_P256, TPMA_OBJECT.DECRYPT)
    sent: Any = tpm.execute(commands.ECC_Encrypt(key, b"data", KDF2))
    assert code(tpm, commands.ECC_Encrypt(key, b"data", NO_KDF)) == 0x2D2
    assert code(tpm, commands.ECC_Encrypt(key, bytes(1025), KDF2)) == 0x1D5
    assert code(tpm, commands.ECC_Decrypt(key, sent.c1, sent.c2[:-1] + b"?", sent.c3, KDF2)) == 0x84
    assert code(tpm, commands.ECC_Decrypt(key, sent.c1, sent.c2, bytes(48), KDF2)) == 0x84
    off_curve = TPMS_ECC_POINT(bytes(31) + b"\1", bytes(31) + b"\1")
    assert code(tpm, commands.ECC_Decrypt(key, off_curve, sent.c2, sent.c3, KDF2)) == 0x1E7
    signs = load(tpm, TPM_ECC.NIST_P256, TPMA_OBJECT.SIGN_ENCRYPT)
    assert code(tpm, commands.ECC_Decrypt(signs, sent.c1, sent.c2, sent.c3, KDF2)) == 0x182


def test_only_the_public_key_encrypts(tpm: Tpm) -> None:
    public = load(tpm, TPM_ECC.NIST_P256, TPMA_OBJECT.DECRYPT, private=False)
    sent: Any = tpm.execute(commands.ECC_Encrypt(public, b"data", KDF2))
    key = load(tpm, TPM_ECC.NIST_P256, TPMA_OBJECT.DECRYPT)
    assert tpm.execute(commands.ECC_Decrypt(key, sent.c1, sent.c2, sent.c3, KDF2)).plain_text == b"data"
