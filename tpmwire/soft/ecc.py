"""Elliptic curves for the soft TPM: keys, ECDH and ECDSA, with the arithmetic of `crypto.pure.curves`."""

from collections.abc import Callable

from ..crypto.pure.curves import P256, P384, P521, Curve, Point
from ..spec.constants import TPM_ECC
from ..spec.structures import TPMS_ECC_POINT

__all__ = ["CURVES", "derive_scalar", "point_of", "sign", "to_point", "verify"]

P192 = Curve(
    2**192 - 2**64 - 1,
    0xFFFFFFFF_FFFFFFFF_FFFFFFFF_99DEF836_146BC9B1_B4D22831,
    0x64210519_E59C80E7_0FA7E9AB_72243049_FEB8DEEC_C146B9B1,
    (
        0x188DA80E_B03090F6_7CBF20EB_43A18800_F4FF0AFD_82FF1012,
        0x07192B95_FFC8DA78_631011ED_6B24CDD5_73F977A1_1E794811,
    ),
)
P224 = Curve(
    2**224 - 2**96 + 1,
    0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFF16A2_E0B8F03E_13DD2945_5C5C2A3D,
    0xB4050A85_0C04B3AB_F5413256_5044B0B7_D7BFD8BA_270B3943_2355FFB4,
    (
        0xB70E0CBD_6BB4BF7F_321390B9_4A03C1D3_56C21122_343280D6_115C1D21,
        0xBD376388_B5F723FB_4C22DFE6_CD4375A0_5A074764_44D58199_85007E34,
    ),
)
SM2 = Curve(
    2**256 - 2**224 - 2**96 + 2**64 - 1,
    0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123,
    0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93,
    (
        0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
        0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
    ),
)
CURVES: dict[int, Curve] = {
    TPM_ECC.NIST_P192: P192,
    TPM_ECC.NIST_P224: P224,
    TPM_ECC.NIST_P256: P256,
    TPM_ECC.NIST_P384: P384,
    TPM_ECC.NIST_P521: P521,
    TPM_ECC.SM2_P256: SM2,
}

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
