"""Signatures by loaded keys: choice of the scheme, signing, verification (Part 3, §20; Part 1, Annexes B, C)."""

from typing import Any

from ..crypto.formulas import digest as hash_of
from ..crypto.formulas import digest_size, equal, hmac_digest
from ..crypto.ml_keys import digest_mu, message_mu
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.response_codes import TPM_RC
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_HASH_MLDSA_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLDSA_PARMS,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_HASH_MLDSA,
    TPMS_SIGNATURE_RSA,
    TPMT_HA,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
)
from . import ecc, postquantum, rsa
from .commitments import close_commitment, derive_commitment
from .ecc_schemes import sign_ecdaa, sign_schnorr, sign_sm2, verify_schnorr, verify_sm2
from .entities import KeyedObject
from .objects import rsa_key
from .observer import note, show_handle
from .refusal import Refusal, require
from .tpm_state import TpmState

__all__ = ["choose_scheme", "sign_digest", "sign_message", "verify_message", "verify_signature"]

BY_TYPE = {
    TPM_ALG.RSA: (TPM_ALG.RSASSA, TPM_ALG.RSAPSS),
    TPM_ALG.ECC: (TPM_ALG.ECDSA, TPM_ALG.ECDAA, TPM_ALG.SM2, TPM_ALG.ECSCHNORR),
    TPM_ALG.KEYEDHASH: (TPM_ALG.HMAC,),
}


def choose_scheme(key: KeyedObject, given: TPMT_SIG_SCHEME, field: str = "in_scheme") -> tuple[int, int]:
    """Returns (scheme, hash algorithm): those of the key, or those of the command if the key has none.

    `given` is the scheme in the command, `field` is its parameter name. Raises Refusal if the schemes conflict.
    """
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT), TPM_RC.KEY, "sign_handle")
    parameters = key.public.parameters
    if isinstance(parameters, (TPMS_MLDSA_PARMS, TPMS_HASH_MLDSA_PARMS)):
        require(given.scheme in (TPM_ALG.NULL, key.public.type), TPM_RC.SCHEME, field)
        # The digest of a quote by an ML-DSA key is computed with nameAlg (Errata 1 of version 1.85, §2.6).
        return key.public.type, int(getattr(parameters, "hash_alg", key.public.name_alg))
    scheme: Any = getattr(key.public.parameters, "scheme", None)
    own = scheme.scheme if scheme is not None else TPM_ALG.NULL
    if own == TPM_ALG.NULL:
        require(given.scheme in BY_TYPE.get(key.public.type, ()), TPM_RC.SCHEME, field)
        return given.scheme, int(getattr(given.details, "hash_alg", TPM_ALG.NULL))
    if given.scheme != TPM_ALG.NULL:
        require(given.scheme == own, TPM_RC.SCHEME, field)
        same = getattr(given.details, "hash_alg", None) == scheme.details.hash_alg
        require(same, TPM_RC.SCHEME, field)
    else:  # the command has the counter of TPM2_Commit
        require(own != TPM_ALG.ECDAA, TPM_RC.SCHEME, field)
    return own, int(scheme.details.hash_alg)


def sign_message(
    tpm: TpmState,
    key: KeyedObject,
    scheme: int,
    hash_alg: int,
    message: bytes,
    context: bytes = b"",
    count: int = 0,
) -> TPMT_SIGNATURE:
    """Returns the key's signature of a message, which all schemes but ML-DSA hash first.

    `context` is the context string of ML-DSA and HashML-DSA. `count` is the counter of TPM2_Commit, for ECDAA.
    Raises Refusal as `sign_digest` does.
    """
    if scheme == TPM_ALG.MLDSA:
        return sign_digest(tpm, key, scheme, hash_alg, message_mu(_read_unique(key), message, context))
    return sign_digest(tpm, key, scheme, hash_alg, hash_of(hash_alg, message), context, count)


def _read_unique(key: KeyedObject) -> bytes:
    assert isinstance(key.public.unique, bytes)
    return key.public.unique


