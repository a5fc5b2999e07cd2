"""Signature Version 4A: one signature for several regions, with an ECDSA P-256 key derived from the secret.

The key is derived once, and can then be stored in a TPM. The signer needs only a function that signs a digest. Key
objects and verification need `cryptography`; signing does not.

Source: "SigV4A" in the AWS IAM User Guide and AWS's reference (awslabs/aws-c-auth, key_derivation.c): a key
derivation in counter mode (NIST SP 800-108 §4.1) that rejects values that are too large (FIPS 186-4 §B.4.2).
"""

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import RequestError
from .signer import Signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

__all__ = [
    "ALGORITHM",
    "Sigv4aSigner",
    "der_signature",
    "derive_private_value",
    "private_key",
    "sign_digest_with",
    "verify_signature",
]

ALGORITHM = "AWS4-ECDSA-P256-SHA256"
# The order of P-256 (SP 800-186 §3.2.1.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_MAX_COUNT = 254


def derive_private_value(access_key_id: str, secret: str | bytes) -> int:
    """Returns the private value of the P-256 key that belongs to an access key; keep it as secret as `secret`.

    `secret` is the secret access key without any prefix. Raises RequestError for an invalid access key id.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{1,128}", access_key_id):
        raise RequestError("invalid access key id: expected 1 to 128 letters, digits or _, such as AKIA...")
    key = b"AWS4A" + (secret.encode("utf-8") if isinstance(secret, str) else secret)
    bits = 256
    for count in range(1, _MAX_COUNT + 1):
        context = access_key_id.encode("ascii") + bytes((count,))
        block = b"\0\0\0\1" + ALGORITHM.encode("ascii") + b"\0" + context + bits.to_bytes(4, "big")
        candidate = int.from_bytes(hmac.digest(key, block, "sha256"), "big")
        if candidate <= _ORDER - 2:
            return candidate + 1
    raise RequestError(
        "cannot derive a SigV4A key from this secret (probability 2^-8128); create a new access key"
    )


def private_key(access_key_id: str, secret: str | bytes) -> "EllipticCurvePrivateKey":
    """Returns the P-256 key derived from an access key, as an object of `cryptography`."""
    from cryptography.hazmat.primitives.asymmetric import ec  # late: optional, and needed for keys in memory only

    return ec.derive_private_key(derive_private_value(access_key_id, secret), ec.SECP256R1())


def sign_digest_with(key: "EllipticCurvePrivateKey") -> Callable[[bytes], bytes]:
    """Returns the function `sign_digest` for a Sigv4aSigner, which signs with a key in memory."""
    from cryptography.hazmat.primitives.asymmetric import ec  # late: optional, and needed for keys in memory only
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    return lambda digest: key.sign(digest, ec.ECDSA(Prehashed(SHA256())))


def der_signature(r: bytes, s: bytes) -> bytes:
    """Returns an ECDSA signature in DER (RFC 3279 §2.2.3).

    `r` and `s` are its two numbers, big-endian, as TPMs return them.
    """
    numbers = b"".join(_der_integer(part) for part in (r, s))
    return b"\x30" + bytes((len(numbers),)) + numbers


def _der_integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0")
    if not 0 < len(digits) <= 32:
        raise RequestError("invalid P-256 signature: expected two numbers of 1 to 32 bytes above 0")
    if digits[0] & 0x80:
        digits = b"\0" + digits
    return b"\x02" + bytes((len(digits),)) + digits


class Sigv4aSigner(Signer):
    """Signs requests for one access key and sets of regions.

    `sign_digest(digest)` returns the ECDSA P-256 signature, in DER, of a SHA-256 digest (32 bytes) with the key of
    `derive_private_value`. It is called once per signature; its errors pass through. The argument `region` of the
    methods is a set of regions: names separated by commas, with "*" as wildcard, such as "us-*,eu-west-1". If
    `region_set` is given, it replaces `region` in every signature.
    """

    algorithm = ALGORITHM

    def __init__(
        self,
        access_key_id: str,
        sign_digest: Callable[[bytes], bytes],
        session_token: str | None = None,
        *,
        region_set: str | None = None,
    ) -> None:
        super().__init__(access_key_id, _refuse_hmac, session_token)
        self._sign_digest = sign_digest
        self._region_set = region_set
        if region_set is not None:
            _check_set(region_set)

    def prime(self, date: str) -> None:
        """Does nothing, because SigV4A has no key per day."""

    def signing_time(self, now: float) -> float:
        """Returns `now`, because SigV4A has no key per day."""
        return now

    def scope(self, stamp: str, region: str, service: str) -> str:
        """Returns the credential scope: day and service. The regions are in X-Amz-Region-Set."""
        _check_set(self._region_set or region)
        if not re.fullmatch(r"[A-Za-z0-9._-]+", service):
            raise RequestError(f"{service!r} is not a valid service name; use e.g. s3")
        return f"{stamp[:8]}/{service}/aws4_request"

    def string_to_sign(self, canonical: str, stamp: str, region: str, service: str) -> str:
        """Returns the string to sign: algorithm, time stamp, scope, and SHA-256 of the canonical request."""
        digest = sha256(canonical.encode("utf-8")).hexdigest()
        return "\n".join((ALGORITHM, stamp, self.scope(stamp, region, service), digest))

    def region_fields(self, region: str) -> list[tuple[str, str]]:
        """Returns X-Amz-Region-Set as a list of one (name, value), for the headers or the query."""
        return [("X-Amz-Region-Set", self._region_set or region)]

    def signature(self, text: str, _date: str, _region: str, _service: str) -> str:
        """Returns the signature of a string to sign, as DER in hex."""
        return self._sign_digest(sha256(text.encode("utf-8")).digest()).hex()


def _check_set(regions: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9*-]+(,[A-Za-z0-9*-]+)*", regions):
        raise RequestError(f"{regions!r} is not a valid set of regions; use e.g. us-east-1,eu-* or *")


def _refuse_hmac(_message: bytes) -> bytes:
    raise RequestError("SigV4A signs with an ECDSA key and has no HMAC; call sign() or presign()")


def verify_signature(public_key: "EllipticCurvePublicKey", text: str, signature: str) -> bool:
    """Returns whether `signature` (DER in hex) is valid for the string to sign `text` and `public_key`."""
    from cryptography.exceptions import InvalidSignature  # late: optional; signing does not need it
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        public_key.verify(bytes.fromhex(signature), text.encode("utf-8"), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
