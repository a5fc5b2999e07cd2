"""The arithmetic of salts in Python's integers, against `cryptography` in both directions."""

import os
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from tpmwire.crypto.pure.curves import P256, P384, P521, Curve
from tpmwire.crypto.pure.oaep import encrypt

CURVES: list[tuple[Curve, ec.EllipticCurve]] = [
    (P256, ec.SECP256R1()),
    (P384, ec.SECP384R1()),
    (P521, ec.SECP521R1()),
]
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@st.composite
def scalars(draw: st.DrawFn) -> tuple[Curve, ec.EllipticCurve, int, int]:
    """A curve and two scalars, often next to an end of the range or with few bits set."""
    curve, theirs = draw(st.sampled_from(CURVES))
    edges = st.integers(1, 20) | st.integers(curve.n - 20, curve.n - 1)
    sparse = st.integers(0, curve.n.bit_length() - 2).map(lambda bit: 1 << bit)
    one = edges | sparse | st.integers(1, curve.n - 1)
    return curve, theirs, draw(one), draw(one)


@given(scalars())
def test_multiples_and_shared_points_are_cryptographys(case: tuple[Curve, ec.EllipticCurve, int, int]) -> None:
    curve, theirs, own, other = case
    their_key = ec.derive_private_key(other, theirs)
    numbers = their_key.public_key().public_numbers()
    assert curve.multiply(other, curve.g) == (numbers.x, numbers.y)
    own_point = curve.multiply(own, curve.g)
    shared = curve.multiply(own, (numbers.x, numbers.y))
    assert curve.holds(own_point)
    assert curve.holds(shared)
    seen_by_them = ec.EllipticCurvePublicNumbers(*own_point, theirs).public_key()
    assert shared[0].to_bytes(curve.size, "big") == their_key.exchange(ec.ECDH(), seen_by_them)


@pytest.mark.parametrize(("curve", "theirs"), CURVES, ids=lambda value: getattr(value, "name", ""))
@given(data=st.data())
def test_a_point_that_is_changed_in_a_bit_is_on_the_curve_for_us_only_if_for_them(
    curve: Curve, theirs: ec.EllipticCurve, data: st.DataObject
) -> None:
    x, y = curve.multiply(data.draw(st.integers(1, curve.n - 1)), curve.g)
    bit = 1 << data.draw(st.integers(0, curve.p.bit_length() - 1))
    point = (x ^ bit, y) if data.draw(st.booleans()) else (x, y ^ bit)
    try:
        ec.EllipticCurvePublicNumbers(*point, theirs).public_key()
    except ValueError:
        assert not curve.holds(point)
    else:
        assert curve.holds(point)


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@given(
    message=st.binary(max_size=64),
    label=st.sampled_from([b"SECRET\0", b"DUPLICATE\0", b""]) | st.binary(max_size=300),
    name=st.sampled_from(sorted(HASHES)),
)
def test_cryptography_opens_what_we_seal_with_oaep(message: bytes, label: bytes, name: str) -> None:
    numbers = private_key().public_key().public_numbers()
    sealed = encrypt(numbers.n, numbers.e, message, label, name)
    scheme = padding.OAEP(padding.MGF1(HASHES[name]), HASHES[name], label)
    assert len(sealed) == 256
    assert private_key().decrypt(sealed, scheme) == message


@given(st.integers(0, 4096))
def test_a_message_fits_up_to_the_limit_of_oaep_and_not_beyond(size: int) -> None:
    numbers = private_key().public_key().public_numbers()
    if size <= 256 - 2 * 32 - 2:
        assert len(encrypt(numbers.n, numbers.e, os.urandom(size), b"", "sha256")) == 256
    else:
        with pytest.raises(ValueError, match="at most 190"):
            encrypt(numbers.n, numbers.e, os.urandom(size), b"", "sha256")


@given(scalars(), st.binary(min_size=32, max_size=32))
def test_signatures_are_verified_as_by_cryptography(
    case: tuple[Curve, ec.EllipticCurve, int, int], digest: bytes
) -> None:
    curve, theirs, own, other = case
    key = ec.derive_private_key(own, theirs)
    numbers = key.public_key().public_numbers()
    public = numbers.x, numbers.y
    prehashed = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    r, s = utils.decode_dss_signature(key.sign(digest, prehashed))
    assert curve.verifies(public, digest, r, s)
    for changed in ((r, s % curve.n + 1), (other, s), (r, other), (s, r), (r, 0), (0, s), (r + curve.n, s)):
        assert not curve.verifies(public, digest, *changed)
    assert not curve.verifies(public, bytes([digest[0] ^ 1]) + digest[1:], r, s)
    # The other of the two signatures that each has.
    assert curve.verifies(public, digest, r, curve.n - s)
