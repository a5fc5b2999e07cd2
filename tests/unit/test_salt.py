"""`seal_secret`: what it seals, opened by `cryptography` as the TPM would, and the keys that it refuses."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from tpmwire.crypto import salt
from tpmwire.crypto.pure.comb import COMB
from tpmwire.crypto.pure.curves import P256, P384, P521, Curve, Point
from tpmwire.crypto.salt import seal_secret
from tpmwire.errors import EncodeError, SessionError
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)

AES = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)
NULL_RSA = TPMT_RSA_SCHEME(TPM_ALG.NULL)
CURVES = {
    TPM_ECC.NIST_P256: (P256, ec.SECP256R1()),
    TPM_ECC.NIST_P384: (P384, ec.SECP384R1()),
    TPM_ECC.NIST_P521: (P521, ec.SECP521R1()),
}
HASHES: dict[TPM_ALG, hashes.HashAlgorithm] = {
    TPM_ALG.SHA256: hashes.SHA256(),
    TPM_ALG.SHA384: hashes.SHA384(),
    TPM_ALG.SHA512: hashes.SHA512(),
}


def ecc_public(curve_id: TPM_ECC, x: bytes, y: bytes, name_alg: TPM_ALG = TPM_ALG.SHA256) -> TPMT_PUBLIC:
    scheme, kdf = TPMT_ECC_SCHEME(TPM_ALG.NULL), TPMT_KDF_SCHEME(TPM_ALG.NULL)
    parameters = TPMS_ECC_PARMS(AES, scheme, curve_id, kdf)
    return TPMT_PUBLIC(TPM_ALG.ECC, name_alg, TPMA_OBJECT.DECRYPT, b"", parameters, TPMS_ECC_POINT(x, y))


def rsa_public(
    modulus: int, exponent: int = 0, name_alg: TPM_ALG = TPM_ALG.SHA256, scheme: TPMT_RSA_SCHEME = NULL_RSA
) -> TPMT_PUBLIC:
    parameters = TPMS_RSA_PARMS(AES, scheme, modulus.bit_length(), exponent)
    unique = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    return TPMT_PUBLIC(TPM_ALG.RSA, name_alg, TPMA_OBJECT.DECRYPT, b"", parameters, unique)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@pytest.mark.parametrize("label", [b"SECRET", b"DUPLICATE"])
@pytest.mark.parametrize("name_alg", HASHES, ids=lambda alg: alg.name)
@pytest.mark.parametrize("curve_id", CURVES, ids=lambda curve: curve.name)
def test_the_holder_of_an_ecc_key_derives_the_secret(
    curve_id: TPM_ECC, name_alg: TPM_ALG, label: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve, theirs = CURVES[curve_id]
    key = ec.generate_private_key(theirs)
    own = key.public_key().public_numbers()
    x, y = (number.to_bytes(curve.size, "big") for number in (own.x, own.y))

    def in_python(curve_id: TPM_ECC, static: Point) -> tuple[Point, bytes]:
        return salt.agree_in_python(salt.CURVES[curve_id], static)

    for agree in (in_python, salt.agree_by_cryptography):
        monkeypatch.setattr(salt, "agree", agree)
        secret, sealed = seal_secret(ecc_public(curve_id, x, y, name_alg), label)
        point = TPMS_ECC_POINT.parse(sealed)
        assert len(point.x) == len(point.y) == curve.size
        ephemeral = ec.EllipticCurvePublicNumbers(
            int.from_bytes(point.x, "big"), int.from_bytes(point.y, "big"), theirs
        ).public_key()
        size = hashes.Hash(HASHES[name_alg]).algorithm.digest_size
        # KDFe is the concatenation KDF of SP800-56A.
        kdf = ConcatKDFHash(HASHES[name_alg], size, label + b"\0" + point.x + x)
        assert secret.reveal() == kdf.derive(key.exchange(ec.ECDH(), ephemeral))


@pytest.mark.parametrize("bits", [2048, 3072])
@pytest.mark.parametrize("label", [b"SECRET", b"DUPLICATE"])
@pytest.mark.parametrize("name_alg", HASHES, ids=lambda alg: alg.name)
def test_the_holder_of_an_rsa_key_opens_the_secret(name_alg: TPM_ALG, label: bytes, bits: int) -> None:
    key = rsa_key(bits)
    secret, sealed = seal_secret(rsa_public(key.public_key().public_numbers().n, name_alg=name_alg), label)
    scheme = padding.OAEP(padding.MGF1(HASHES[name_alg]), HASHES[name_alg], label + b"\0")
    assert key.decrypt(sealed, scheme) == secret.reveal()
    assert len(secret.reveal()) == HASHES[name_alg].digest_size


def test_oaep_takes_the_hash_of_the_keys_own_scheme_and_the_size_of_its_name_alg() -> None:
    scheme = TPMT_RSA_SCHEME(TPM_ALG.OAEP, TPMS_SCHEME_HASH(TPM_ALG.SHA512))
    secret, sealed = seal_secret(rsa_public(rsa_key().public_key().public_numbers().n, scheme=scheme))
    opened = rsa_key().decrypt(sealed, padding.OAEP(padding.MGF1(hashes.SHA512()), hashes.SHA512(), b"SECRET\0"))
    assert opened == secret.reveal()
    assert len(opened) == 32


def test_coordinates_with_leading_zeros_are_padded_to_the_curves_size() -> None:
    # A static key whose x begins with a zero octet, in a public area that dropped it.
    scalar = next(k for k in range(1, 10_000) if P256.multiply(k, P256.g)[0].bit_length() <= 248)
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    x, y = P256.multiply(scalar, P256.g)
    secret, sealed = seal_secret(ecc_public(TPM_ECC.NIST_P256, x.to_bytes(31, "big"), y.to_bytes(32, "big")))
    point = TPMS_ECC_POINT.parse(sealed)
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(point.x, "big"), int.from_bytes(point.y, "big"), ec.SECP256R1()
    )
    z = key.exchange(ec.ECDH(), numbers.public_key())
    ours = hashlib.sha256(bytes([0, 0, 0, 1]) + z + b"SECRET\0" + point.x + x.to_bytes(32, "big")).digest()
    assert secret.reveal() == ours


def test_every_secret_and_every_sealed_form_is_new() -> None:
    x, y = (number.to_bytes(32, "big") for number in P256.g)
    for public in (ecc_public(TPM_ECC.NIST_P256, x, y), rsa_public(rsa_key().public_key().public_numbers().n)):
        seen = [seal_secret(public) for _ in range(4)]
        assert len({secret.reveal() for secret, _ in seen}) == len({sealed for _, sealed in seen}) == 4
        assert repr(seen[0][0]) == "<secret>"


def test_scalars_are_drawn_again_when_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    for curve in (P256, P384, P521):
        drawn = iter(
            number.to_bytes(curve.size, "big") for number in (0, curve.n, 2 ** (8 * curve.size) - 1, curve.n - 1)
        )
        monkeypatch.setattr(os, "urandom", lambda size, drawn=drawn: next(drawn))
        assert curve.random_scalar() == curve.n - 1


def test_small_scalars_come_as_often_as_they_should() -> None:
    # On a group of order 7 every scalar has the same chance: 1 to 6, and nothing else.
    toy = Curve(p=7, n=7, b=1, g=(0, 1))
    seen = Counter(toy.random_scalar() for _ in range(6000))
    assert set(seen) == {1, 2, 3, 4, 5, 6}
    assert all(800 < count < 1200 for count in seen.values())


P = P256.p.to_bytes(32, "big")
GX, GY = (number.to_bytes(32, "big") for number in P256.g)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (b"", b""),  # what a template holds
        (bytes(32), bytes(32)),  # infinity, as some write it
        (GX, GX),
        (GX, (P256.g[1] + 1).to_bytes(32, "big")),
        (GX, b"\x01" + (P256.g[1]).to_bytes(32, "big")),  # not reduced
        ((P256.g[0] + P256.p).to_bytes(33, "big"), GY),
        (P, P),
    ],
)
def test_a_point_that_is_not_on_the_curve_is_refused(x: bytes, y: bytes) -> None:
    with pytest.raises(SessionError, match="not a point on its curve"):
        seal_secret(ecc_public(TPM_ECC.NIST_P256, x, y))


def test_the_point_of_another_curve_is_refused() -> None:
    x, y = (number.to_bytes(48, "big") for number in P384.g)
    with pytest.raises(SessionError, match="not a point on its curve"):
        seal_secret(ecc_public(TPM_ECC.NIST_P256, x, y))


def test_curves_refuse_scalars_and_points_out_of_range() -> None:
    for scalar in (0, -1, P256.n, P256.n + 1):
        with pytest.raises(ValueError, match="scalar"):
            P256.multiply(scalar, P256.g)
    with pytest.raises(ValueError, match="point"):
        P256.multiply(1, (1, 1))


MODULUS = (1 << 2047) | 0xC0FFEE01


@pytest.mark.parametrize(
    ("modulus", "exponent", "reason"),
    [
        (MODULUS ^ 1, 0, "got an even number of 2048 bits; do not trust this TPM"),
        (MODULUS >> 1024 | 1, 0, "expected an odd number of 2048 bits, got an odd number of 1024 bits"),
        (MODULUS >> 1 | 1, 0, "expected an odd number of 2048 bits, got an odd number of 2047 bits"),
        (MODULUS, 1, "at least 65537, got 1;"),
        (MODULUS, 3, "at least 65537, got 3;"),
        (MODULUS, 65538, "at least 65537, got 65538;"),
    ],
)
def test_an_unsound_rsa_key_is_refused(modulus: int, exponent: int, reason: str) -> None:
    with pytest.raises(SessionError, match=reason):
        seal_secret(rsa_public(modulus, exponent))


def test_a_modulus_of_another_size_than_the_parameters_say_is_refused() -> None:
    public = rsa_public(MODULUS)
    with pytest.raises(SessionError, match="expected an odd number of 3072 bits"):
        seal_secret(public.replace(parameters=TPMS_RSA_PARMS(AES, NULL_RSA, 3072)))


KEYED_HASH = TPMS_KEYEDHASH_PARMS(TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL))


@pytest.mark.parametrize(
    ("public", "reason"),
    [
        (rsa_public(MODULUS).replace(object_attributes=TPMA_OBJECT.SIGN_ENCRYPT), "not a decryption key"),
        (rsa_public(MODULUS, scheme=TPMT_RSA_SCHEME(TPM_ALG.RSAES)), "RSAES"),
        (rsa_public(MODULUS, name_alg=TPM_ALG.NULL), "not a supported hash algorithm"),
        (ecc_public(TPM_ECC.NIST_P256, GX, GY, TPM_ALG.NULL), "not a supported hash algorithm"),
        (ecc_public(TPM_ECC.BN_P256, GX, GY), "BN_P256"),
        (ecc_public(TPM_ECC(0x77), GX, GY), "0x77"),
        (
            TPMT_PUBLIC(TPM_ALG.KEYEDHASH, TPM_ALG.SHA256, TPMA_OBJECT.DECRYPT, b"", KEYED_HASH, b""),
            "not an RSA, ECC or ML-KEM key",
        ),
    ],
)
def test_a_key_that_takes_no_salt_is_refused_in_one_line(public: TPMT_PUBLIC, reason: str) -> None:
    with pytest.raises(EncodeError, match=reason) as raised:
        seal_secret(public)
    assert "\n" not in str(raised.value)


def imported_after_sealing(public: TPMT_PUBLIC, before: str = "") -> bool:
    """Whether a new process that seals a secret has imported the package `cryptography`."""
    code = (
        f"import sys; {before}\n"
        "from tpmwire.crypto.salt import seal_secret; from tpmwire.spec.structures import TPMT_PUBLIC\n"
        f"seal_secret(TPMT_PUBLIC.parse(bytes.fromhex({public.build().hex()!r})))\n"
        "print('cryptography.hazmat.primitives.asymmetric.ec' in sys.modules)"
    )
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"True\n"


def test_the_usual_keys_cost_no_import_of_cryptography() -> None:
    x, y = (number.to_bytes(48, "big") for number in P384.g)
    assert not imported_after_sealing(rsa_public(MODULUS))
    assert not imported_after_sealing(ecc_public(TPM_ECC.NIST_P256, GX, GY))
    assert not imported_after_sealing(ecc_public(TPM_ECC.NIST_P384, x, y, TPM_ALG.SHA384))


def test_where_cryptography_is_loaded_or_python_is_slow_it_is_used() -> None:
    x, y = (number.to_bytes(66, "big") for number in P521.g)
    assert imported_after_sealing(
        ecc_public(TPM_ECC.NIST_P256, GX, GY), "import cryptography.hazmat.primitives.ciphers"
    )
    assert imported_after_sealing(ecc_public(TPM_ECC.NIST_P521, x, y, TPM_ALG.SHA512))


def test_p521_works_without_cryptography_too() -> None:
    x, y = (number.to_bytes(66, "big") for number in P521.g)
    blocked = "sys.modules['cryptography'] = None"
    assert not imported_after_sealing(ecc_public(TPM_ECC.NIST_P521, x, y, TPM_ALG.SHA512), blocked)


def test_the_comb_has_the_multiples_of_the_generator() -> None:
    assert len(COMB) == 15 * 64
    for index in range(1, 16):
        scalar = sum(1 << 64 * row for row in range(4) if index >> row & 1)
        point = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
        assert COMB[64 * index - 64 : 64 * index] == point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
