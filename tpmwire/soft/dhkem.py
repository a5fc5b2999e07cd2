"""DHKEM: key encapsulation with elliptic curves and HKDF (RFC 9180, §4.1)."""

from ..crypto.formulas import digest_size, hmac_digest
from ..crypto.pure.curves import Curve, Point
from ..spec.constants import TPM_ALG, TPM_ECC

__all__ = ["KEMS", "derive_shared_secret", "from_octets", "to_octets"]

KEMS: dict[tuple[int, int], int] = {
    (TPM_ECC.NIST_P256, TPM_ALG.SHA256): 0x10,
    (TPM_ECC.NIST_P384, TPM_ALG.SHA384): 0x11,
    (TPM_ECC.NIST_P521, TPM_ALG.SHA512): 0x12,
}
"""{(curve, hash algorithm of HKDF): KEM identifier} (RFC 9180, §7.1)."""


def to_octets(curve: Curve, point: Point) -> bytes:
    """Returns a point in uncompressed form: 04 || x || y."""
    return b"\x04" + b"".join(number.to_bytes(curve.size, "big") for number in point)


def from_octets(curve: Curve, data: bytes) -> Point | None:
    """Returns the point in uncompressed form, or None if `data` is not a point on the curve."""
    if len(data) != 1 + 2 * curve.size or data[0] != 4:
        return None
    found = int.from_bytes(data[1 : 1 + curve.size], "big"), int.from_bytes(data[1 + curve.size :], "big")
    return found if curve.holds(found) else None


def derive_shared_secret(alg: int, kem: int, shared: bytes, context: bytes) -> bytes:
    """Returns the shared secret of an encapsulation (ExtractAndExpand).

    `alg` is the hash algorithm, `kem` the KEM identifier, `shared` the x coordinate of the ECDH point. `context`
    is the ciphertext followed by the recipient's public key.
    """
    suite, size = b"KEM" + kem.to_bytes(2, "big"), digest_size(alg)
    extracted = hmac_digest(alg, bytes(size), b"HPKE-v1" + suite + b"eae_prk" + shared)
    info = size.to_bytes(2, "big") + b"HPKE-v1" + suite + b"shared_secret" + context
    return hmac_digest(alg, extracted, info + b"\x01")  # HKDF-Expand, for one block
