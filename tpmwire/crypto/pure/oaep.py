"""RSAES-OAEP encryption with a public key (RFC 8017, §7.1.1)."""

import hashlib
import os

__all__ = ["encrypt"]


def encrypt(modulus: int, exponent: int, message: bytes, label: bytes, hash_name: str) -> bytes:
    """Returns the ciphertext of `message`. `hash_name` is hashlib's name of the hash for the label and for MGF1.

    Raises ValueError if the message is too long for the modulus.
    """
    size = (modulus.bit_length() + 7) // 8
    label_hash = hashlib.new(hash_name, label).digest()
    room = size - 2 * len(label_hash) - 2
    if len(message) > room:
        raise ValueError(f"the message is too long: {len(message)} bytes, at most {room}")
    block = label_hash + bytes(room - len(message)) + b"\x01" + message
    seed = os.urandom(len(label_hash))
    block = _xor(block, _mgf1(seed, len(block), hash_name))
    seed = _xor(seed, _mgf1(block, len(seed), hash_name))
    return pow(int.from_bytes(seed + block, "big"), exponent, modulus).to_bytes(size, "big")


def _mgf1(seed: bytes, size: int, hash_name: str) -> bytes:
    """Returns the MGF1 mask of `size` bytes for a seed (RFC 8017, Appendix B.2.1)."""
    blocks, have, counter = [], 0, 0
    while have < size:
        blocks.append(hashlib.new(hash_name, seed + counter.to_bytes(4, "big")).digest())
        have += len(blocks[-1])
        counter += 1
    return b"".join(blocks)[:size]


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")
