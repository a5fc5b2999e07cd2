"""Templates of well-known primary keys, of the keys that tpmwire creates, and of any key by its name or purpose.

>>> from tpmwire import templates
>>> templates.signing("ecc384").type  # by purpose
TPM_ALG.ECC
>>> templates.parse_template("rsa2048:rsapss-sha256:null").type  # by the name that tpm2-tools uses
TPM_ALG.RSA

A primary key is derived from its hierarchy's seed and its template. Exactly the same bytes give the same key. The
templates are functions, so that a run creates only the templates that it needs.
"""

from __future__ import annotations

from ..spec.constants import TPM_ALG, TPM_ECC, TPM_HT, TPM_MLDSA, TPM_MLKEM, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLDSA_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .template_names import attestation, decryption, parse_template, signing, storage

_BY_NAME = ("attestation", "decryption", "parse_template", "signing", "storage")
__all__ = [
    "EK_POLICIES",
    "attestation",
    "decryption",
    "ek_ecc",
    "ek_mldsa",
    "ek_mlkem",
    "ek_rsa",
    "h1_primary",
    "h2_primary",
    "hmac_key",
    "parse_template",
    "rsa_parent_of",
    "sealed",
    "signing",
    "srk_ecc",
    "srk_rsa",
    "storage",
]

_PRIMARY = (
    TPMA_OBJECT.FIXED_TPM
    | TPMA_OBJECT.FIXED_PARENT
    | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
    | TPMA_OBJECT.RESTRICTED
    | TPMA_OBJECT.DECRYPT
)
# The storage primary usually has an empty authValue, so a lockout would protect nothing.
_STORAGE = _PRIMARY | TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA
_ENDORSEMENT = _PRIMARY | TPMA_OBJECT.ADMIN_WITH_POLICY

# The digest of PolicySecret(TPM_RH_ENDORSEMENT) in SHA-256: PolicyA of the EK profile, B.6.2.
_EK_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")

# PolicyB of the EK profile for the hash of each ML-KEM and ML-DSA parameter set: PolicyA or an authorized policy.
EK_POLICIES = {
    1: (TPM_ALG.SHA256, "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"),
    2: (
        TPM_ALG.SHA384,
        "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
    ),
    3: (
        TPM_ALG.SHA512,
        "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
        "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea",
    ),
}


def _aes128() -> TPMT_SYM_DEF_OBJECT:
    return TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)


def _ecc(attributes: TPMA_OBJECT, policy: bytes, zeros: int) -> TPMT_PUBLIC:
    parameters = TPMS_ECC_PARMS(
        _aes128(), TPMT_ECC_SCHEME(TPM_ALG.NULL), TPM_ECC.NIST_P256, TPMT_KDF_SCHEME(TPM_ALG.NULL)
    )
    unique = TPMS_ECC_POINT(bytes(zeros), bytes(zeros))
    return TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, attributes, policy, parameters, unique)


def _rsa(attributes: TPMA_OBJECT, policy: bytes, zeros: int) -> TPMT_PUBLIC:
    parameters = TPMS_RSA_PARMS(_aes128(), TPMT_RSA_SCHEME(TPM_ALG.NULL), 2048)
    return TPMT_PUBLIC(TPM_ALG.RSA, TPM_ALG.SHA256, attributes, policy, parameters, bytes(zeros))


def h2_primary() -> TPMT_PUBLIC:
    """Returns the template of the P-256 primary key that is the parent in key files that name only a hierarchy.

    This is TCG template H-2 with an empty `unique` (Bottomley, "TPM 2.0 Key Files", `parent`). tpm2_createprimary
    creates the key with `-G ecc -g sha256 -a
    "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"` and `-u` of two zero bytes.
    """
    return _ecc(_STORAGE, b"", 0)


def h1_primary() -> TPMT_PUBLIC:
    """Returns the template of the RSA 2048 primary key that is the parent in key files with rsaParent."""
    return _rsa(_STORAGE, b"", 0)


def rsa_parent_of(parent: int, public: TPMT_PUBLIC) -> bool | None:
    """Returns rsaParent for a key file whose parent has this handle or hierarchy, and this public area.

    Returns True for the standard RSA primary key. Returns None (absent) for other parents, because some programs
    refuse False.
    """
    standard = h1_primary()
    is_created = parent >> 24 == TPM_HT.PERMANENT
    return True if is_created and public.replace(unique=standard.unique) == standard else None


def srk_ecc() -> TPMT_PUBLIC:
    """Returns the template of the P-256 storage root key (TCG TPM v2.0 Provisioning Guidance, §7.5.1).

    The key is usually at 0x81000001.
    """
    return _ecc(_STORAGE, b"", 32)


