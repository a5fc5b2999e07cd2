"""Schemes for elliptic curves besides ECDSA and ECDH: ECDAA, EC Schnorr, SM2 and EC MQV (Part 1, Annex C).

Signatures are pairs (r, s). `private` and `public` are the key, `digest` is the signed digest.
"""

from collections.abc import Callable

from ..crypto.formulas import digest as hash_of
from ..crypto.pure.curves import Curve, Point
from .ecc import derive_scalar

__all__ = [
    "exchange_mqv",
    "exchange_sm2",
    "sign_ecdaa",
    "sign_schnorr",
    "sign_sm2",
    "verify_schnorr",
    "verify_sm2",
]

Random = Callable[[int], bytes]


def sign_ecdaa(
    curve: Curve, private: int, alg: int, digest: bytes, commitment: int, random: Random
) -> tuple[int, int]:
    """Returns (nonce, s) with the private commitment of TPM2_Commit (Part 1, Annex C.4.2). `alg` is the hash."""
    nonce = derive_scalar(curve, random)
    hashed = hash_of(alg, nonce.to_bytes((nonce.bit_length() + 7) // 8, "big"), digest)
    return nonce, (commitment + int.from_bytes(hashed, "big") * private) % curve.n


def _hash_point(curve: Curve, alg: int, x: int, digest: bytes) -> int:
    return int.from_bytes(hash_of(alg, x.to_bytes(curve.size, "big"), digest)[: curve.size], "big")


def sign_schnorr(curve: Curve, private: int, alg: int, digest: bytes, random: Random) -> tuple[int, int]:
    """Returns an EC Schnorr signature (Part 1, Annex C.4.3). `alg` is the hash algorithm."""
    while True:
        k = derive_scalar(curve, random)
        r = _hash_point(curve, alg, curve.multiply(k, curve.g)[0], digest)
        s = (k + r * private) % curve.n
        if 0 < r < curve.n and s:
            return r, s


def verify_schnorr(curve: Curve, public: Point, alg: int, digest: bytes, r: int, s: int) -> bool:
    """Returns whether an EC Schnorr signature is valid. `alg` is the hash algorithm."""
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    point = curve.multiply_sum((s, curve.g), (curve.n - r, public))
    return point is not None and _hash_point(curve, alg, point[0], digest) == r


def sign_sm2(curve: Curve, private: int, digest: bytes, random: Random) -> tuple[int, int]:
    """Returns an SM2 signature (GB/T 32918.2)."""
    while True:
        k = derive_scalar(curve, random)
        r = (int.from_bytes(digest, "big") + curve.multiply(k, curve.g)[0]) % curve.n
        s = pow(1 + private, -1, curve.n) * (k - r * private) % curve.n
        if r and s and r + k != curve.n:
            return r, s


def verify_sm2(curve: Curve, public: Point, digest: bytes, r: int, s: int) -> bool:
    """Returns whether an SM2 signature is valid."""
    t = (r + s) % curve.n
    if not (0 < r < curve.n and 0 < s < curve.n and t):
        return False
    point = curve.multiply_sum((s, curve.g), (t, public))
    return point is not None and (int.from_bytes(digest, "big") + point[0]) % curve.n == r


def _associate(x: int, bits: int) -> int:
    """Returns the associate value of a public key with the coordinate `x`: its low bits, and one bit above."""
    return 1 << bits | x & (1 << bits) - 1


def exchange_mqv(curve: Curve, static: int, ephemeral: int, peer: Point, peer_ephemeral: Point) -> Point | None:
    """Returns the point that two parties share (full MQV, SP 800-56A, §6.1.1.4); None for the point at infinity.

    `static` and `ephemeral` are this party's private keys, `peer` and `peer_ephemeral` the other party's public
    keys.
    """
    bits = (curve.n.bit_length() + 1) // 2
    own = curve.multiply(ephemeral, curve.g)
    implicit = (ephemeral + _associate(own[0], bits) * static) % curve.n
    point = curve.multiply_sum((1, peer_ephemeral), (_associate(peer_ephemeral[0], bits), peer))
    return None if point is None or not implicit else curve.multiply(implicit, point)


def exchange_sm2(curve: Curve, static: int, ephemeral: int, peer: Point, peer_ephemeral: Point) -> Point | None:
    """Returns the point that two parties share (GB/T 32918.3); None for the point at infinity.

    The parameters are those of `exchange_mqv`.
    """
    bits = (curve.n.bit_length() + 1) // 2 - 1
    own = curve.multiply(ephemeral, curve.g)
    secret = (static + _associate(own[0], bits) * ephemeral) % curve.n
    point = curve.multiply_sum((1, peer), (_associate(peer_ephemeral[0], bits), peer_ephemeral))
    return None if point is None or not secret else curve.multiply(secret, point)
