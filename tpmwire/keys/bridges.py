"""Conversions between TPM structures and the keys and signatures of other programs.

Public keys: `to_cryptography`, `from_cryptography`, `to_pem`, `to_der`, `to_jwk`, `to_ssh`, and `parse_public`,
which reads all of these formats. Signatures: `verify_signature`, `signature_to_der`, `signature_from_der`,
`signature_to_jws`, `signature_from_jws`.
"""

from ..crypto.public_key_formats import (
    from_cryptography,
    parse_public,
    to_cryptography,
    to_der,
    to_jwk,
    to_pem,
    to_ssh,
)
from .signatures import (
    signature_from_der,
    signature_from_jws,
    signature_to_der,
    signature_to_jws,
    verify_signature,
)

__all__ = [
    "from_cryptography",
    "parse_public",
    "signature_from_der",
    "signature_from_jws",
    "signature_to_der",
    "signature_to_jws",
    "to_cryptography",
    "to_der",
    "to_jwk",
    "to_pem",
    "to_ssh",
    "verify_signature",
]