def srk_rsa() -> TPMT_PUBLIC:
    """Returns the template of the RSA 2048 storage root key (TCG TPM v2.0 Provisioning Guidance, §7.5.1).

    The key is often at 0x81000001.
    """
    return _rsa(_STORAGE, b"", 256)


def ek_rsa() -> TPMT_PUBLIC:
    """Returns the template of the RSA 2048 endorsement key (TCG EK Credential Profile, template L-1).

    The key is usually at 0x81010001.
    """
    return _rsa(_ENDORSEMENT, _EK_POLICY, 256)


def ek_ecc() -> TPMT_PUBLIC:
    """Returns the template of the P-256 endorsement key (TCG EK Credential Profile, template L-2).

    The key is usually at 0x81010002.
    """
    return _ecc(_ENDORSEMENT, _EK_POLICY, 32)


def ek_mlkem(parameter_set: TPM_MLKEM = TPM_MLKEM.MLKEM_768) -> TPMT_PUBLIC:
    """Returns the template of an ML-KEM endorsement key (TCG EK Credential Profile 2.7, H-26 to H-28)."""
    name_alg, policy = EK_POLICIES[parameter_set]
    bits = 128 if parameter_set == TPM_MLKEM.MLKEM_512 else 256
    parameters = TPMS_MLKEM_PARMS(TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, bits, TPM_ALG.CFB), parameter_set)
    return TPMT_PUBLIC(TPM_ALG.MLKEM, name_alg, _ENDORSEMENT, bytes.fromhex(policy), parameters, b"")


def ek_mldsa(parameter_set: TPM_MLDSA = TPM_MLDSA.MLDSA_65) -> TPMT_PUBLIC:
    """Returns the template of an ML-DSA endorsement key, which signs (EK Credential Profile 2.7, H-32 to H-34)."""
    name_alg, policy = EK_POLICIES[parameter_set]
    attributes = (_ENDORSEMENT & ~TPMA_OBJECT.DECRYPT) | TPMA_OBJECT.SIGN_ENCRYPT
    return TPMT_PUBLIC(
        TPM_ALG.MLDSA, name_alg, attributes, bytes.fromhex(policy), TPMS_MLDSA_PARMS(parameter_set), b""
    )


def hmac_key(
    auth_policy: bytes = b"",
    *,
    with_auth: bool = True,
    hash_alg: TPM_ALG = TPM_ALG.SHA256,
    generated: bool = False,
) -> TPMT_PUBLIC:
    """Returns the template of an HMAC key that cannot be duplicated, for TPM2_Create.

    TPM2_Create gets the key's bytes in `inSensitive.data`, or the TPM generates them if `generated` is true.
    `hash_alg` is the hash of the HMAC. `auth_policy` is a SHA-256 digest, because nameAlg is SHA-256. A key with a
    policy is authorized by its policy only. `with_auth` is true if the key has an authValue, for authorization
    directly or through its policy. Wrong authValues then count towards the dictionary attack lockout (Part 1,
    §19.8.2). If `with_auth` is false, noDA is set, and a lockout does not block the key.
    """
    attributes = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.SIGN_ENCRYPT
    if not auth_policy:
        attributes |= TPMA_OBJECT.USER_WITH_AUTH
    if not with_auth:
        attributes |= TPMA_OBJECT.NO_DA
    if generated:
        attributes |= TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
    scheme = TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, TPMS_SCHEME_HASH(hash_alg))
    return TPMT_PUBLIC(
        TPM_ALG.KEYEDHASH, TPM_ALG.SHA256, attributes, auth_policy, TPMS_KEYEDHASH_PARMS(scheme), b""
    )


def sealed(auth_policy: bytes = b"") -> TPMT_PUBLIC:
    """Returns the template of a sealed data object, for TPM2_Create (Part 1, §27.6).

    TPM2_Create gets the data in `inSensitive.data`. `auth_policy` is a SHA-256 digest. An object with a policy is
    unsealed by its policy only. noDA is not set, so wrong guesses of an authValue count towards the dictionary
    attack lockout.
    """
    attributes = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT
    if not auth_policy:
        attributes |= TPMA_OBJECT.USER_WITH_AUTH
    parameters = TPMS_KEYEDHASH_PARMS(TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL))
    return TPMT_PUBLIC(TPM_ALG.KEYEDHASH, TPM_ALG.SHA256, attributes, auth_policy, parameters, b"")


def __getattr__(name: str) -> object:
    # Loaded at first use: a credential run must not load the templates of other keys.
    from . import template_names

    if name in _BY_NAME:
        return getattr(template_names, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
