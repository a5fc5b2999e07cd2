"""Unsound RSA moduli, as a client can tell them: each kind is made here, and sound ones pass."""

import math
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tpmwire.crypto.pure.modulus import fault_of
from tpmwire.crypto.salt import seal_secret
from tpmwire.errors import SessionError
from tpmwire.keys.templates import srk_rsa

RANDOM = random.Random(20261128)
PRIMES = [n for n in range(2, 752) if all(n % d for d in range(2, n))]


def sound(bits: int = 2048) -> int:
    return rsa.generate_private_key(65537, bits).public_key().public_numbers().n


def without_small_factors(bits: int) -> int:
    """A number of this size; whether it is prime does not matter here."""
    while True:
        n = RANDOM.getrandbits(bits) | 3 << bits - 2 | 1
        if math.gcd(n, math.prod(PRIMES)) == 1:
            return n


def as_rocas_primes(bits: int) -> int:
    """k * M + (65537**a mod M), as Infineon's old library made primes, with M the product of 126 primes."""
    m = math.prod(PRIMES[:126])
    while True:
        n = RANDOM.getrandbits(bits - m.bit_length() + 1) * m + pow(65537, RANDOM.getrandbits(200), m)
        if n.bit_length() == bits and n >> bits - 2 == 3 and math.gcd(n, math.prod(PRIMES)) == 1:
            return n


def with_small_factor(factor: int) -> int:
    """A modulus with this factor; with 3 it has 2048 bits."""
    return factor * without_small_factors(2048 - factor.bit_length())


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_sound_keys_pass(bits: int) -> None:
    assert [fault_of(sound(bits)) for _ in range(2)] == [None, None]


@pytest.mark.parametrize("factor", [3, 5, 17, 251, 743, 751])
def test_a_small_factor(factor: int) -> None:
    assert fault_of(with_small_factor(factor)) == "the modulus has a small factor"


@pytest.mark.parametrize("exponent", [2, 3, 4, 5, 6, 7, 31, 97, 199])
def test_a_power(exponent: int) -> None:
    assert fault_of(without_small_factors(2050 // exponent) ** exponent) == "the modulus is a power"


def test_rocas_fingerprint() -> None:
    found = fault_of(as_rocas_primes(1024) * as_rocas_primes(1024))
    assert found is not None
    assert "CVE-2017-15361" in found
    # One such prime beside another is none of those keys.
    assert fault_of(as_rocas_primes(1024) * without_small_factors(1024)) is None


def test_no_salt_for_such_a_key() -> None:
    template = srk_rsa()
    seal_secret(template.replace(unique=sound().to_bytes(256, "big")))
    roca = as_rocas_primes(1024) * as_rocas_primes(1024)
    for modulus in (with_small_factor(3), without_small_factors(1024) ** 2, roca):
        assert modulus.bit_length() == 2048
        with pytest.raises(SessionError, match="the RSA key for the salt is weak"):
            seal_secret(template.replace(unique=modulus.to_bytes(256, "big")))
