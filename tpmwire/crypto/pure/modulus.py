"""Detection of weak RSA keys by their modulus (SP 800-56B Rev. 2, §6.4.2; SP 800-89, §5.3.3)."""

import math
from functools import cache
from itertools import takewhile

__all__ = ["fault_of"]

_SMALL = 752
"""The limit of small factors that SP 800-89 requires to exclude."""

# Nemec et al., "The Return of Coppersmith's Attack" (2017), §3: primes of Infineon's old library are powers of
# 65537 modulo each of the first primes, and so is their product. At most one in 2^27 other moduli has this
# property.
_ROCA_GENERATOR, _ROCA_PRIMES = 65537, 167


def fault_of(modulus: int) -> str | None:
    """Returns the reason why a key with this modulus is unsafe, or None.

    The first call takes a millisecond, later calls less. A primality test is omitted. It would take longer than
    all other tests, and no key generator returns a prime modulus.
    """
    if math.gcd(modulus, _product()) != 1:
        return "the modulus has a small factor"
    # A base of a perfect power is above 2**9, because the modulus has no smaller factor.
    exponents = takewhile(lambda exponent: 9 * exponent < modulus.bit_length(), _primes())
    if any(_is_power(modulus, exponent) for exponent in exponents):
        return "the modulus is a power"
    if all(modulus % prime in powers for prime, powers in _roca()):
        return "it can be factored (ROCA, CVE-2017-15361); update the TPM's firmware, or use an ECC key"
    return None


@cache
def _primes() -> tuple[int, ...]:
    return tuple(n for n in range(2, _SMALL) if _is_prime(n))


@cache
def _product() -> int:
    return math.prod(_primes())


def _is_prime(n: int) -> bool:
    return all(n % d for d in range(2, math.isqrt(n) + 1))


@cache
def _roca() -> tuple[tuple[int, frozenset[int]], ...]:
    """Returns (prime, powers of 65537 modulo the prime) for the primes of the ROCA test."""
    return tuple((prime, _powers(prime)) for prime in _primes() if 2 < prime <= _ROCA_PRIMES)


def _powers(prime: int) -> frozenset[int]:
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * _ROCA_GENERATOR % prime
    return frozenset(found)


def _is_power(number: int, exponent: int) -> bool:
    """Returns whether a number is the `exponent`-th power of an integer; `exponent` is prime."""
    # Modulo a prime q = k * exponent + 1, few residues are such powers, so this test excludes most numbers at
    # once.
    for k, q in _sieve(exponent):
        residue = number % q
        if residue and pow(residue, k, q) != 1:
            return False
    low, high = 1, 1 << (number.bit_length() // exponent + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**exponent < number:
            low = middle + 1
        else:
            high = middle
    return bool(low**exponent == number)


@cache
def _sieve(exponent: int) -> tuple[tuple[int, int], ...]:
    return tuple((k, k * exponent + 1) for k in range(2, 60, 2) if _is_prime(k * exponent + 1))
