"""Signs policies with a private key outside the TPM (RSA or a NIST curve)."""

from typing import Any

from ..errors import PolicyError
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_RSA_PARMS, TPMS_SIGNATURE_ECC, TPMS_SIGNATURE_RSA, TPMT_PUBLIC, TPMT_SIGNATURE
from .approvals import PolicyAuthorize, PolicySigned
from .policy import Policy
from .signer import public_area

__all__ = ["approve", "assert_signed", "sign_policy"]


def approve(
    key: Any,
    policy: Policy,
    policy_ref: bytes = b"",
    alg: TPM_ALG = TPM_ALG.SHA256,
    public: TPMT_PUBLIC | None = None,
) -> Policy:
    """Returns `policy` followed by a PolicyAuthorize with the signature of `key`.

    The result can be used with any TPM key whose policy trusts `key`. `alg` is the hash of the policy, and the
    nameAlg of the TPM key. `public` is the signer's public area if it differs from the result of `public_area`.
    Raises PolicyError if `key` is not a supported private key, or if only the TPM knows the policy's digest.
    """
    statement = PolicyAuthorize(public or public_area(key), policy_ref)
    signature = sign_policy(key, statement.signed_digest(policy.digest(alg)), statement.key_sign)
    return Policy(*policy.statements, statement.replace(signature=signature))


def assert_signed(key: Any, policy_ref: bytes = b"") -> PolicySigned:
    """Returns a PolicySigned with the signature of `key`, valid for any session and command.

    Raises PolicyError if `key` is not a supported private key.
    """
    statement = PolicySigned(public_area(key), policy_ref)
    return statement.replace(signature=sign_policy(key, statement.signed_digest(), statement.key_sign))


def sign_policy(key: Any, digest: bytes, public: TPMT_PUBLIC) -> TPMT_SIGNATURE:
    """Returns the signature of aHash by a private key, with the scheme and nameAlg of the signer's public area.

    Raises PolicyError if `key` is not an RSA or ECC private key.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    alg = TPM_ALG(public.name_alg)
    kind = getattr(hashes, alg.name)()
    prehashed = utils.Prehashed(kind)
    if isinstance(key, rsa.RSAPrivateKey):
        assert isinstance(public.parameters, TPMS_RSA_PARMS)
        scheme = public.parameters.scheme.scheme
        if scheme == TPM_ALG.RSAPSS:
            signature = key.sign(digest, padding.PSS(padding.MGF1(kind), kind.digest_size), prehashed)
        else:
            signature = key.sign(digest, padding.PKCS1v15(), prehashed)
            scheme = TPM_ALG.RSASSA
        return TPMT_SIGNATURE(scheme, TPMS_SIGNATURE_RSA(alg, signature))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        numbers = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(prehashed)))
        r, s = (number.to_bytes(size, "big") for number in numbers)
        return TPMT_SIGNATURE(TPM_ALG.ECDSA, TPMS_SIGNATURE_ECC(alg, r, s))
    raise PolicyError("a public key cannot sign; give the private key")
