"""ML-KEM encapsulation with a public key, in Python integers (FIPS 203).

Private-key operations are missing, because the TPM has the private key. Each encapsulation uses new random
numbers.
"""

import hashlib
import os

__all__ = ["encapsulate_in_python"]

Q = 3329
_ETA_1 = {2: 3, 3: 2, 4: 2}
"""The width of the noise, by the rank of the parameter set: 2 for ML-KEM-512, 3 for 768, 4 for 1024 (§8)."""
_COMPRESSED = {2: (10, 4), 3: (10, 4), 4: (11, 5)}
"""Bits of each coefficient of the ciphertext's two parts, by rank (§8)."""

Poly = list[int]


def _reverse(number: int) -> int:
    """Returns the seven bits of a number in reverse order."""
    return int(f"{number:07b}"[::-1], 2)


_ZETAS = [pow(17, _reverse(n), Q) for n in range(128)]
_GAMMAS = [pow(17, 2 * _reverse(n) + 1, Q) for n in range(128)]


def encapsulate_in_python(public_key: bytes, message: bytes | None = None) -> tuple[bytes, bytes]:
    """Returns (new shared secret of 32 bytes, ciphertext) (§7.2). The key's size selects the parameter set.

    `message` (32 bytes) replaces the random number in tests. Raises ValueError if the key is not valid.
    """
    rank = (len(public_key) - 32) // 384
    if rank not in _ETA_1 or len(public_key) != 384 * rank + 32:
        raise ValueError(f"expected an ML-KEM public key of 800, 1184 or 1568 bytes, got {len(public_key)} bytes")
    vector = [_decode(public_key[384 * n : 384 * n + 384]) for n in range(rank)]
    if any(coefficient >= Q for row in vector for coefficient in row):
        raise ValueError("a coefficient of the ML-KEM public key is not reduced")
    message = os.urandom(32) if message is None else message
    derived = hashlib.sha3_512(message + hashlib.sha3_256(public_key).digest()).digest()
    return derived[:32], _encrypt(vector, public_key[-32:], message, derived[32:])


def _encrypt(vector: list[Poly], seed: bytes, message: bytes, coins: bytes) -> bytes:
    """Returns a K-PKE ciphertext (§5.2). `vector` and `seed` are the public key, `coins` the random bytes."""
    rank = len(vector)
    eta, (first_bits, second_bits) = _ETA_1[rank], _COMPRESSED[rank]
    y = [_ntt(_noise(coins, n, eta)) for n in range(rank)]
    parts = []
    for i in range(rank):
        column = [_sample(seed + bytes([i, j])) for j in range(rank)]
        u = _add(_inverse(_product(column, y)), _noise(coins, rank + i, 2))
        parts.append(_compress(u, first_bits))
    bits = int.from_bytes(message, "little")
    mu = [(bits >> n & 1) * ((Q + 1) // 2) for n in range(256)]
    v = _add(_add(_inverse(_product(vector, y)), _noise(coins, 2 * rank, 2)), mu)
    return b"".join(parts) + _compress(v, second_bits)


def _decode(data: bytes) -> Poly:
    """Returns 256 numbers of 12 bits each (§4.2.1, ByteDecode)."""
    triples = zip(data[::3], data[1::3], data[2::3], strict=True)
    return [number for a, b, c in triples for number in (a | (b & 15) << 8, b >> 4 | c << 4)]


def _compress(poly: Poly, bits: int) -> bytes:
    """Returns the coefficients, rounded to `bits` bits each (§4.2.1, Compress and ByteEncode)."""
    mask = (1 << bits) - 1
    digits = (f"{((x << bits) + Q // 2) // Q & mask:0{bits}b}" for x in reversed(poly))
    return int("".join(digits), 2).to_bytes(32 * bits, "little")


def _sample(seed: bytes) -> Poly:
    """Returns a polynomial in NTT representation, by rejection sampling from a seed (§4.2.2, SampleNTT)."""
    size = 672
    while True:
        numbers = [x for x in _decode(hashlib.shake_128(seed).digest(size)) if x < Q]
        if len(numbers) >= 256:
            return numbers[:256]
        size += 168


def _noise(coins: bytes, counter: int, eta: int) -> Poly:
    """Returns a polynomial with small coefficients (§4.2.2, SamplePolyCBD)."""
    number = int.from_bytes(hashlib.shake_256(coins + bytes([counter])).digest(64 * eta), "little")
    mask, poly = (1 << eta) - 1, []
    for _ in range(256):
        poly.append((number & mask).bit_count() - (number >> eta & mask).bit_count())
        number >>= 2 * eta
    return poly


def _ntt(poly: Poly) -> Poly:
    """Returns the number-theoretic transform of a polynomial (§4.3)."""
    f, index, size = list(poly), 1, 128
    while size > 1:
        for start in range(0, 256, 2 * size):
            zeta = _ZETAS[index]
            index += 1
            for j in range(start, start + size):
                t = zeta * f[j + size] % Q
                f[j + size] = (f[j] - t) % Q
                f[j] = (f[j] + t) % Q
        size >>= 1
    return f


def _inverse(poly: Poly) -> Poly:
    """Returns the polynomial of a number-theoretic transform (§4.3)."""
    f, index, size = list(poly), 127, 2
    while size < 256:
        for start in range(0, 256, 2 * size):
            zeta = _ZETAS[index]
            index -= 1
            for j in range(start, start + size):
                t = f[j]
                f[j] = (t + f[j + size]) % Q
                f[j + size] = zeta * (f[j + size] - t) % Q
        size <<= 1
    return [x * 3303 % Q for x in f]


def _product(left: list[Poly], right: list[Poly]) -> Poly:
    """Returns the sum of the products of polynomials in NTT representation (§4.3.1)."""
    total = [0] * 256
    for f, g in zip(left, right, strict=True):
        for n, gamma in enumerate(_GAMMAS):
            a, b, c, d = f[2 * n], f[2 * n + 1], g[2 * n], g[2 * n + 1]
            total[2 * n] += a * c + b * d % Q * gamma
            total[2 * n + 1] += a * d + b * c
    return [x % Q for x in total]


def _add(left: Poly, right: Poly) -> Poly:
    return [(a + b) % Q for a, b in zip(left, right, strict=True)]
