"""Elliptic curves for the soft TPM: keys, ECDH and ECDSA, with the arithmetic of `crypto.pure.curves`."""

from collections.abc import Callable

from ..crypto.pure.curves import P256, P384, P521, Curve, Point
from ..spec.constants import TPM_ECC
from ..spec.structures import TPMS_ECC_POINT

__all__ = ["CURVES", "derive_scalar", "point_of", "sign", "to_point", "verify"]

CURVES: dict[int, Curve] = {TPM_ECC.NIST_P256: P256, TPM_ECC.NIST_P384: P384, TPM_ECC.NIST_P521: P521}

Random = Callable[[int], bytes]


def derive_scalar(curve: Curve, random: Random) -> int:
    """Returns a private scalar from 1 to n-1, reduced from 64 extra random bits (FIPS 186-5, A.2.1)."""
    return int.from_bytes(random(curve.size + 8), "big") % (curve.n - 1) + 1


def point_of(curve: Curve, point: Point) -> TPMS_ECC_POINT:
    """Returns a point as TPMS_ECC_POINT, with coordinates padded to the curve's size."""
    return TPMS_ECC_POINT(point[0].to_bytes(curve.size, "big"), point[1].to_bytes(curve.size, "big"))


def to_point(curve: Curve, point: TPMS_ECC_POINT) -> Point | None:
    """Returns the coordinates of a TPMS_ECC_POINT, or None if the point is not on the curve."""
    found = int.from_bytes(point.x, "big"), int.from_bytes(point.y, "big")
    return found if curve.holds(found) else None


def _as_number(curve: Curve, digest: bytes) -> int:
    """Returns the leftmost bits of a digest as an integer: as many bits as the curve's order n has."""
    return int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - curve.n.bit_length())


def sign(curve: Curve, private: int, digest: bytes, random: Random) -> tuple[int, int]:
    """Returns the ECDSA signature (r, s) of a digest (FIPS 186-5, §6.4.1)."""
    while True:
        k = derive_scalar(curve, random)
        r = curve.multiply(k, curve.g)[0] % curve.n
        s = pow(k, -1, curve.n) * (_as_number(curve, digest) + r * private) % curve.n
        if r and s:
            return r, s


def verify(curve: Curve, public: Point, digest: bytes, r: int, s: int) -> bool:
    """Returns whether (r, s) is a valid ECDSA signature of a digest."""
    size = (curve.n.bit_length() + 7) // 8
    return curve.verifies(public, _as_number(curve, digest).to_bytes(size, "big"), r, s)
