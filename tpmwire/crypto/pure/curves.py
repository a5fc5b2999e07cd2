"""NIST's prime curves y² = x³ - 3x + b (SP 800-186, §3.2.1), for a Diffie-Hellman exchange with a single-use key.

Side channels: Python's integers do not compute in constant time, and the accessed entries of the table of
multiples depend on the scalar. The sequence of operations does not depend on the scalar: doublings and additions,
by formulas without special cases for random scalars. A scalar is used for one exchange, so an observer of this
machine gets a single noisy trace. Do not use this module for a key that is used twice. Verification uses public
values only.
"""

import os

from .comb import COMB

__all__ = ["P256", "P384", "P521", "Curve", "Point"]

Point = tuple[int, int]
"""An affine point; never the point at infinity."""

_Projective = tuple[int, int, int]
_INFINITY: _Projective = (0, 1, 0)


class Curve:
    """A curve of prime order `n` over the integers modulo `p`, with the generator `g`.

    `size` is the size of a coordinate in bytes. `comb` contains multiples of g (see `comb`), or is empty.
    """

    def __init__(self, p: int, n: int, b: int, g: Point, comb: bytes = b"") -> None:
        self.p, self.n, self.b, self.g = p, n, b, g
        self.size = (p.bit_length() + 7) // 8
        self._comb = comb

    def holds(self, point: Point) -> bool:
        """Returns whether a point is on the curve, with both coordinates below `p`.

        Such a point is in the group, because n is prime.
        """
        x, y = point
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - x * x * x + 3 * x - self.b) % self.p == 0

    def random_scalar(self) -> int:
        """Returns a uniform random number from 1 to n-1. Numbers out of range are discarded."""
        bits = self.n.bit_length()
        while True:
            scalar = int.from_bytes(os.urandom((bits + 7) // 8), "big") & ((1 << bits) - 1)
            if 0 < scalar < self.n:
                return scalar

    def multiply(self, scalar: int, point: Point) -> Point:
        """Returns `scalar` times a point. Raises ValueError for a scalar or a point out of range."""
        x, y, z = self._multiply(scalar, point)
        inverse = pow(z, -1, self.p)
        return x * inverse % self.p, y * inverse % self.p

    def multiply_sum(self, *terms: tuple[int, Point]) -> Point | None:
        """Returns the sum of `scalar * point` over the terms; None if it is the point at infinity.

        Raises ValueError for a scalar or a point out of range.
        """
        total = _INFINITY
        for scalar, point in terms:
            total = self._add(total, self._multiply(scalar, point))
        x, y, z = total
        if not z:
            return None
        inverse = pow(z, -1, self.p)
        return x * inverse % self.p, y * inverse % self.p

    def verifies(self, public: Point, digest: bytes, r: int, s: int) -> bool:
        """Returns whether (r, s) is the ECDSA signature of a digest by the key `public` (FIPS 186-5, §6.4.2).

        The digest is at most as long as `n`. Raises ValueError for a public key that is not a point on the curve.
        """
        if not (0 < r < self.n and 0 < s < self.n):
            return False
        inverse = pow(s, -1, self.n)
        total = self._multiply(r * inverse % self.n, public)
        if first := int.from_bytes(digest, "big") * inverse % self.n:
            total = self._add(total, self._multiply(first, self.g))
        x, _, z = total
        return z != 0 and x * pow(z, -1, self.p) % self.p % self.n == r

    def _multiply(self, scalar: int, point: Point) -> _Projective:
        if not 0 < scalar < self.n:
            raise ValueError("the scalar is not between 0 and the curve's order")
        if not self.holds(point):
            raise ValueError("the point is not on the curve")
        if self._comb and point == self.g:
            return self._multiply_generator(scalar)
        one = (*point, 1)
        multiples = [_INFINITY, one]
        while len(multiples) < 16:
            multiples.append(self._add(multiples[-1], one))
        # Adding multiples of n does not change the product. Afterwards, bit `bits` is always the highest one.
        bits = (self.n.bit_length() + 3) // 4 * 4
        multiple = self.n << (bits - self.n.bit_length())
        scalar += multiple
        if not scalar >> bits:
            scalar += multiple
        total = one
        for shift in range(bits - 4, -4, -4):
            total = self._add(self._double_4(total), multiples[scalar >> shift & 15])
        return total

    def _multiply_generator(self, scalar: int) -> _Projective:
        numbers = [
            int.from_bytes(self._comb[at : at + self.size], "big") for at in range(0, len(self._comb), self.size)
        ]
        multiples = [_INFINITY, *((x, y, 1) for x, y in zip(numbers[::2], numbers[1::2], strict=True))]
        total = _INFINITY
        for column in range(63, -1, -1):
            rows = scalar >> column
            selected = rows & 1 | rows >> 63 & 2 | rows >> 126 & 4 | rows >> 189 & 8
            total = self._add(self._add(total, total), multiples[selected])
        return total

    def _double_4(self, one: _Projective) -> _Projective:
        """Returns 16 times a point.

        For this, Jacobian coordinates (x/z², y/z³) need fewer multiplications than projective ones (Explicit-
        Formulas Database, dbl-2001-b for a = -3).
        """
        (x, y, z), p = one, self.p
        if not z:  # for a few known scalars on P-521 only
            return _INFINITY
        x, y = x * z % p, y * z * z % p
        for _ in range(4):
            delta, gamma = z * z % p, y * y % p
            beta, alpha = x * gamma % p, 3 * (x - delta) * (x + delta) % p
            x, z = (alpha * alpha - 8 * beta) % p, 2 * y * z % p
            y = (alpha * (4 * beta - x) - 8 * gamma * gamma) % p
        return x * z % p, y, z * z * z % p

    # Renes, Costello and Batina, "Complete addition formulas for prime order elliptic curves" (2015), equation (2)
    # with a = -3. The formula is valid for every pair of points, including equal, opposite and infinite ones. Sums
    # of products are reduced once, because a reduction costs Python more than a multiplication.

    def _add(self, one: _Projective, other: _Projective) -> _Projective:
        (x1, y1, z1), (x2, y2, z2), p = one, other, self.p
        return self._combine(
            x1 * x2 % p,
            y1 * y2 % p,
            z1 * z2 % p,
            (x1 * y2 + x2 * y1) % p,
            (y1 * z2 + y2 * z1) % p,
            (x1 * z2 + x2 * z1) % p,
        )

    def _combine(self, xx: int, yy: int, zz: int, xy: int, yz: int, xz: int) -> _Projective:
        p, b = self.p, self.b
        w = 3 * ((b * zz - xz) % p)
        v = 3 * ((b * xz - xx - 3 * zz) % p)
        u = 3 * (xx - zz)
        less, more = yy - w, yy + w
        return (xy * less - yz * v) % p, (more * less + u * v) % p, (yz * more + xy * u) % p


P256 = Curve(
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B,
    (
        0x6B17D1F2_E12C4247_F8BCE6E5_63A440F2_77037D81_2DEB33A0_F4A13945_D898C296,
        0x4FE342E2_FE1A7F9B_8EE7EB4A_7C0F9E16_2BCE3357_6B315ECE_CBB64068_37BF51F5,
    ),
    COMB,
)
P384 = Curve(
    2**384 - 2**128 - 2**96 + 2**32 - 1,
    0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_C7634D81_F4372DDF_581A0DB2_48B0A77A_ECEC196A_CCC52973,
    0xB3312FA7_E23EE7E4_988E056B_E3F82D19_181D9C6E_FE814112_0314088F_5013875A_C656398D_8A2ED19D_2A85C8ED_D3EC2AEF,
    (
        0xAA87CA22_BE8B0537_8EB1C71E_F320AD74_6E1D3B62_8BA79B98_59F741E0_82542A38_5502F25D_BF55296C_3A545E38_72760AB7,
        0x3617DE4A_96262C6F_5D9E98BF_9292DC29_F8F41DBD_289A147C_E9DA3113_B5F0B8C0_0A60B1CE_1D7E819D_7A431D7C_90EA0E5F,
    ),
)
P521 = Curve(
    2**521 - 1,
    int(
        "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA"
        "51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
    int(
        "51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109"
        "E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
        16,
    ),
    (
        int(
            "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3D"
            "BAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66",
            16,
        ),
        int(
            "11839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E6"
            "62C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650",
            16,
        ),
    ),
)
