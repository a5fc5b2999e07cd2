"""RSA in Python integers, for the soft TPM only: keys, encryption, signatures (RFC 8017; Part 1, Annex B)."""

import hashlib
from collections.abc import Callable

from ..crypto.formulas import digest_size, hash_name
from ..spec.constants import TPM_ALG

__all__ = ["RsaKey", "decrypt", "encrypt", "generate", "sign", "verify"]

EXPONENT = 65537
ROUNDS = 8
"""Rounds of the Miller-Rabin test for random candidates of at least 512 bits (FIPS 186-5, B.3)."""

DIGEST_INFO = {
    TPM_ALG.SHA1: "3021300906052b0e03021a05000414",
    TPM_ALG.SHA256: "3031300d060960864801650304020105000420",
    TPM_ALG.SHA384: "3041300d060960864801650304020205000430",
    TPM_ALG.SHA512: "3051300d060960864801650304020305000440",
}
"""DER prefix of the digest in an RSASSA-PKCS1-v1_5 signature (RFC 8017, §9.2)."""

Random = Callable[[int], bytes]


def _small_primes(limit: int) -> list[int]:
    sieve = bytearray([1]) * limit
    for n in range(2, int(limit**0.5) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(sieve[n * n :: n]))
    return [n for n in range(3, limit) if sieve[n]]


SMALL_PRIMES = _small_primes(2000)


class RsaKey:
    """An RSA key: modulus, public exponent and, for a private key, one prime factor."""

    def __init__(self, modulus: int, exponent: int = EXPONENT, prime: int = 0) -> None:
        self.modulus = modulus
        self.exponent = exponent or EXPONENT
        self.size = (modulus.bit_length() + 7) // 8
        self.prime = prime

    def public(self, value: int) -> int:
        """Returns value^e mod n (the public key operation)."""
        return pow(value, self.exponent, self.modulus)

    def private(self, value: int) -> int:
        """Returns value^d mod n (the private key operation), computed modulo each prime (CRT)."""
        p = self.prime
        q = self.modulus // p
        first = pow(value, pow(self.exponent, -1, p - 1), p)
        second = pow(value, pow(self.exponent, -1, q - 1), q)
        return second + q * ((first - second) * pow(q, -1, p) % p)


