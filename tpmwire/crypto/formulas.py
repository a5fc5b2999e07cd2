"""Formulas of TPM 2.0 Part 1: Names, key derivation, hashes and HMACs of commands, XOR obfuscation.

This module imports hashlib only. AES and public keys are in other modules.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable

from ..errors import EncodeError, SessionError
from ..spec.constants import TPM_ALG, TPM_HT
from ..spec.structures import TPMT_PUBLIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.storage import TPMS_NV_PUBLIC

__all__ = [
    "cp_hash",
    "digest",
    "digest_size",
    "handle_name",
    "hmac_digest",
    "kdfa",
    "kdfe",
    "name_of",
    "nv_name_of",
    "random_bytes",
    "rp_hash",
    "trimmed",
    "xor_obfuscation",
]

_HASHES = {
    TPM_ALG.SHA1: "sha1",
    TPM_ALG.SHA256: "sha256",
    TPM_ALG.SHA384: "sha384",
    TPM_ALG.SHA512: "sha512",
    TPM_ALG.SM3_256: "sm3",
    TPM_ALG.SHA3_256: "sha3_256",
    TPM_ALG.SHA3_384: "sha3_384",
    TPM_ALG.SHA3_512: "sha3_512",
}


def hash_name(alg: int) -> str:
    """Returns hashlib's name of a hash algorithm. Raises EncodeError for other algorithms."""
    try:
        return _HASHES[TPM_ALG(alg)]
    except (KeyError, ValueError):
        raise EncodeError(f"{TPM_ALG(alg)!r} is not a supported hash algorithm") from None


def digest_size(alg: int) -> int:
    """Returns the size of a digest of `alg` in bytes."""
    return hashlib.new(hash_name(alg)).digest_size


def digest(alg: int, *parts: bytes) -> bytes:
    """Returns the hash of the concatenated parts."""
    state = hashlib.new(hash_name(alg))
    for part in parts:
        state.update(part)
    return state.digest()


def hmac_digest(alg: int, key: bytes, *parts: bytes) -> bytes:
    """Returns the HMAC of the concatenated parts (Part 1, §11.4.3)."""
    return hmac.digest(key, b"".join(parts), hash_name(alg))


def random_bytes(count: int) -> bytes:
    """Returns random bytes from the operating system, for nonces and salts."""
    return os.urandom(count)


def trimmed(auth: bytes) -> bytes:
    """Returns an authValue without its trailing zeros, as key derivation requires (Part 1, §19.6.4.3)."""
    return auth.rstrip(b"\0")


def name_of(public: TPMT_PUBLIC) -> bytes:
    """Returns the Name of an object: nameAlg and the hash of its public area, or empty for NULL (Part 1, §16)."""
    if public.name_alg == TPM_ALG.NULL:
        return b""
    return public.name_alg.to_bytes(2, "big") + digest(public.name_alg, public.build())


def nv_name_of(public: TPMS_NV_PUBLIC) -> bytes:
    """Returns the Name of an NV index: nameAlg and the hash of its public area (Part 1, §16)."""
    return public.name_alg.to_bytes(2, "big") + digest(public.name_alg, public.build())


def handle_name(handle: int) -> bytes | None:
    """Returns a handle as bytes: the Name of an entity that has no public area (Part 1, §16).

    Returns None for the handle of an entity that has a public area.
    """
    kind = handle >> 24
    if kind in (TPM_HT.PCR, TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION, TPM_HT.PERMANENT):
        return handle.to_bytes(4, "big")
    return None


def cp_hash(alg: int, code: int, names: Iterable[bytes], parameters: bytes) -> bytes:
    """Returns cpHash, the digest of a command's code, Names and parameters (Part 1, §18.7)."""
    return digest(alg, code.to_bytes(4, "big"), *names, parameters)


def rp_hash(alg: int, code: int, parameters: bytes) -> bytes:
    """Returns rpHash, the digest of a successful response's code and parameters (Part 1, §18.8)."""
    return digest(alg, bytes(4), code.to_bytes(4, "big"), parameters)


def kdfa(alg: int, key: bytes, label: bytes, context_u: bytes, context_v: bytes, bits: int) -> bytes:
    """Derives a key of `bits` bits in counter mode, SP800-108 (Part 1, §11.4.10.2).

    `label` has no trailing zero.
    """
    size = (bits + 7) // 8
    fixed = label + b"\0" + context_u + context_v + bits.to_bytes(4, "big")
    blocks, have, counter = [], 0, 0
    while have < size:
        counter += 1
        blocks.append(hmac_digest(alg, key, counter.to_bytes(4, "big"), fixed))
        have += len(blocks[-1])
    return _mask_bits(b"".join(blocks)[:size], bits)


def kdfe(alg: int, z: bytes, label: bytes, party_u: bytes, party_v: bytes, bits: int) -> bytes:
    """Derives a key of `bits` bits from an ECDH secret `z`, SP800-56A (Part 1, §11.4.10.3).

    `label` has no trailing zero.
    """
    size = (bits + 7) // 8
    blocks, have, counter = [], 0, 0
    while have < size:
        counter += 1
        blocks.append(digest(alg, counter.to_bytes(4, "big"), z, label + b"\0", party_u, party_v))
        have += len(blocks[-1])
    return _mask_bits(b"".join(blocks)[:size], bits)


def _mask_bits(value: bytes, bits: int) -> bytes:
    """Returns `value` as a number of `bits` bits, with the unused high bits of its first byte cleared."""
    return bytes([value[0] & (0xFF >> -bits % 8)]) + value[1:] if bits % 8 else value


def xor_obfuscation(alg: int, key: bytes, nonce_newer: bytes, nonce_older: bytes, data: bytes) -> bytes:
    """Encrypts or decrypts a parameter by XOR with a KDFa stream (Part 1, §11.4.6.3)."""
    mask = kdfa(alg, key, b"XOR", nonce_newer, nonce_older, 8 * len(data))
    return bytes(a ^ b for a, b in zip(data, mask, strict=True))


def equal(ours: bytes, theirs: bytes) -> bool:
    """Returns whether two byte strings are equal, in constant time."""
    return hmac.compare_digest(ours, theirs)


def parameter_cipher(
    symmetric_alg: int,
    auth_hash: int,
    key_bits: int,
    key: bytes,
    nonces: tuple[bytes, bytes],
    data: bytes,
    encrypting: bool,
) -> bytes:
    """Encrypts or decrypts a parameter with a session's cipher (Part 1, §21).

    `nonces` are the newer and the older nonce. Raises SessionError for an unsupported cipher.
    """
    if not data:
        return data
    if symmetric_alg == TPM_ALG.XOR:
        return xor_obfuscation(auth_hash, key, *nonces, data)
    if symmetric_alg == TPM_ALG.AES:
        from .aes import cfb  # late: a run with the usual cipher, XOR, must not load it

        derived = kdfa(auth_hash, key, b"CFB", *nonces, key_bits + 128)
        return cfb(derived[: key_bits // 8], derived[key_bits // 8 :], data, encrypting)
    raise SessionError(f"unsupported cipher for parameter encryption: {TPM_ALG(symmetric_alg)!r}; use XOR or AES")
