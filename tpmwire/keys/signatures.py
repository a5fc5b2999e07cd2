"""Converts signatures between TPMT_SIGNATURE and other formats: DER and plain bytes (openssl), and JWS.

Only `verify_signature` needs the package `cryptography`.
"""

from typing import Any

from ..crypto import der
from ..crypto.formulas import digest as hash_of
from ..crypto.formulas import digest_size
from ..crypto.ml_keys import verify_ml_signature
from ..crypto.public_key_formats import to_cryptography
from ..errors import DecodeError, EncodeError, SignatureError
from ..spec.constants import TPM_ALG
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_HASH_MLDSA,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)

__all__ = [
    "signature_from_der",
    "signature_from_jws",
    "signature_to_der",
    "signature_to_jws",
    "verify_signature",
]

_NUMBERS = der.Sequence(("r", der.Natural(0x02)), ("s", der.Natural(0x02)))
_SIZES = (24, 28, 32, 48, 64, 66)
"""Bytes of a number on the curves of TPM 2.0."""

_JWS = {
    "RS": TPM_ALG.RSASSA,
    "PS": TPM_ALG.RSAPSS,
    "ES": TPM_ALG.ECDSA,
}
_JWS_HASHES = {"256": (TPM_ALG.SHA256, 32), "384": (TPM_ALG.SHA384, 48), "512": (TPM_ALG.SHA512, 66)}
"""Hash, and size of r and s in bytes, by the number in the name of a JWS algorithm (RFC 7518, §3.1 and §3.4)."""


def signature_to_der(signature: TPMT_SIGNATURE) -> bytes:
    """Returns a signature in the format of openssl and `cryptography`.

    An ECDSA signature is an Ecdsa-Sig-Value in DER. RSA and ML-DSA signatures are plain bytes. Raises EncodeError
    for an HMAC or an empty signature.
    """
    value = signature.signature
    if isinstance(value, TPMS_SIGNATURE_ECC):
        return der.build_element(_NUMBERS, (value.signature_r, value.signature_s))
    if isinstance(value, TPMS_SIGNATURE_RSA):
        return value.sig
    if isinstance(value, TPMS_SIGNATURE_HASH_MLDSA):
        return value.signature
    if isinstance(value, bytes):  # ML-DSA, and EdDSA since version 1.85
        return value
    raise EncodeError(f"the scheme {signature.sig_alg.name} has no signature format outside TPMs")


def signature_from_der(
    data: bytes, scheme: TPM_ALG = TPM_ALG.ECDSA, hash_alg: TPM_ALG = TPM_ALG.SHA256
) -> TPMT_SIGNATURE:
    """Returns the TPMT_SIGNATURE for a signature of openssl or `cryptography`: DER for ECC, plain bytes for RSA.

    The caller must know `scheme` and `hash_alg`, because `data` does not contain them. The numbers of an ECC
    signature are padded to the size of the smallest curve that they fit. Raises DecodeError if `data` is not
    valid.
    """
    if scheme in (TPM_ALG.RSASSA, TPM_ALG.RSAPSS):
        return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_RSA(hash_alg, data))
    if scheme == TPM_ALG.MLDSA:
        return TPMT_SIGNATURE(scheme, data)
    if scheme == TPM_ALG.HASH_MLDSA:
        return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_HASH_MLDSA(hash_alg, data))
    numbers = der.parse_element(_NUMBERS, data)
    longest = max(map(len, numbers))
    size = next((size for size in _SIZES if size >= longest), 0)
    if not size:
        raise DecodeError(f"r or s is {longest} bytes long, too long for any supported curve", 0, len(data))
    r, s = (number.rjust(size, b"\0") for number in numbers)
    return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_ECC(hash_alg, r, s))


def signature_to_jws(signature: TPMT_SIGNATURE) -> bytes:
    """Returns the signature bytes of a JWS, before base64url: r || s for ECDSA, plain bytes for RSA.

    r and s have the size for the curve of ES256, ES384 or ES512 (RFC 7518, §3.4). Raises EncodeError for other
    signatures.
    """
    value = signature.signature
    if not isinstance(value, TPMS_SIGNATURE_ECC):
        return signature_to_der(signature)
    size = next((size for alg, size in _JWS_HASHES.values() if alg == value.hash), 0)
    r, s = value.signature_r.lstrip(b"\0"), value.signature_s.lstrip(b"\0")
    if signature.sig_alg != TPM_ALG.ECDSA or len(r) > size or len(s) > size:
        raise EncodeError("JWS has no algorithm for this signature; expected ES256, ES384 or ES512")
    return r.rjust(size, b"\0") + s.rjust(size, b"\0")