def generate(bits: int, exponent: int, random: Random) -> RsaKey:
    """Returns a new RSA key with a modulus of `bits` bits. Equal bytes from `random` give equal keys."""
    exponent = exponent or EXPONENT
    while True:
        p, q = _prime(bits // 2, exponent, random), _prime(bits // 2, exponent, random)
        if p != q and (p * q).bit_length() == bits:
            return RsaKey(p * q, exponent, p)


def _prime(bits: int, exponent: int, random: Random) -> int:
    while True:
        start = int.from_bytes(random(bits // 8), "big") | 3 << bits - 2 | 1
        for candidate in range(start, min(start + 4096, 1 << bits), 2):
            if _is_prime(candidate, random) and (candidate - 1) % exponent:
                return candidate


def _is_prime(n: int, random: Random) -> bool:
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(ROUNDS):
        base = 2 + int.from_bytes(random(16), "big")
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def _hash(alg: int, data: bytes) -> bytes:
    return hashlib.new(hash_name(alg), data).digest()


def _mask(alg: int, seed: bytes, size: int) -> bytes:
    """Returns a mask of `size` bytes (MGF1 with hash algorithm `alg`)."""
    out, counter = b"", 0
    while len(out) < size:
        out += _hash(alg, seed + counter.to_bytes(4, "big"))
        counter += 1
    return out[:size]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def encrypt(key: RsaKey, scheme: int, hash_alg: int, message: bytes, label: bytes, random: Random) -> bytes:
    """Returns the RSA ciphertext of a message. Raises ValueError if the message is too long.

    `scheme` is the padding scheme, `hash_alg` and `label` apply to OAEP.
    """
    if scheme == TPM_ALG.NULL:
        value = int.from_bytes(message, "big")
        if value >= key.modulus:
            raise ValueError("the message is not below the modulus")
        return key.public(value).to_bytes(key.size, "big")
    if scheme == TPM_ALG.RSAES:
        room = key.size - 3 - len(message)
        if room < 8:
            raise ValueError("the message is too long")
        padding = bytes(1 + byte % 255 for byte in random(room))
        block = b"\x00\x02" + padding + b"\x00" + message
        return key.public(int.from_bytes(block, "big")).to_bytes(key.size, "big")
    size = digest_size(hash_alg)
    room = key.size - 2 * size - 2 - len(message)
    if room < 0:
        raise ValueError("the message is too long")
    block = _hash(hash_alg, label) + bytes(room) + b"\x01" + message
    seed = random(size)
    block = _xor(block, _mask(hash_alg, seed, len(block)))
    seed = _xor(seed, _mask(hash_alg, block, size))
    return key.public(int.from_bytes(seed + block, "big")).to_bytes(key.size, "big")


def decrypt(key: RsaKey, scheme: int, hash_alg: int, data: bytes, label: bytes) -> bytes:
    """Returns the plaintext of an RSA ciphertext. Raises ValueError if the padding is not valid."""
    plain = key.private(int.from_bytes(data, "big")).to_bytes(key.size, "big")
    if scheme == TPM_ALG.NULL:
        return plain
    if scheme == TPM_ALG.RSAES:
        end = plain.find(b"\x00", 2)
        if plain[:2] != b"\x00\x02" or end < 10:
            raise ValueError("wrong padding")
        return plain[end + 1 :]
    size = digest_size(hash_alg)
    seed = _xor(plain[1 : 1 + size], _mask(hash_alg, plain[1 + size :], size))
    block = _xor(plain[1 + size :], _mask(hash_alg, seed, key.size - 1 - size))
    message = block[size:].lstrip(b"\0")
    if plain[0] or block[:size] != _hash(hash_alg, label) or message[:1] != b"\x01":
        raise ValueError("wrong padding")
    return message[1:]


def sign(key: RsaKey, scheme: int, hash_alg: int, digest: bytes, random: Random) -> bytes:
    """Returns the RSA signature of a digest with scheme RSASSA or RSAPSS."""
    block = _pkcs1(key, hash_alg, digest) if scheme == TPM_ALG.RSASSA else _pss(key, hash_alg, digest, random)
    return key.private(int.from_bytes(block, "big")).to_bytes(key.size, "big")


def verify(key: RsaKey, scheme: int, hash_alg: int, digest: bytes, signature: bytes) -> bool:
    """Returns whether the RSA signature of a digest is valid."""
    value = int.from_bytes(signature, "big")
    if len(signature) != key.size or value >= key.modulus:
        return False
    block = key.public(value).to_bytes(key.size, "big")
    if scheme == TPM_ALG.RSASSA:
        return block == _pkcs1(key, hash_alg, digest)
    return _pss_holds(key, hash_alg, digest, block)


def _pkcs1(key: RsaKey, hash_alg: int, digest: bytes) -> bytes:
    tail = bytes.fromhex(DIGEST_INFO[TPM_ALG(hash_alg)]) + digest
    if key.size < len(tail) + 11:
        raise ValueError("the key is too short for the digest")
    return b"\x00\x01" + b"\xff" * (key.size - len(tail) - 3) + b"\x00" + tail


def _pss(key: RsaKey, hash_alg: int, digest: bytes, random: Random) -> bytes:
    """Returns a digest encoded with EMSA-PSS, with a salt as long as the digest if the key is large enough."""
    bits = key.modulus.bit_length() - 1
    size = (bits + 7) // 8
    salt = random(min(len(digest), size - len(digest) - 2))
    hashed = _hash(hash_alg, bytes(8) + digest + salt)
    block = bytes(size - len(salt) - len(hashed) - 2) + b"\x01" + salt
    masked = _xor(block, _mask(hash_alg, hashed, len(block)))
    masked = bytes([masked[0] & 0xFF >> 8 * size - bits]) + masked[1:]
    return (masked + hashed + b"\xbc").rjust(key.size, b"\0")


def _pss_holds(key: RsaKey, hash_alg: int, digest: bytes, block: bytes) -> bool:
    bits = key.modulus.bit_length() - 1
    size = (bits + 7) // 8
    block = block[-size:]
    length = digest_size(hash_alg)
    masked, hashed = block[: size - length - 1], block[size - length - 1 : -1]
    plain = _xor(masked, _mask(hash_alg, hashed, len(masked)))
    plain = bytes([plain[0] & 0xFF >> 8 * size - bits]) + plain[1:]
    rest = plain.lstrip(b"\0")
    right = _hash(hash_alg, bytes(8) + digest + rest[1:]) == hashed
    return block[-1] == 0xBC and rest[:1] == b"\x01" and right
