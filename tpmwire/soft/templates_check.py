"""Checks a public area before an object is created, loaded or imported (Part 1, §25; Part 3, §12.1)."""

from ..crypto.formulas import digest_size
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.response_codes import TPM_RC
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_HASH_MLDSA_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLDSA_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_XOR,
    TPMS_SYMCIPHER_PARMS,
    TPMT_PUBLIC,
    TPMT_SYM_DEF_OBJECT,
)
from . import ecc, postquantum
from .entities import KeyedObject
from .refusal import require

__all__ = ["check_creation", "check_public", "check_scheme", "check_unique", "is_asymmetric"]

A = TPMA_OBJECT
SIGN_SCHEMES = (
    TPM_ALG.RSASSA,
    TPM_ALG.RSAPSS,
    TPM_ALG.ECDSA,
    TPM_ALG.ECDAA,
    TPM_ALG.SM2,
    TPM_ALG.ECSCHNORR,
)
DECRYPT_SCHEMES = (TPM_ALG.RSAES, TPM_ALG.OAEP, TPM_ALG.ECDH, TPM_ALG.SM2, TPM_ALG.ECMQV)


def is_asymmetric(public: TPMT_PUBLIC) -> bool:
    """Returns whether a public area is that of an RSA, ECC, ML-KEM or ML-DSA key."""
    return public.type in (TPM_ALG.RSA, TPM_ALG.ECC, TPM_ALG.MLKEM, TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA)


def check_creation(public: TPMT_PUBLIC, data: bytes, parent: KeyedObject | None) -> None:
    """Raises Refusal unless the TPM can create an object from the template. `data` is the caller's data."""
    attributes = public.object_attributes
    origin = bool(attributes & A.SENSITIVE_DATA_ORIGIN)
    # A primary object derives from the caller's data too, so that they do not replace the TPM's.
    require(origin or data, TPM_RC.ATTRIBUTES)
    require(parent is None or not (origin and data), TPM_RC.ATTRIBUTES)
    if public.type == TPM_ALG.KEYEDHASH:
        require(attributes & (A.SIGN_ENCRYPT | A.DECRYPT) or not origin, TPM_RC.ATTRIBUTES)
    if is_asymmetric(public):
        require(origin, TPM_RC.ATTRIBUTES)
    elif attributes & A.RESTRICTED:
        require(origin or not attributes & (A.FIXED_TPM | A.FIXED_PARENT), TPM_RC.ATTRIBUTES)
    check_public(public, parent)


def check_unique(public: TPMT_PUBLIC, alone: bool) -> None:
    """Raises Refusal unless an external public key is valid. `alone` is true without the private key."""
    parameters, unique = public.parameters, public.unique
    if isinstance(parameters, postquantum.MlParameters):
        assert isinstance(unique, bytes)
        require(len(unique) == postquantum.public_key_size(parameters), TPM_RC.KEY)
    elif isinstance(parameters, TPMS_RSA_PARMS):
        assert isinstance(unique, bytes)
        require(8 * len(unique) == parameters.key_bits and unique[0] >= 0x80, TPM_RC.KEY)
        require(parameters.exponent == 0 or parameters.exponent >= 7, TPM_RC.VALUE)
    elif isinstance(parameters, TPMS_ECC_PARMS) and alone:
        assert isinstance(unique, TPMS_ECC_POINT)
        curve = ecc.CURVES[parameters.curve_id]
        require(len(unique.x) == len(unique.y) == curve.size, TPM_RC.KEY)
        require(public.name_alg == TPM_ALG.NULL or ecc.to_point(curve, unique), TPM_RC.ECC_POINT)


def check_scheme(public: TPMT_PUBLIC) -> None:
    """Raises Refusal unless the scheme of an external public area is consistent with its attributes."""
    attributes = public.object_attributes
    signs, decrypts = bool(attributes & A.SIGN_ENCRYPT), bool(attributes & A.DECRYPT)
    _check_scheme(public, None, signs, decrypts, bool(attributes & A.RESTRICTED))


def check_public(public: TPMT_PUBLIC, parent: KeyedObject | None, primary: bool = True) -> None:
    """Raises Refusal unless a public area is consistent, and consistent with its parent.

    An object without a parent is a primary object if `primary` is true, else an external object. The fixedTPM
    attribute of an external object is not checked.
    """
    attributes = public.object_attributes
    if public.auth_policy:
        require(public.name_alg != TPM_ALG.NULL, TPM_RC.SIZE)
        require(len(public.auth_policy) == digest_size(public.name_alg), TPM_RC.SIZE)
    fixed_tpm, fixed_parent = bool(attributes & A.FIXED_TPM), bool(attributes & A.FIXED_PARENT)
    if (parent is None and primary) or (parent is not None and parent.has(A.FIXED_TPM)):
        require(fixed_tpm == fixed_parent, TPM_RC.ATTRIBUTES)
    else:
        require(not fixed_tpm, TPM_RC.ATTRIBUTES)
    signs, decrypts = bool(attributes & A.SIGN_ENCRYPT), bool(attributes & A.DECRYPT)
    restricted = bool(attributes & A.RESTRICTED)
    if signs == decrypts:
        require(not restricted, TPM_RC.ATTRIBUTES)
        require(signs or public.type == TPM_ALG.KEYEDHASH, TPM_RC.ATTRIBUTES)
    if attributes & A.ENCRYPTED_DUPLICATION:
        require(not fixed_tpm, TPM_RC.ATTRIBUTES)
    if parent is not None and not parent.has(A.FIXED_TPM):
        same = parent.has(A.ENCRYPTED_DUPLICATION) == bool(attributes & A.ENCRYPTED_DUPLICATION)
        require(same, TPM_RC.ATTRIBUTES)
    _check_scheme(public, parent, signs, decrypts, restricted)


