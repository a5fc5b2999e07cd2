"""Objects: creation of their secrets from random bytes, and protection by a parent (Part 1, §22 to §27)."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

from ..crypto.formulas import digest, digest_size, equal, hash_name, hmac_digest, name_of, trimmed
from ..crypto.pure.aes import cfb
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.response_codes import TPM_RC
from ..spec.structures import (
    MAX_DIGEST,
    TPM2B_SENSITIVE,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SENSITIVE_CREATE,
    TPMS_SYMCIPHER_PARMS,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF_OBJECT,
)
from ..wires import wire_of
from . import ecc, postquantum, rsa
from .entities import KeyedObject
from .observer import derive, note, show_handle
from .refusal import require
from .unmarshal import read_sensitive

__all__ = [
    "auth_limit",
    "check_binding",
    "check_key_size",
    "create",
    "protect",
    "qualified_name",
    "rsa_key",
    "storage_algorithm",
    "to_buffer",
    "unprotect",
    "unwrap",
    "wrap",
]

IV = 16
Random = Callable[[int], bytes]


def create(
    public: TPMT_PUBLIC, given: TPMS_SENSITIVE_CREATE, random: Random
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns (public area, sensitive area) of a new object. `given` is inSensitive of the command.

    Equal bytes from `random` give equal objects. Raises Refusal if inSensitive does not match the template.
    """
    auth = trimmed(given.user_auth)
    require(len(auth) <= digest_size(public.name_alg), TPM_RC.SIZE)
    size = digest_size(public.name_alg)
    parameters = public.parameters
    if isinstance(parameters, TPMS_RSA_PARMS):
        require(parameters.exponent in (0, rsa.EXPONENT), TPM_RC.RANGE)
        key = rsa.generate(parameters.key_bits, parameters.exponent, random)
        secret = key.prime.to_bytes(key.size // 2, "big")
        unique: Any = key.modulus.to_bytes(key.size, "big")
    elif isinstance(parameters, TPMS_ECC_PARMS):
        curve = ecc.CURVES[parameters.curve_id]
        scalar = ecc.derive_scalar(curve, random)
        secret = scalar.to_bytes(curve.size, "big")
        unique = ecc.point_of(curve, curve.multiply(scalar, curve.g))
    elif isinstance(parameters, postquantum.MlParameters):
        secret = random(postquantum.seed_size(parameters))
        unique = postquantum.derive_public_key(parameters, secret)
    else:
        origin = public.object_attributes & TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
        secret = random(_secret_size(public)) if origin else given.data
        unique = None
    seeded = unique is None or _is_storage(public)
    seed = random(size) if seeded else b""
    if unique is None:
        unique = digest(public.name_alg, seed, secret)
    return public.replace(unique=unique), TPMT_SENSITIVE(public.type, auth, seed, secret)


def auth_limit(public: TPMT_PUBLIC) -> int:
    """Returns the maximum size of the object's authValue in bytes: the size of a nameAlg digest."""
    return 0 if public.name_alg == TPM_ALG.NULL else digest_size(public.name_alg)


def check_key_size(public: TPMT_PUBLIC, secret: bytes) -> None:
    """Raises Refusal if a caller's key has a size that the cipher or the HMAC hash does not support."""
    if public.object_attributes & TPMA_OBJECT.SENSITIVE_DATA_ORIGIN:
        return  # then the caller's data only diversify the TPM's key
    if isinstance(public.parameters, TPMS_SYMCIPHER_PARMS):
        require(len(secret) == (public.parameters.sym.key_bits or 0) // 8, TPM_RC.KEY_SIZE)
    if public.type == TPM_ALG.KEYEDHASH and public.object_attributes & (
        TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.DECRYPT
    ):
        details = getattr(getattr(public.parameters, "scheme", None), "details", None)
        alg = details.hash_alg if details is not None else public.name_alg
        require(len(secret) <= hashlib.new(hash_name(alg)).block_size, TPM_RC.SIZE)


def _secret_size(public: TPMT_PUBLIC) -> int:
    if isinstance(public.parameters, TPMS_SYMCIPHER_PARMS):
        return (public.parameters.sym.key_bits or 0) // 8
    details = getattr(getattr(public.parameters, "scheme", None), "details", None)
    return digest_size(details.hash_alg if details is not None else public.name_alg)


def _is_storage(public: TPMT_PUBLIC) -> bool:
    wanted = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    return public.object_attributes & wanted == wanted


def check_binding(public: TPMT_PUBLIC, sensitive: TPMT_SENSITIVE, field: str) -> None:
    """Raises Refusal unless the sensitive area belongs to the public area (Part 2, §12.3.2).

    `field` is the name of the parameter that has the sensitive area.
    """
    require(sensitive.sensitive_type == public.type, TPM_RC.TYPE, field)
    if public.name_alg != TPM_ALG.NULL:
        require(len(sensitive.auth_value) <= digest_size(public.name_alg), TPM_RC.SIZE, field)
        require(len(sensitive.seed_value) <= digest_size(public.name_alg), TPM_RC.KEY_SIZE, field)
    parameters = public.parameters
    if isinstance(parameters, TPMS_RSA_PARMS) and isinstance(public.unique, bytes):
        prime, modulus = int.from_bytes(sensitive.sensitive, "big"), int.from_bytes(public.unique, "big")
        size_fits = 2 * len(sensitive.sensitive) == len(public.unique) and sensitive.sensitive[0] >= 0x80
        require(size_fits, TPM_RC.KEY_SIZE, field)
        require(prime and modulus % prime == 0, TPM_RC.BINDING)
    elif isinstance(parameters, TPMS_ECC_PARMS) and isinstance(public.unique, TPMS_ECC_POINT):
        curve = ecc.CURVES[parameters.curve_id]
        scalar = int.from_bytes(sensitive.sensitive, "big")
        require(0 < scalar < curve.n, TPM_RC.KEY_SIZE)
        ours = ecc.point_of(curve, curve.multiply(scalar, curve.g))
        same = (int.from_bytes(public.unique.x, "big"), int.from_bytes(public.unique.y, "big")) == (
            int.from_bytes(ours.x, "big"),
            int.from_bytes(ours.y, "big"),
        )
        require(same, TPM_RC.BINDING)
    elif isinstance(parameters, postquantum.MlParameters):
        require(len(sensitive.sensitive) == postquantum.seed_size(parameters), TPM_RC.KEY_SIZE)
        derived = postquantum.derive_public_key(parameters, sensitive.sensitive)
        require(derived == public.unique, TPM_RC.BINDING)
    else:
        if isinstance(parameters, TPMS_KEYEDHASH_PARMS) and parameters.scheme.details is not None:
            block = hashlib.new(hash_name(parameters.scheme.details.hash_alg)).block_size
            require(len(sensitive.sensitive) <= block, TPM_RC.KEY_SIZE, field)
        if isinstance(parameters, TPMS_SYMCIPHER_PARMS):
            require(len(sensitive.sensitive) == (parameters.sym.key_bits or 0) // 8, TPM_RC.KEY_SIZE, field)
        if public.name_alg != TPM_ALG.NULL:
            ours_digest = digest(public.name_alg, sensitive.seed_value, sensitive.sensitive)
            require(ours_digest == public.unique, TPM_RC.BINDING)


def rsa_key(found: KeyedObject) -> rsa.RsaKey:
    """Returns the RsaKey of an RSA object. Its `private` method needs the object's private part."""
    assert isinstance(found.public.parameters, TPMS_RSA_PARMS)
    assert isinstance(found.public.unique, bytes)
    prime = int.from_bytes(found.sensitive.sensitive, "big") if found.sensitive is not None else 0
    return rsa.RsaKey(int.from_bytes(found.public.unique, "big"), found.public.parameters.exponent, prime)


def qualified_name(parent: bytes, public: TPMT_PUBLIC) -> bytes:
    """Returns the qualified Name: nameAlg || H(parent's qualified Name || Name) (Part 1, §26.6).

    `parent` is the qualified Name of the parent.
    """
    if public.name_alg == TPM_ALG.NULL:
        return b""
    return public.name_alg.to_bytes(2, "big") + digest(public.name_alg, parent, name_of(public))


def to_buffer(sensitive: TPMT_SENSITIVE) -> bytes:
    """Returns a sensitive area marshaled as TPM2B_SENSITIVE."""
    stream = io.BytesIO()
    wire_of(TPM2B_SENSITIVE)._build(sensitive, stream, {}, "")
    return stream.getvalue()


def storage_algorithm(public: TPMT_PUBLIC) -> TPMT_SYM_DEF_OBJECT:
    """Returns the symmetric algorithm with which a parent encrypts its children."""
    parameters = public.parameters
    if isinstance(parameters, TPMS_SYMCIPHER_PARMS):
        return parameters.sym
    assert isinstance(parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS, TPMS_MLKEM_PARMS))
    return parameters.symmetric


def _keys(source: str, alg: int, bits: int, seed: bytes, name: bytes) -> tuple[bytes, bytes]:
    """Returns (encryption key, HMAC key), derived from the seed of a storage key (Part 1, §24.4 and §24.5).

    `alg` is the hash algorithm and `bits` the size of the encryption key. `name` is the protected object's Name.
    `source` says for the observer where the seed comes from.
    """
    key = derive("encryption key", source, alg, seed, b"STORAGE", name, b"", bits)
    return key, derive("integrity key", source, alg, seed, b"INTEGRITY", b"", b"", 8 * digest_size(alg))


def protect(parent: KeyedObject, public: TPMT_PUBLIC, sensitive: TPMT_SENSITIVE, random: Random) -> bytes:
    """Returns the content of TPM2B_PRIVATE: the sensitive area, encrypted and authenticated by the parent."""
    assert parent.sensitive is not None
    # The authValue is padded, so that the size of a private area does not tell the size of the password.
    sensitive = sensitive.replace(auth_value=sensitive.auth_value.ljust(auth_limit(public), b"\0"))
    alg, name = parent.public.name_alg, name_of(public)
    bits = storage_algorithm(parent.public).key_bits or 0
    source = f"seedValue of the parent {show_handle(parent.handle)}"
    key, integrity = _keys(source, alg, bits, parent.sensitive.seed_value, name)
    # The authValue is padded, so that the size of a private area does not tell the size of the password.
    padded = sensitive.auth_value.ljust(auth_limit(public), b"\0")
    iv = random(IV)
    body = IV.to_bytes(2, "big") + iv + cfb(key, iv, to_buffer(sensitive.replace(auth_value=padded)), True)
    mac = hmac_digest(alg, integrity, body, name)
    return len(mac).to_bytes(2, "big") + mac + body


def unprotect(parent: KeyedObject, public: TPMT_PUBLIC, private: bytes) -> TPMT_SENSITIVE:
    """Returns the sensitive area in the content of a TPM2B_PRIVATE. Raises Refusal if it is not authentic."""
    assert parent.sensitive is not None
    alg, name = parent.public.name_alg, name_of(public)
    bits = storage_algorithm(parent.public).key_bits or 0
    source = f"seedValue of the parent {show_handle(parent.handle)}"
    key, integrity = _keys(source, alg, bits, parent.sensitive.seed_value, name)
    mac, body = split_buffer(private)
    _check_integrity(mac, hmac_digest(alg, integrity, body, name))
    iv, encrypted = split_buffer(body)
    require(len(iv) == IV, TPM_RC.SIZE)
    return read_sensitive(cfb(key, iv, encrypted, False))


def _check_integrity(mac: bytes, ours: bytes) -> None:
    """Raises Refusal unless the HMAC over encrypted data and the object's Name is correct."""
    right = equal(mac, ours)
    note("integrity", f"HMAC over the encrypted data and the Name: {'correct' if right else 'wrong'}")
    require(right, TPM_RC.INTEGRITY)


def split_buffer(data: bytes) -> tuple[bytes, bytes]:
    """Returns (TPM2B_DIGEST at the start of `data`, remaining bytes). Raises Refusal if it is not valid."""
    require(len(data) >= 2, TPM_RC.INSUFFICIENT)
    size = int.from_bytes(data[:2], "big")
    require(size <= MAX_DIGEST, TPM_RC.SIZE)
    require(size <= len(data) - 2, TPM_RC.INSUFFICIENT)
    return data[2 : 2 + size], data[2 + size :]


def wrap(parent: TPMT_PUBLIC, seed: bytes, name: bytes, data: bytes) -> bytes:
    """Returns `data`, encrypted and authenticated with keys that derive from `seed`.

    `parent` is the public area of the key that decrypts the seed. `name` is the Name of the object that the data
    belongs to: a duplicate (Part 1, §23.3.2.3) or the object of a credential (Part 1, §24).
    """
    alg = parent.name_alg
    key, integrity = _keys("seed", alg, storage_algorithm(parent).key_bits or 0, seed, name)
    encrypted = cfb(key, bytes(IV), data, True)
    mac = hmac_digest(alg, integrity, encrypted, name)
    return len(mac).to_bytes(2, "big") + mac + encrypted


def unwrap(parent: TPMT_PUBLIC, seed: bytes, name: bytes, duplicate: bytes) -> bytes:
    """Returns the data that `wrap` encrypted. Raises Refusal if the integrity check fails."""
    alg = parent.name_alg
    key, integrity = _keys("seed", alg, storage_algorithm(parent).key_bits or 0, seed, name)
    mac, encrypted = split_buffer(duplicate)
    _check_integrity(mac, hmac_digest(alg, integrity, encrypted, name))
    return cfb(key, bytes(IV), encrypted, False)