def signature_from_jws(data: bytes, algorithm: str) -> TPMT_SIGNATURE:
    """Returns the TPMT_SIGNATURE for the signature bytes of a JWS with an algorithm such as "ES256".

    Raises DecodeError if an ECDSA signature has the wrong size, EncodeError for an unknown algorithm.
    """
    scheme, (hash_alg, size) = _JWS.get(algorithm[:2]), _JWS_HASHES.get(algorithm[2:], (TPM_ALG.NULL, 0))
    if scheme is None or not size:
        raise EncodeError(f"unsupported JWS algorithm {algorithm!r}; expected e.g. RS256, PS384, ES512")
    if scheme != TPM_ALG.ECDSA:
        return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_RSA(hash_alg, data))
    if len(data) != 2 * size:
        raise DecodeError(f"expected {2 * size} bytes of {algorithm}, got {len(data)}", 0, len(data))
    return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_ECC(hash_alg, data[:size], data[size:]))


def verify_signature(
    public: TPMT_PUBLIC,
    signature: TPMT_SIGNATURE,
    data: bytes | None = None,
    *,
    digest: bytes | None = None,
    context: bytes = b"",
) -> None:
    """Raises SignatureError unless `signature` is valid for the key `public` and for `data` or `digest`.

    Give either the signed data or their digest, computed with the signature's hash. Supported schemes are RSASSA,
    RSAPSS with any salt length (Part 1, §B.7), ECDSA, ML-DSA and HashML-DSA. If the key has a scheme and a hash,
    the signature must use them. `context` is the context string of ML-DSA; the digest of ML-DSA is Mu (64 bytes).
    The attributes of the key are not checked. Raises EncodeError for other schemes, and ModuleNotFoundError if
    `cryptography` is not installed.
    """
    value = signature.signature
    if (data is None) == (digest is None):
        raise EncodeError("give either the signed data or their digest")
    if signature.sig_alg in (TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA):
        return verify_ml_signature(public, signature, data, digest, context)
    if not isinstance(value, TPMS_SIGNATURE_RSA | TPMS_SIGNATURE_ECC):
        raise EncodeError(f"{signature.sig_alg.name} signatures cannot be verified with a public key")
    hashed = hash_of(value.hash, data) if data is not None else digest or b""
    if len(hashed) != digest_size(value.hash):
        raise SignatureError(
            f"expected a digest of {digest_size(value.hash)} bytes ({value.hash.name}), got {len(hashed)}"
        )
    _check_scheme(public, signature.sig_alg, value.hash)
    _verify(public, signature.sig_alg, value, hashed)


def _check_scheme(public: TPMT_PUBLIC, scheme: TPM_ALG, hash_alg: TPM_ALG) -> None:
    parameters = public.parameters
    if not isinstance(parameters, TPMS_RSA_PARMS | TPMS_ECC_PARMS):
        raise EncodeError(f"expected an RSA or ECC key for the signature ({scheme.name}), got {public.type.name}")
    own = parameters.scheme
    if own.scheme == TPM_ALG.NULL:
        return
    known = own.details.hash_alg if isinstance(own.details, TPMS_SCHEME_HASH) else None
    if (own.scheme, known) != (scheme, hash_alg):
        key_scheme = f"{own.scheme.name} with {known.name}" if known else own.scheme.name
        raise SignatureError(
            f"the key signs with {key_scheme} only; the signature is {scheme.name}, {hash_alg.name}"
        )


def _verify(
    public: TPMT_PUBLIC, scheme: TPM_ALG, value: TPMS_SIGNATURE_RSA | TPMS_SIGNATURE_ECC, digest: bytes
) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # late: optional
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    kind = getattr(hashes, value.hash.name, None)
    if kind is None:
        raise EncodeError(f"unsupported hash {value.hash.name} in a signature")
    prehashed: Any = utils.Prehashed(kind())
    key = to_cryptography(public)
    try:
        if scheme == TPM_ALG.ECDSA and isinstance(value, TPMS_SIGNATURE_ECC):
            if not isinstance(key, ec.EllipticCurvePublicKey):
                raise SignatureError("an ECDSA signature needs an ECC key; the key is RSA")
            key.verify(
                der.build_element(_NUMBERS, (value.signature_r, value.signature_s)), digest, ec.ECDSA(prehashed)
            )
        elif scheme in (TPM_ALG.RSASSA, TPM_ALG.RSAPSS) and isinstance(value, TPMS_SIGNATURE_RSA):
            if not isinstance(key, rsa.RSAPublicKey):
                raise SignatureError("an RSA signature needs an RSA key; the key is ECC")
            pss = padding.PSS(padding.MGF1(kind()), padding.PSS.AUTO)
            key.verify(value.sig, digest, pss if scheme == TPM_ALG.RSAPSS else padding.PKCS1v15(), prehashed)
        else:
            raise EncodeError(f"unsupported scheme {scheme.name}; expected RSASSA, RSAPSS or ECDSA")
    except InvalidSignature:
        raise SignatureError("the signature is not valid for the key and the data") from None
    except (UnsupportedAlgorithm, ValueError) as error:
        raise EncodeError(f"the installed cryptography cannot verify this signature ({error})") from error
