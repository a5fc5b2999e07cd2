"""Secrets encrypted to a TPM key: session salts, and seeds of credentials and duplicates.

Source: Part 1, Annex B.10 (RSA), Annex C.6 (ECC) and §47.4 (ML-KEM).
"""

import io
from collections.abc import Callable

from ..crypto.formulas import digest_size, kdfe
from ..crypto.pure.mlkem import encapsulate_in_python
from ..crypto.salt import secret_of_kem
from ..errors import DecodeError
from ..secret import Secret
from ..spec.constants import TPM_ALG
from ..spec.response_codes import TPM_RC
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
)
from . import ecc, postquantum, rsa
from .entities import KeyedObject
from .objects import rsa_key
from .observer import hidden, note, show_handle
from .refusal import Refusal, require

__all__ = ["decrypt_secret", "encapsulate", "encrypt_secret"]

Random = Callable[[int], bytes]


def _oaep_hash(key: KeyedObject) -> int:
    details = getattr(getattr(key.public.parameters, "scheme", None), "details", None)
    return details.hash_alg if isinstance(details, TPMS_SCHEME_HASH) else key.public.name_alg


def decrypt_secret(key: KeyedObject, secret: bytes, label: bytes) -> bytes:
    """Returns the secret that a caller encrypted to `key`. Raises Refusal if decryption fails.

    `label` is SECRET, IDENTITY or DUPLICATE, without the final zero byte.
    """
    parameters = key.public.parameters
    if isinstance(parameters, TPMS_RSA_PARMS):
        require(len(secret) == parameters.key_bits // 8, TPM_RC.SIZE)
        try:
            found = rsa.decrypt(rsa_key(key), TPM_ALG.OAEP, _oaep_hash(key), secret, label + b"\0")
        except ValueError:
            raise Refusal(TPM_RC.VALUE) from None
        require(len(found) <= digest_size(key.public.name_alg), TPM_RC.VALUE)
        note(
            "secret", f"RSA-OAEP decryption by {show_handle(key.handle)}, label {label.decode()}: {hidden(found)}"
        )
        return found
    if isinstance(parameters, TPMS_ECC_PARMS) and key.sensitive is not None:
        curve = ecc.CURVES[parameters.curve_id]
        try:
            sent = TPMS_ECC_POINT.wire()._parse(io.BytesIO(secret), {}, "")
        except DecodeError:
            raise Refusal(TPM_RC.INSUFFICIENT) from None
        point = ecc.to_point(curve, sent)
        if point is None:
            raise Refusal(TPM_RC.ECC_POINT)
        z = curve.multiply(int.from_bytes(key.sensitive.sensitive, "big"), point)[0]
        return _derive(key, z, sent.x, label)
    if isinstance(parameters, TPMS_MLKEM_PARMS) and key.sensitive is not None:
        require(len(secret) == postquantum.ciphertext_size(parameters), TPM_RC.SIZE)
        shared = postquantum.decapsulate(parameters, key.sensitive.sensitive, secret)
        note("secret", f"ML-KEM decapsulation by {show_handle(key.handle)}: {hidden(shared)}")
        return secret_of_kem(key.public, label, Secret(shared), secret).reveal()
    raise Refusal(TPM_RC.KEY)


def encrypt_secret(key: KeyedObject, label: bytes, random: Random) -> tuple[bytes, bytes]:
    """Returns (new secret, secret encrypted to the public key `key`). Raises Refusal for an unsupported key."""
    parameters = key.public.parameters
    size = digest_size(key.public.name_alg)
    if isinstance(parameters, TPMS_RSA_PARMS):
        secret = random(size)
        sealed = rsa.encrypt(rsa_key(key), TPM_ALG.OAEP, _oaep_hash(key), secret, label + b"\0", random)
        return secret, sealed
    if isinstance(parameters, TPMS_ECC_PARMS) and isinstance(key.public.unique, TPMS_ECC_POINT):
        curve = ecc.CURVES[parameters.curve_id]
        static = ecc.to_point(curve, key.public.unique)
        if static is None:
            raise Refusal(TPM_RC.ECC_POINT)
        scalar = ecc.derive_scalar(curve, random)
        own = curve.multiply(scalar, curve.g)
        z = curve.multiply(scalar, static)[0]
        sent = ecc.point_of(curve, own)
        return _derive(key, z, sent.x, label), sent.build()
    if isinstance(parameters, TPMS_MLKEM_PARMS):
        shared, ciphertext = encapsulate(key, random)
        return secret_of_kem(key.public, label, Secret(shared), ciphertext).reveal(), ciphertext
    raise Refusal(TPM_RC.KEY)


def encapsulate(key: KeyedObject, random: Random) -> tuple[bytes, bytes]:
    """Returns (new ML-KEM shared secret, its ciphertext for the public key `key`) (FIPS 203, §7.2).

    Raises Refusal if the public key is not valid.
    """
    assert isinstance(key.public.unique, bytes)
    try:
        return encapsulate_in_python(key.public.unique, random(32))
    except ValueError:  # an external key that is not valid
        raise Refusal(TPM_RC.KEY) from None


def _derive(key: KeyedObject, z: int, ephemeral: bytes, label: bytes) -> bytes:
    """Returns the secret that KDFe derives from an ECDH shared point (Part 1, Annex C.6.1).

    `z` is the x coordinate of the shared point, `ephemeral` that of the ephemeral public key, as sent: some
    programs omit leading zero bytes.
    """
    assert isinstance(key.public.parameters, TPMS_ECC_PARMS)
    assert isinstance(key.public.unique, TPMS_ECC_POINT)
    size = ecc.CURVES[key.public.parameters.curve_id].size
    alg, static, shared = key.public.name_alg, key.public.unique.x, z.to_bytes(size, "big")
    secret = kdfe(alg, shared, label, ephemeral, static, 8 * digest_size(alg))
    point = f"x of the ECDH point of {show_handle(key.handle)} {hidden(shared)}"
    inputs = f"{point}, {label.decode()!r}, ephemeral x {ephemeral.hex()}, static x {static.hex()}"
    note("secret", f"KDFe({TPM_ALG(alg).name}, {inputs}) = {hidden(secret)}")
    return secret