def sign_digest(
    tpm: TpmState,
    key: KeyedObject,
    scheme: int,
    hash_alg: int,
    digest: bytes,
    context: bytes = b"",
    count: int = 0,
) -> TPMT_SIGNATURE:
    """Returns the key's signature of a digest; for ML-DSA, `digest` is Mu.

    `context` is the context string of HashML-DSA, `count` the counter of TPM2_Commit for ECDAA. Raises Refusal if
    the key or the scheme cannot sign.
    """
    assert key.sensitive is not None
    alg, parameters = TPM_ALG(scheme), key.public.parameters
    note("signature", f"{alg.name} by {show_handle(key.handle)} of the digest {digest.hex()}")
    if isinstance(parameters, TPMS_MLDSA_PARMS):
        return TPMT_SIGNATURE(alg, postquantum.sign_mu(parameters, key.sensitive.sensitive, digest))
    if isinstance(parameters, TPMS_HASH_MLDSA_PARMS):
        mu = digest_mu(_read_unique(key), parameters.hash_alg, digest, context)
        made = postquantum.sign_mu(parameters, key.sensitive.sensitive, mu)
        return TPMT_SIGNATURE(alg, TPMS_SIGNATURE_HASH_MLDSA(parameters.hash_alg, made))
    if scheme == TPM_ALG.HMAC:
        return TPMT_SIGNATURE(
            alg, TPMT_HA(TPM_ALG(hash_alg), hmac_digest(hash_alg, key.sensitive.sensitive, digest))
        )
    if isinstance(parameters, TPMS_ECC_PARMS):
        size = ecc.CURVES[parameters.curve_id].size
        r, s = _sign_on_curve(tpm, key, parameters, scheme, hash_alg, digest, count)
        first = r.to_bytes((r.bit_length() + 7) // 8 if scheme == TPM_ALG.ECDAA else size, "big")
        return TPMT_SIGNATURE(alg, TPMS_SIGNATURE_ECC(TPM_ALG(hash_alg), first, s.to_bytes(size, "big")))
    try:
        made = rsa.sign(rsa_key(key), scheme, hash_alg, digest, tpm.generator.bytes)
    except ValueError:
        raise Refusal(TPM_RC.SCHEME, "in_scheme") from None
    return TPMT_SIGNATURE(alg, TPMS_SIGNATURE_RSA(TPM_ALG(hash_alg), made))


def _sign_on_curve(
    tpm: TpmState,
    key: KeyedObject,
    parameters: TPMS_ECC_PARMS,
    scheme: int,
    hash_alg: int,
    digest: bytes,
    count: int,
) -> tuple[int, int]:
    """Returns a signature (r, s) by an ECC key. Raises Refusal if the ECDAA counter is not in use."""
    assert key.sensitive is not None
    curve, random = ecc.CURVES[parameters.curve_id], tpm.generator.bytes
    private = int.from_bytes(key.sensitive.sensitive, "big")
    if scheme == TPM_ALG.SM2:
        return sign_sm2(curve, private, digest, random)
    if scheme == TPM_ALG.ECSCHNORR:
        return sign_schnorr(curve, private, hash_alg, digest, random)
    if scheme == TPM_ALG.ECDAA:
        require(count in tpm.open_commits, TPM_RC.VALUE)
        secret = derive_commitment(tpm, curve, count, key.name)
        signed = sign_ecdaa(curve, private, hash_alg, digest, secret, random)
        close_commitment(tpm, count)
        return signed
    return ecc.sign(curve, private, digest, random)


def verify_message(
    key: KeyedObject, hash_alg: int, message: bytes, signature: TPMT_SIGNATURE, context: bytes
) -> bool:
    """Returns whether a signature of a message is valid. Raises Refusal if its scheme does not match the key."""
    if key.public.type == TPM_ALG.MLDSA:
        return verify_signature(key, message_mu(_read_unique(key), message, context), signature)
    return verify_signature(key, hash_of(hash_alg, message), signature, context)


def verify_signature(key: KeyedObject, digest: bytes, signature: TPMT_SIGNATURE, context: bytes = b"") -> bool:
    """Returns whether a signature of a digest is valid; for ML-DSA, `digest` is Mu.

    Raises Refusal if its scheme does not match the key.
    """
    value, parameters = signature.signature, key.public.parameters
    if isinstance(parameters, (TPMS_MLDSA_PARMS, TPMS_HASH_MLDSA_PARMS)):
        require(signature.sig_alg == key.public.type, TPM_RC.SCHEME)
        if isinstance(value, bytes):
            return postquantum.verify_mu(parameters, _read_unique(key), digest, value)
        assert isinstance(value, TPMS_SIGNATURE_HASH_MLDSA)
        require(value.hash == getattr(parameters, "hash_alg", None), TPM_RC.SCHEME)
        mu = digest_mu(_read_unique(key), value.hash, digest, context)
        return postquantum.verify_mu(parameters, _read_unique(key), mu, value.signature)
    require(key.public.type != TPM_ALG.KEYEDHASH or key.sensitive is not None, TPM_RC.HANDLE)
    require(signature.sig_alg in BY_TYPE.get(key.public.type, ()), TPM_RC.SCHEME)
    if isinstance(value, TPMS_SIGNATURE_ECC) and isinstance(parameters, TPMS_ECC_PARMS):
        curve = ecc.CURVES[parameters.curve_id]
        assert isinstance(key.public.unique, TPMS_ECC_POINT)
        point = ecc.to_point(curve, key.public.unique)
        r, s = int.from_bytes(value.signature_r, "big"), int.from_bytes(value.signature_s, "big")
        require(signature.sig_alg != TPM_ALG.ECDAA, TPM_RC.SCHEME)
        if point is None:
            return False
        if signature.sig_alg == TPM_ALG.SM2:
            return verify_sm2(curve, point, digest, r, s)
        if signature.sig_alg == TPM_ALG.ECSCHNORR:
            return verify_schnorr(curve, point, value.hash, digest, r, s)
        return ecc.verify(curve, point, digest, r, s)
    if isinstance(value, TPMS_SIGNATURE_RSA):
        if len(digest) != digest_size(value.hash):
            return False
        return rsa.verify(rsa_key(key), signature.sig_alg, value.hash, digest, value.sig)
    if isinstance(value, TPMT_HA) and isinstance(parameters, TPMS_KEYEDHASH_PARMS) and key.sensitive is not None:
        ours = hmac_digest(value.hash_alg, key.sensitive.sensitive, digest)
        return equal(ours, value.digest or b"")
    raise Refusal(TPM_RC.SCHEME)
