"""An attestation key in software, which signs any statement: what a forger can do, and no TPM does."""

from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tpmwire.keys import templates
from tpmwire.spec.attestation import TPMS_ATTEST, TPMS_CLOCK_INFO, TPMS_QUOTE_INFO
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_ST, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SIGNATURE,
    TPMT_SYM_DEF_OBJECT,
)

__all__ = ["ATTRIBUTES", "EccSigner", "RsaSigner", "statement"]

ATTRIBUTES = templates.srk_ecc().object_attributes & ~TPMA_OBJECT.DECRYPT | TPMA_OBJECT.SIGN_ENCRYPT
NO_SYMMETRIC = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)


def _hash(alg: TPM_ALG) -> hashes.HashAlgorithm:
    found: hashes.HashAlgorithm = getattr(hashes, alg.name.replace("SHA3_", "SHA3-").replace("-", "_"))()
    return found


class EccSigner:
    """A P-256 or P-384 key with the public area of an attestation key."""

    def __init__(self, curve: TPM_ECC = TPM_ECC.NIST_P256, hash_alg: TPM_ALG = TPM_ALG.SHA256) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1() if curve == TPM_ECC.NIST_P256 else ec.SECP384R1())
        self.hash_alg = hash_alg
        size, point = self.key.key_size // 8, self.key.public_key().public_numbers()
        self.public = TPMT_PUBLIC(
            TPM_ALG.ECC,
            TPM_ALG.SHA256,
            ATTRIBUTES,
            b"",
            TPMS_ECC_PARMS(
                NO_SYMMETRIC,
                TPMT_ECC_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(hash_alg)),
                curve,
                TPMT_KDF_SCHEME(TPM_ALG.NULL),
            ),
            TPMS_ECC_POINT(point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big")),
        )

    def sign(self, message: bytes, hash_alg: TPM_ALG | None = None) -> TPMT_SIGNATURE:
        """Signs any bytes."""
        alg = hash_alg or self.hash_alg
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(_hash(alg))))
        size = self.key.key_size // 8
        numbers = TPMS_SIGNATURE_ECC(alg, r.to_bytes(size, "big"), s.to_bytes(size, "big"))
        return TPMT_SIGNATURE(TPM_ALG.ECDSA, numbers)


class RsaSigner:
    """An RSA 2048 key with the public area of an attestation key."""

    def __init__(self, scheme: TPM_ALG = TPM_ALG.RSASSA) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.scheme = scheme
        modulus = self.key.public_key().public_numbers().n.to_bytes(256, "big")
        self.public = TPMT_PUBLIC(
            TPM_ALG.RSA,
            TPM_ALG.SHA256,
            ATTRIBUTES,
            b"",
            TPMS_RSA_PARMS(NO_SYMMETRIC, TPMT_RSA_SCHEME(scheme, TPMS_SCHEME_HASH(TPM_ALG.SHA256)), 2048),
            modulus,
        )

    def sign(self, message: bytes) -> TPMT_SIGNATURE:
        """Signs any bytes."""
        used: padding.AsymmetricPadding = padding.PKCS1v15()
        if self.scheme == TPM_ALG.RSAPSS:
            used = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        signed = self.key.sign(message, used, hashes.SHA256())
        return TPMT_SIGNATURE(self.scheme, TPMS_SIGNATURE_RSA(TPM_ALG.SHA256, signed))


def statement(nonce: bytes, selection: Any, digest: bytes, **changes: Any) -> TPMS_ATTEST:
    """A quote as a TPM states it; `changes` are to fields of the TPMS_ATTEST."""
    quote = TPMS_ATTEST(
        0xFF544347,
        TPM_ST.ATTEST_QUOTE,
        b"\0\x0b" + bytes(32),
        nonce,
        TPMS_CLOCK_INFO(12345, 7, 2, True),
        0x20240101,
        TPMS_QUOTE_INFO(selection, digest),
    )
    return quote.replace(**changes)
