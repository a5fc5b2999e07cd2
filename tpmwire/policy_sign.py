"""Signatures for policies, made with a private key outside the TPM (PEM; RSA or a NIST curve)."""

from typing import Any

from .approvals import PolicyAuthorize, PolicySigned
from .errors import PolicyError
from .policy import Policy
from .spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from .spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SIGNATURE,
    TPMT_SYM_DEF_OBJECT,
)

__all__ = ["approve", "assert_signed", "load_key", "public_area"]

_CURVES = {"secp256r1": TPM_ECC.NIST_P256, "secp384r1": TPM_ECC.NIST_P384, "secp521r1": TPM_ECC.NIST_P521}
_ATTRIBUTES = TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.SIGN_ENCRYPT
_NONE = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)


def load_key(pem: bytes, password: bytes | None = None) -> Any:
    """The private or, where there is only that, the public key in PEM. Raises PolicyError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        if b"PUBLIC KEY-----" in pem and b"PRIVATE KEY-----" not in pem:
            return serialization.load_pem_public_key(pem)
        return serialization.load_pem_private_key(pem, password)
    except TypeError as error:
        raise PolicyError("the signing key is encrypted, or is not and got a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PolicyError("this is no signing key: give an RSA or NIST-curve key in PEM") from error


def public_area(key: Any) -> TPMT_PUBLIC:
    """The public area by which a TPM knows a key of `load_key`, with SHA-256 as nameAlg. Raises PolicyError."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    public = key.public_key() if hasattr(key, "public_key") else key
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        size = public.key_size
        if size not in (2048, 3072, 4096):
            raise PolicyError(f"an RSA key of {size} bits, which TPMs do not take: 2048, 3072 or 4096")
        rsa_parms = TPMS_RSA_PARMS(
            _NONE, TPMT_RSA_SCHEME(TPM_ALG.NULL), size, 0 if numbers.e == 65537 else numbers.e
        )
        unique = numbers.n.to_bytes(size // 8, "big")
        return TPMT_PUBLIC(TPM_ALG.RSA, TPM_ALG.SHA256, _ATTRIBUTES, b"", rsa_parms, unique)
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        size = (public.key_size + 7) // 8
        point = public.public_numbers()
        ecc_parms = TPMS_ECC_PARMS(
            _NONE, TPMT_ECC_SCHEME(TPM_ALG.NULL), _CURVES[public.curve.name], TPMT_KDF_SCHEME(TPM_ALG.NULL)
        )
        where = TPMS_ECC_POINT(point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big"))
        return TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, _ATTRIBUTES, b"", ecc_parms, where)
    raise PolicyError("a signing key is RSA, or on the curve P-256, P-384 or P-521")


def approve(key: Any, policy: Policy, policy_ref: bytes = b"", alg: TPM_ALG = TPM_ALG.SHA256) -> Policy:
    """The policy with the key's approval behind it: an alternative for any key that trusts this signer.

    `alg` is the hash of the policy, which is the nameAlg of what it protects. Raises PolicyError.
    """
    statement = PolicyAuthorize(public_area(key), policy_ref)
    signature = _signature(key, statement.signed_digest(policy.digest(alg)))
    return Policy(*policy.statements, statement.replace(signature=signature))


def assert_signed(key: Any, policy_ref: bytes = b"") -> PolicySigned:
    """PolicySigned with the key's signature, good for any session and command. Raises PolicyError."""
    statement = PolicySigned(public_area(key), policy_ref)
    return statement.replace(signature=_signature(key, statement.signed_digest()))


def _signature(key: Any, digest: bytes) -> TPMT_SIGNATURE:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    prehashed = utils.Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        octets = key.sign(digest, padding.PKCS1v15(), prehashed)
        return TPMT_SIGNATURE(TPM_ALG.RSASSA, TPMS_SIGNATURE_RSA(TPM_ALG.SHA256, octets))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        numbers = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(prehashed)))
        r, s = (number.to_bytes(size, "big") for number in numbers)
        return TPMT_SIGNATURE(TPM_ALG.ECDSA, TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, r, s))
    raise PolicyError("a public key cannot sign: give the private key")
