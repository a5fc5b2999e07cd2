"""Templates of the keys that sessions are salted to, and of a sealed object."""

from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SENSITIVE_CREATE,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)

__all__ = ["NO_SECRETS", "SALT_KEYS", "SEALED"]

STORAGE = (
    TPMA_OBJECT.FIXED_TPM
    | TPMA_OBJECT.FIXED_PARENT
    | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
    | TPMA_OBJECT.USER_WITH_AUTH
    | TPMA_OBJECT.NO_DA
    | TPMA_OBJECT.RESTRICTED
    | TPMA_OBJECT.DECRYPT
)
AES = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)
NO_SECRETS = TPMS_SENSITIVE_CREATE(b"", b"")


def ecc(curve: TPM_ECC, name_alg: TPM_ALG) -> TPMT_PUBLIC:
    scheme, kdf = TPMT_ECC_SCHEME(TPM_ALG.NULL), TPMT_KDF_SCHEME(TPM_ALG.NULL)
    empty = TPMS_ECC_POINT(b"", b"")
    return TPMT_PUBLIC(TPM_ALG.ECC, name_alg, STORAGE, b"", TPMS_ECC_PARMS(AES, scheme, curve, kdf), empty)


def rsa(name_alg: TPM_ALG, oaep_hash: TPM_ALG | None = None) -> TPMT_PUBLIC:
    """A storage key, or with `oaep_hash` a plain decryption key whose scheme is OAEP with that hash."""
    if oaep_hash is None:
        parameters, attributes = TPMS_RSA_PARMS(AES, TPMT_RSA_SCHEME(TPM_ALG.NULL), 2048), STORAGE
    else:
        scheme = TPMT_RSA_SCHEME(TPM_ALG.OAEP, TPMS_SCHEME_HASH(oaep_hash))
        parameters = TPMS_RSA_PARMS(TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), scheme, 2048)
        attributes = STORAGE & ~TPMA_OBJECT.RESTRICTED
    return TPMT_PUBLIC(TPM_ALG.RSA, name_alg, attributes, b"", parameters, b"")


SALT_KEYS = {
    "rsa-sha256": rsa(TPM_ALG.SHA256),
    "rsa-sha384": rsa(TPM_ALG.SHA384),
    "rsa-sha256-oaep-sha512": rsa(TPM_ALG.SHA256, TPM_ALG.SHA512),
    "p256-sha256": ecc(TPM_ECC.NIST_P256, TPM_ALG.SHA256),
    "p256-sha384": ecc(TPM_ECC.NIST_P256, TPM_ALG.SHA384),
    "p384-sha384": ecc(TPM_ECC.NIST_P384, TPM_ALG.SHA384),
}
SEALED = TPMT_PUBLIC(
    TPM_ALG.KEYEDHASH,
    TPM_ALG.SHA256,
    TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.USER_WITH_AUTH,
    b"",
    TPMS_KEYEDHASH_PARMS(TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL)),
    b"",
)
