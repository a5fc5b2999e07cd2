"""RSA encryption and ECDH."""

from typing import TYPE_CHECKING, NamedTuple

from ..crypto.public_key_formats import from_cryptography
from ..errors import EncodeError
from ..keys.template_names import parse_hash
from ..sessions import Password, Use
from ..spec.commands.asymmetric import ECDH_KeyGen, ECDH_ZGen, RSA_Decrypt, RSA_Encrypt
from ..spec.constants import TPM_ALG, TPM_ECC
from ..spec.structures import TPMS_ECC_PARMS, TPMS_ECC_POINT, TPMS_SCHEME_HASH, TPMT_RSA_DECRYPT
from ..tpm import Tpm
from .arguments import NOBODY, Item, public_of, reach

if TYPE_CHECKING:  # an optional package for everything else
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["Ephemeral", "ecdh", "ecdh_ephemeral", "rsa_decrypt", "rsa_encrypt"]

Padding = TPMT_RSA_DECRYPT | str
"""The padding of RSA encryption: `oaep`, `oaep-sha1`, `rsaes` (PKCS #1 v1.5), or the standard's structure."""


def rsa_encrypt(tpm: Tpm, key: Item, data: bytes, padding: Padding = "oaep-sha256", label: str = "") -> bytes:
    """Encrypts data with the public part of an RSA key, by default with OAEP and SHA-256 (Part 3, §14.2).

    A 2,048-bit key encrypts at most 190 bytes. `label` is the OAEP label, to which a zero byte is added. If the
    key has a scheme, `padding` must be that scheme.
    """
    with reach(tpm, key) as (handle, _):
        return tpm.execute(RSA_Encrypt(handle, data, _padding(padding), _label(label))).out_data


def rsa_decrypt(
    tpm: Tpm,
    key: Item,
    data: bytes,
    padding: Padding = "oaep-sha256",
    label: str = "",
    *,
    by: Password | Use = NOBODY,
) -> bytes:
    """Decrypts data with an RSA key, by default with OAEP and SHA-256 (Part 3, §14.3)."""
    with reach(tpm, key, by) as (handle, authorization):
        return tpm.execute(RSA_Decrypt(handle, data, _padding(padding), _label(label)), authorization).message


def _padding(padding: Padding) -> TPMT_RSA_DECRYPT:
    if isinstance(padding, TPMT_RSA_DECRYPT):
        return padding
    name, _, hash_name = padding.lower().partition("-")
    if name == "oaep":
        return TPMT_RSA_DECRYPT(TPM_ALG.OAEP, TPMS_SCHEME_HASH(parse_hash(hash_name or "sha256")))
    if name in ("rsaes", "null") and not hash_name:
        return TPMT_RSA_DECRYPT(TPM_ALG.RSAES if name == "rsaes" else TPM_ALG.NULL)
    raise EncodeError(f"unknown RSA padding {padding!r}; use oaep, oaep-sha1, rsaes (PKCS #1 v1.5) or null (none)")


def _label(label: str) -> bytes:
    return label.encode() + b"\0" if label else b""


def ecdh(
    tpm: Tpm, key: Item, peer: "TPMS_ECC_POINT | EllipticCurvePublicKey", *, by: Password | Use = NOBODY
) -> bytes:
    """Returns the ECDH shared secret of an ECC key and a peer's public key (Part 3, §14.5).

    The secret is the x-coordinate, as long as the curve's field, like the result of `exchange` in `cryptography`.
    """
    size = _field_size(public_of(tpm, key).parameters)
    point = peer if isinstance(peer, TPMS_ECC_POINT) else from_cryptography(peer).unique
    with reach(tpm, key, by) as (handle, authorization):
        return _shared(
            tpm.execute(
                ECDH_ZGen(handle, point if isinstance(point, TPMS_ECC_POINT) else None), authorization
            ).out_point,
            size,
        )


class Ephemeral(NamedTuple):
    """An ephemeral public point, and its ECDH shared secret with a key."""

    point: TPMS_ECC_POINT
    secret: bytes

    def __repr__(self) -> str:
        return f"Ephemeral(point={self.point!r}, secret=<{len(self.secret)} bytes>)"


def ecdh_ephemeral(tpm: Tpm, key: Item) -> Ephemeral:
    """Returns an ephemeral public point, and its ECDH shared secret with an ECC key (Part 3, §14.4).

    The owner of the private key computes the same secret from the point.
    """
    size = _field_size(public_of(tpm, key).parameters)
    with reach(tpm, key) as (handle, _):
        response = tpm.execute(ECDH_KeyGen(handle))
    if response.pub_point is None:
        raise EncodeError("the TPM returned no point")
    return Ephemeral(response.pub_point, _shared(response.z_point, size))


def _shared(point: TPMS_ECC_POINT | None, size: int) -> bytes:
    if point is None:
        raise EncodeError("the TPM returned no point")
    return point.x.rjust(size, b"\0")


_FIELD_BITS = {TPM_ECC.NIST_P192: 192, TPM_ECC.NIST_P224: 224, TPM_ECC.NIST_P384: 384, TPM_ECC.NIST_P521: 521}


def _field_size(parameters: object) -> int:
    if not isinstance(parameters, TPMS_ECC_PARMS):
        raise EncodeError("ECDH needs an ECC key")
    return (_FIELD_BITS.get(parameters.curve_id, 256) + 7) // 8