def _check_scheme(
    public: TPMT_PUBLIC, parent: KeyedObject | None, signs: bool, decrypts: bool, restricted: bool
) -> None:
    parameters = public.parameters
    if isinstance(parameters, TPMS_SYMCIPHER_PARMS):
        require(parameters.sym.algorithm != TPM_ALG.NULL, TPM_RC.SYMMETRIC)
        require(not decrypts or parameters.sym.mode != TPM_ALG.CMAC, TPM_RC.SCHEME)
        if restricted and decrypts:
            _check_like_parent(parameters.sym, public, parent)
    elif isinstance(parameters, TPMS_KEYEDHASH_PARMS):
        _check_keyed_hash(parameters, signs, decrypts, restricted)
    elif isinstance(parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS)):
        _check_asymmetric(parameters, signs, decrypts, restricted)
        if restricted and decrypts:
            _check_storage(parameters.symmetric, public, parent)
        else:
            require(parameters.symmetric.algorithm == TPM_ALG.NULL, TPM_RC.SYMMETRIC)
        if isinstance(parameters, TPMS_ECC_PARMS):
            # HKDF is the key derivation of TPM2_Encapsulate (Part 2, §11.2.3.2).
            kem = decrypts and not restricted and parameters.kdf.scheme == TPM_ALG.HKDF
            require(kem or parameters.kdf.scheme == TPM_ALG.NULL, TPM_RC.KDF)
    elif isinstance(parameters, TPMS_MLKEM_PARMS):
        require(decrypts and not signs, TPM_RC.ATTRIBUTES)
        if restricted:
            _check_storage(parameters.symmetric, public, parent)
        else:
            require(parameters.symmetric.algorithm == TPM_ALG.NULL, TPM_RC.SYMMETRIC)
    elif isinstance(parameters, (TPMS_MLDSA_PARMS, TPMS_HASH_MLDSA_PARMS)):
        require(signs and not decrypts, TPM_RC.ATTRIBUTES)
        if isinstance(parameters, TPMS_HASH_MLDSA_PARMS):
            require(parameters.hash_alg in postquantum.PREHASHES, TPM_RC.HASH)


def _check_keyed_hash(parameters: TPMS_KEYEDHASH_PARMS, signs: bool, decrypts: bool, restricted: bool) -> None:
    scheme = parameters.scheme
    if signs == decrypts:
        require(scheme.scheme == TPM_ALG.NULL, TPM_RC.SCHEME)
    elif signs:
        require(scheme.scheme == TPM_ALG.HMAC, TPM_RC.SCHEME)
    else:
        require(scheme.scheme == TPM_ALG.XOR, TPM_RC.SCHEME)
        if restricted and isinstance(scheme.details, TPMS_SCHEME_XOR):
            require(scheme.details.kdf == TPM_ALG.KDF1_SP800_108, TPM_RC.SCHEME)


def _check_asymmetric(
    parameters: TPMS_RSA_PARMS | TPMS_ECC_PARMS, signs: bool, decrypts: bool, restricted: bool
) -> None:
    scheme = parameters.scheme.scheme
    if signs == decrypts or (restricted and decrypts):
        require(scheme == TPM_ALG.NULL, TPM_RC.SCHEME)
    elif signs:
        require(scheme in SIGN_SCHEMES or (scheme == TPM_ALG.NULL and not restricted), TPM_RC.SCHEME)
    else:
        require(scheme in DECRYPT_SCHEMES or scheme == TPM_ALG.NULL, TPM_RC.SCHEME)


def _check_storage(symmetric: TPMT_SYM_DEF_OBJECT, public: TPMT_PUBLIC, parent: KeyedObject | None) -> None:
    """Raises Refusal unless the symmetric algorithm of a storage key can protect children (Part 1, §23.4)."""
    require(symmetric.algorithm != TPM_ALG.NULL, TPM_RC.SYMMETRIC)
    require(symmetric.mode == TPM_ALG.CFB, TPM_RC.SYMMETRIC)
    _check_like_parent(symmetric, public, parent)


def _check_like_parent(symmetric: TPMT_SYM_DEF_OBJECT, public: TPMT_PUBLIC, parent: KeyedObject | None) -> None:
    """Raises Refusal unless a storage key with fixedParent has its parent's nameAlg and symmetric algorithm."""
    if parent is None or not public.object_attributes & A.FIXED_PARENT:
        return
    require(public.name_alg == parent.public.name_alg, TPM_RC.HASH)
    parameters = parent.public.parameters
    if isinstance(parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS, TPMS_MLKEM_PARMS)):
        require(symmetric == parameters.symmetric, TPM_RC.SYMMETRIC)
