"""Other names of the standard for declared types and constants, and names that need no declaration."""

__all__ = ["OTHER_NAMES", "SAME", "UNDECLARED"]

SAME = {
    "TPMS_SCHEME_HASH": """TPMS_SCHEME_HMAC TPMS_SIG_SCHEME_RSASSA TPMS_SIG_SCHEME_RSAPSS TPMS_SIG_SCHEME_ECDSA
    TPMS_SIG_SCHEME_SM2 TPMS_SIG_SCHEME_ECSCHNORR TPMS_SIG_SCHEME_EDDSA TPMS_SIG_SCHEME_EDDSA_PH
    TPMS_ENC_SCHEME_OAEP TPMS_KEY_SCHEME_ECDH TPMS_KEY_SCHEME_ECMQV TPMS_KEY_SCHEME_SM2 TPMS_SCHEME_MGF1
    TPMS_SCHEME_KDF1_SP800_56A TPMS_SCHEME_KDF2 TPMS_SCHEME_KDF1_SP800_108 TPMS_KDF_SCHEME_MGF1
    TPMS_KDF_SCHEME_KDF1_SP800_56A TPMS_KDF_SCHEME_KDF2 TPMS_KDF_SCHEME_KDF1_SP800_108""",
    "TPMS_SCHEME_ECDAA": "TPMS_SIG_SCHEME_ECDAA",
    "TPMS_EMPTY": "TPMS_ENC_SCHEME_RSAES",
    "TPMS_SIGNATURE_RSA": "TPMS_SIGNATURE_RSASSA TPMS_SIGNATURE_RSAPSS",
    "TPMS_SIGNATURE_ECC": """TPMS_SIGNATURE_ECDSA TPMS_SIGNATURE_ECDAA TPMS_SIGNATURE_SM2 TPMS_SIGNATURE_ECSCHNORR
    TPMS_SIGNATURE_EDDSA TPMS_SIGNATURE_EDDSA_PH""",
    "TPMI_RH_HIERARCHY": "TPMI_RH_BASE_HIERARCHY",
    "TPMI_RH_NV_INDEX": "TPMI_RH_NV_DEFINED_INDEX TPMI_RH_NV_LEGACY_INDEX TPMI_RH_NV_EXP_INDEX",
}
"""Types, and the other names of the standard for the same bytes."""

OTHER_NAMES = {name: real for real, names in SAME.items() for name in names.split()}

UNDECLARED = {
    "TPMA_X509_KEY_USAGE": "bits inside an X.509 certificate, which TPM2_CertifyX509 passes through",
    "TPM2B_CONTEXT_SENSITIVE": "the part of a saved context that the TPM encrypts; nobody else can read it",
    "TPMS_CONTEXT_DATA": "the part of a saved context that the TPM wraps; nobody else can read it",
    "TPM2B_PRIVATE_VENDOR_SPECIFIC": "a vendor's own form of a private key, inside TPM2B_PRIVATE",
    "TPMS_EMPTY": "no bytes on the wire",
    "TPMU_NAME": "a Name's parts; on the wire it is the buffer of TPM2B_NAME",
    "TPMU_ENCRYPTED_SECRET": "on the wire it is the buffer of TPM2B_ENCRYPTED_SECRET",
    "TPMU_KEM_CIPHERTEXT": "on the wire it is the buffer of TPM2B_KEM_CIPHERTEXT",
    "TPMU_SIGNATURE_CTX": "on the wire it is the buffer of TPM2B_SIGNATURE_CTX",
    "TPMU_SENSITIVE_CREATE": "on the wire it is the buffer of TPM2B_SENSITIVE_DATA",
    "TPMU_SYM_DETAILS": "empty for every algorithm",
    "TPMI_TDES_KEY_BITS": "a UINT16, the size of a key in bits",
    "TPMI_SM4_KEY_BITS": "a UINT16, the size of a key in bits",
    "TPMI_CAMELLIA_KEY_BITS": "a UINT16, the size of a key in bits",
    "TPMS_ASYM_PARMS": "the common beginning of TPMS_RSA_PARMS and TPMS_ECC_PARMS",
    "TPM2B_VENDOR_PROPERTY": "responses to TPM_CAP_VENDOR_PROPERTY are kept as bytes, because vendors differ",
    "TPMU_SET_CAPABILITIES": "no capability can be set yet; TPMS_SET_CAPABILITY_DATA keeps the bytes",
}
"""Types that need no declaration, with the reason."""
