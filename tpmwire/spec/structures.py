"""TPM 2.0 Part 2, §9 to §15: structures and tagged unions, in the standard's order and with its names.

A union is a table from selector to member; the enclosing structure names the selector field. TPMU_…_TYPE is the
Python type of its members. TPMU_…_MEMBERS, for type checkers only, has the attributes of all members (see
`descriptors.UnionOf`). The modules `capabilities`, `storage` (NV) and `attestation` contain the structures that
only some commands need.
"""

from ..record import ABSENT, NO_BYTES, SECRET, Buffer, ListOf, OneOf, Record, UnionOf, declare
from ..typed import Annotated
from ..wires import EMPTY, Counted, Fixed, Number, Sized, SizedRecord, YesNo, select
from .constants import (
    TPM_ALG,
    TPM_CC,
    TPM_ECC,
    TPM_MLDSA,
    TPM_MLKEM,
    TPM_RH,
    TPM_SE,
    TPM_ST,
    TPM_SU,
    TPMA_LOCALITY,
    TPMA_OBJECT,
    TPMA_SESSION,
)
from .versioned import Versioned

# Sizes that an implementation chooses; these are upper bounds over known TPMs (Part 2, Annex A and B).
MAX_DIGEST = 64
MAX_SYM_DATA = 256
MAX_RSA_KEY_BYTES = 512
MAX_ECC_KEY_BYTES = 128
MAX_EDDSA_SIGNATURE = 256
MAX_MLKEM_PUBLIC = 1568
MAX_MLDSA_PUBLIC = 2592
MAX_MLDSA_SIGNATURE = 4627
MAX_KEM_CIPHERTEXT = 2048

# §5, §6: numbers
UINT8 = Annotated[int, Number(1)]
UINT16 = Annotated[int, Number(2)]
UINT32 = Annotated[int, Number(4)]
UINT64 = Annotated[int, Number(8)]
TPM_ALG_ID = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPM_ECC_CURVE = Annotated[TPM_ECC, Number(2, TPM_ECC)]
TPM_CC_ID = Annotated[TPM_CC, Number(4, TPM_CC)]
TPM_ST_ID = Annotated[TPM_ST, Number(2, TPM_ST)]
TPM_SU_ID = Annotated[TPM_SU, Number(2, TPM_SU)]
TPM_SE_ID = Annotated[TPM_SE, Number(1, TPM_SE)]
TPM_RC_ID = Annotated[int, Number(4)]
TPMA_OBJECT_BITS = Annotated[TPMA_OBJECT, Number(4, TPMA_OBJECT)]
TPMA_SESSION_BITS = Annotated[TPMA_SESSION, Number(1, TPMA_SESSION)]
TPMA_LOCALITY_BITS = Annotated[TPMA_LOCALITY, Number(1, TPMA_LOCALITY)]

# §7: handles
TPM_HANDLE = Annotated[int, Number(4)]

# §9: interface types. The TPM decides which values are valid. Each type has its own wire, so that explanations
# show its name.
TPMI_YES_NO = Annotated[bool, YesNo()]
TPMI_DH_OBJECT = Annotated[int, Number(4)]
TPMI_DH_PARENT = Annotated[int, Number(4)]
TPMI_DH_PERSISTENT = Annotated[int, Number(4)]
TPMI_DH_ENTITY = Annotated[int, Number(4)]
TPMI_DH_PCR = Annotated[int, Number(4)]
TPMI_SH_AUTH_SESSION = Annotated[int, Number(4)]
TPMI_SH_HMAC = Annotated[int, Number(4)]
TPMI_SH_POLICY = Annotated[int, Number(4)]
TPMI_DH_CONTEXT = Annotated[int, Number(4)]
TPMI_DH_SAVED = Annotated[int, Number(4)]
TPMI_RH_HIERARCHY = Annotated[int, Number(4)]
TPMI_RH_HIERARCHY_AUTH = Annotated[int, Number(4)]
TPMI_RH_HIERARCHY_POLICY = Annotated[int, Number(4)]
TPMI_RH_OWNER = Annotated[int, Number(4)]
TPMI_RH_PROVISION = Annotated[int, Number(4)]
TPMI_RH_CLEAR = Annotated[int, Number(4)]
TPMI_RH_LOCKOUT = Annotated[int, Number(4)]
TPMI_RH_PLATFORM = Annotated[int, Number(4)]
TPMI_RH_ENDORSEMENT = Annotated[int, Number(4)]
TPMI_RH_ENABLES = Annotated[int, Number(4)]
TPMI_RH_NV_AUTH = Annotated[int, Number(4)]
TPMI_RH_NV_INDEX = Annotated[int, Number(4)]
TPMI_RH_AC = Annotated[int, Number(4)]
TPMI_RH_ACT = Annotated[int, Number(4)]
TPMI_ALG_HASH = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_ASYM = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_SYM = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_SYM_OBJECT = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_SYM_MODE = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_KDF = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_SIG_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_MAC_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_CIPHER_MODE = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ECC_KEY_EXCHANGE = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_ASYM_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_RSA_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_RSA_DECRYPT = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_ECC_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_KEYEDHASH_SCHEME = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ALG_PUBLIC = Annotated[TPM_ALG, Number(2, TPM_ALG)]
TPMI_ECC_CURVE = Annotated[TPM_ECC, Number(2, TPM_ECC)]
TPMI_MLKEM_PARMS = Annotated[TPM_MLKEM, Number(2, TPM_MLKEM)]
TPMI_MLDSA_PARMS = Annotated[TPM_MLDSA, Number(2, TPM_MLDSA)]
TPMI_ST_COMMAND_TAG = Annotated[TPM_ST, Number(2, TPM_ST)]
TPMI_RSA_KEY_BITS = Annotated[int, Number(2)]
TPMI_AES_KEY_BITS = Annotated[int, Number(2)]

# §10.3: digests
TPMU_HA = {
    TPM_ALG.SHA1: Fixed(20),
    TPM_ALG.SHA256: Fixed(32),
    TPM_ALG.SHA384: Fixed(48),
    TPM_ALG.SHA512: Fixed(64),
    TPM_ALG.SM3_256: Fixed(32),
    TPM_ALG.SHA3_256: Fixed(32),
    TPM_ALG.SHA3_384: Fixed(48),
    TPM_ALG.SHA3_512: Fixed(64),
    TPM_ALG.SHA256_192: Fixed(24),
    TPM_ALG.SHAKE256_192: Fixed(24),
    TPM_ALG.SHAKE256_256: Fixed(32),
    TPM_ALG.SHAKE256_512: Fixed(64),
    TPM_ALG.NULL: EMPTY,
}


class TPMT_HA(Record):
    """A digest with its algorithm (§10.3.2)."""

    hash_alg: TPMI_ALG_HASH
    digest: Annotated[OneOf[bytes | None], select("hash_alg", TPMU_HA)]


# §10.4: sized buffers
TPM2B_DIGEST = Annotated[Buffer, Sized(MAX_DIGEST)]
TPM2B_DATA = Annotated[Buffer, Sized(MAX_DIGEST + 2)]
TPM2B_NONCE = Annotated[Buffer, Sized(MAX_DIGEST)]
TPM2B_AUTH = Annotated[Buffer, Sized(MAX_DIGEST), SECRET]
TPM2B_OPERAND = Annotated[Buffer, Sized(MAX_DIGEST)]
TPM2B_EVENT = Annotated[Buffer, Sized(1024)]
TPM2B_MAX_BUFFER = Annotated[Buffer, Sized()]
TPM2B_TIMEOUT = Annotated[Buffer, Sized(8)]
TPM2B_IV = Annotated[Buffer, Sized(16)]
TPM2B_SHARED_SECRET = Annotated[Buffer, Sized(MAX_DIGEST), SECRET]
TPM2B_KEM_CIPHERTEXT = Annotated[Buffer, Sized(MAX_KEM_CIPHERTEXT)]
TPM2B_NAME = Annotated[Buffer, Sized(MAX_DIGEST + 2)]


# §10.6: PCR
class TPMS_PCR_SELECT(Record):
    """A bit map of PCRs, without a bank (§10.6.1)."""

    pcr_select: Annotated[bytes, Sized(size=1)]


class TPMS_PCR_SELECTION(Record):
    """PCRs of one bank, one bit each: PCR n is bit n % 8 of byte n // 8 (§10.6.2)."""

    hash: TPMI_ALG_HASH
    pcr_select: Annotated[bytes, Sized(size=1)]


# §10.7: tickets
class TPMT_TK_CREATION(Record):
    """Proof that the TPM created an object (§10.7.3)."""

    tag: TPM_ST_ID
    hierarchy: TPMI_RH_HIERARCHY
    digest: TPM2B_DIGEST


TPMU_TK_VERIFIED_META = {
    TPM_ST.VERIFIED: EMPTY,
    TPM_ST.MESSAGE_VERIFIED: EMPTY,
    # wolfTPM 4 has no metadata in a NULL ticket.
    TPM_ST.DIGEST_VERIFIED: Versioned(frozenset((0,)), EMPTY, TPM_ALG_ID),
}


class TPMT_TK_VERIFIED(Record):
    """Proof that the TPM verified a signature (§10.7.4).

    Versions before 1.85 call the field `hmac` digest, and have no field `metadata`, which is empty for the old
    tag.
    """

    tag: TPM_ST_ID
    hierarchy: TPMI_RH_HIERARCHY
    metadata: Annotated[OneOf[TPM_ALG | None], select("tag", TPMU_TK_VERIFIED_META)] = ABSENT
    hmac: TPM2B_DIGEST = NO_BYTES

    @property
    def digest(self) -> bytes:
        """The field `hmac`, under its name in versions before 1.85."""
        return self.hmac


class TPMT_TK_AUTH(Record):
    """Proof that a policy authorization was given (§10.7.5)."""

    tag: TPM_ST_ID
    hierarchy: TPMI_RH_HIERARCHY
    digest: TPM2B_DIGEST


class TPMT_TK_HASHCHECK(Record):
    """Proof that the TPM hashed a message that does not start with TPM_GENERATED_VALUE (§10.7.6)."""

    tag: TPM_ST_ID
    hierarchy: TPMI_RH_HIERARCHY
    digest: TPM2B_DIGEST


# §10.9: lists
TPML_CC = Annotated[ListOf[TPM_CC], Counted(TPM_CC_ID)]
TPML_ALG = Annotated[ListOf[TPM_ALG], Counted(TPM_ALG_ID)]
TPML_HANDLE = Annotated[ListOf[int], Counted(TPM_HANDLE)]
TPML_DIGEST = Annotated[ListOf[bytes], Counted(TPM2B_DIGEST, 8)]
TPML_DIGEST_VALUES = Annotated[ListOf[TPMT_HA], Counted(TPMT_HA, 16)]
TPML_PCR_SELECTION = Annotated[ListOf[TPMS_PCR_SELECTION], Counted(TPMS_PCR_SELECTION, 16)]


# §11.1: symmetric algorithms
TPMU_SYM_KEY_BITS = {
    TPM_ALG.AES: UINT16,
    TPM_ALG.SM4: UINT16,
    TPM_ALG.CAMELLIA: UINT16,
    TPM_ALG.TDES: UINT16,
    TPM_ALG.XOR: TPMI_ALG_HASH,
    TPM_ALG.NULL: EMPTY,
}
TPMU_SYM_MODE = {
    TPM_ALG.AES: TPMI_ALG_SYM_MODE,
    TPM_ALG.SM4: TPMI_ALG_SYM_MODE,
    TPM_ALG.CAMELLIA: TPMI_ALG_SYM_MODE,
    TPM_ALG.TDES: TPMI_ALG_SYM_MODE,
    TPM_ALG.XOR: EMPTY,
    TPM_ALG.NULL: EMPTY,
}


class TPMT_SYM_DEF(Record):
    """A symmetric algorithm for parameter encryption; for XOR, `key_bits` is a hash (§11.1.6)."""

    algorithm: TPMI_ALG_SYM
    key_bits: Annotated[OneOf[int | None], select("algorithm", TPMU_SYM_KEY_BITS)] = ABSENT
    mode: Annotated[OneOf[TPM_ALG | None], select("algorithm", TPMU_SYM_MODE)] = ABSENT


class TPMT_SYM_DEF_OBJECT(Record):
    """The symmetric algorithm of an object (§11.1.7)."""

    algorithm: TPMI_ALG_SYM_OBJECT
    key_bits: Annotated[OneOf[int | None], select("algorithm", TPMU_SYM_KEY_BITS)] = ABSENT
    mode: Annotated[OneOf[TPM_ALG | None], select("algorithm", TPMU_SYM_MODE)] = ABSENT


TPM2B_SYM_KEY = Annotated[Buffer, Sized(32), SECRET]


class TPMS_SYMCIPHER_PARMS(Record):
    """Parameters of a symmetric block cipher (§11.1.9)."""

    sym: TPMT_SYM_DEF_OBJECT


TPM2B_LABEL = Annotated[Buffer, Sized(32)]


class TPMS_DERIVE(Record):
    """Label and context from which an object is derived (§11.1.11)."""

    label: TPM2B_LABEL
    context: TPM2B_LABEL


TPM2B_DERIVE = Annotated[TPMS_DERIVE, SizedRecord(TPMS_DERIVE)]
TPM2B_SENSITIVE_DATA = Annotated[Buffer, Sized(MAX_SYM_DATA), SECRET]


class TPMS_SENSITIVE_CREATE(Record):
    """The secrets of an object to create (§11.1.15)."""

    user_auth: TPM2B_AUTH
    data: TPM2B_SENSITIVE_DATA


TPM2B_SENSITIVE_CREATE = Annotated[TPMS_SENSITIVE_CREATE, SizedRecord(TPMS_SENSITIVE_CREATE)]


_HASHES = frozenset((0x04, 0x0B, 0x0C, 0x0D, 0x0E, 0x10, 0x12, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E))
"""Hash algorithms and NULL. Where versions before 1.85 have one of these, 1.85 has no field, or a TPM2B of 64 or
114 bytes."""


# §11.2: asymmetric schemes
class TPMS_SCHEME_HASH(Record):
    """A scheme that only needs a hash (§11.1.17)."""

    hash_alg: TPMI_ALG_HASH


class TPMS_SCHEME_ECDAA(Record):
    """ECDAA's hash and counter (§11.1.18)."""

    hash_alg: TPMI_ALG_HASH
    count: UINT16


class TPMS_SCHEME_XOR(Record):
    """XOR obfuscation: hash and key derivation (§11.1.21)."""

    hash_alg: TPMI_ALG_HASH
    kdf: TPMI_ALG_KDF


TPMU_SCHEME_KEYEDHASH_TYPE = TPMS_SCHEME_HASH | TPMS_SCHEME_XOR | None
TPMU_SCHEME_KEYEDHASH = {
    TPM_ALG.HMAC: TPMS_SCHEME_HASH,
    TPM_ALG.XOR: TPMS_SCHEME_XOR,
    TPM_ALG.NULL: EMPTY,
}


class TPMT_KEYEDHASH_SCHEME(Record):
    """The scheme of a keyed-hash object (§11.1.23)."""

    scheme: TPMI_ALG_KEYEDHASH_SCHEME
    details: Annotated[
        UnionOf[TPMU_SCHEME_KEYEDHASH_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_SCHEME_KEYEDHASH)
    ] = ABSENT


_NO_SCHEME_HASH = Versioned(_HASHES, TPMS_SCHEME_HASH, EMPTY)
"""Empty in version 1.85. Earlier versions have a TPMS_SCHEME_HASH, and wolfTPM 4 has one for ML-DSA as well."""

_NO_SIGNING_HASH = Versioned(_HASHES, TPMS_SCHEME_HASH, EMPTY, behind=4)
"""As `_NO_SCHEME_HASH`. Four bytes are the size and offset of TPM2_NV_Certify; the size can be a hash's value."""

TPMU_ASYM_SCHEME_TYPE = TPMS_SCHEME_HASH | TPMS_SCHEME_ECDAA | None
TPMU_SIG_SCHEME = {
    TPM_ALG.RSASSA: TPMS_SCHEME_HASH,
    TPM_ALG.RSAPSS: TPMS_SCHEME_HASH,
    TPM_ALG.ECDSA: TPMS_SCHEME_HASH,
    TPM_ALG.ECDAA: TPMS_SCHEME_ECDAA,
    TPM_ALG.SM2: TPMS_SCHEME_HASH,
    TPM_ALG.ECSCHNORR: TPMS_SCHEME_HASH,
    TPM_ALG.EDDSA: _NO_SIGNING_HASH,
    TPM_ALG.HASH_EDDSA: _NO_SIGNING_HASH,
    TPM_ALG.MLDSA: _NO_SIGNING_HASH,
    TPM_ALG.HASH_MLDSA: _NO_SIGNING_HASH,
    TPM_ALG.HMAC: TPMS_SCHEME_HASH,
    TPM_ALG.NULL: EMPTY,
}
TPMU_ASYM_SCHEME = {
    TPM_ALG.RSASSA: TPMS_SCHEME_HASH,
    TPM_ALG.RSAES: EMPTY,
    TPM_ALG.RSAPSS: TPMS_SCHEME_HASH,
    TPM_ALG.OAEP: TPMS_SCHEME_HASH,
    TPM_ALG.ECDSA: TPMS_SCHEME_HASH,
    TPM_ALG.ECDH: TPMS_SCHEME_HASH,
    TPM_ALG.ECDAA: TPMS_SCHEME_ECDAA,
    TPM_ALG.SM2: TPMS_SCHEME_HASH,
    TPM_ALG.ECSCHNORR: TPMS_SCHEME_HASH,
    TPM_ALG.ECMQV: TPMS_SCHEME_HASH,
    TPM_ALG.EDDSA: _NO_SCHEME_HASH,
    TPM_ALG.HASH_EDDSA: _NO_SCHEME_HASH,
    TPM_ALG.NULL: EMPTY,
}
TPMU_KDF_SCHEME = {
    TPM_ALG.MGF1: TPMS_SCHEME_HASH,
    TPM_ALG.KDF1_SP800_56A: TPMS_SCHEME_HASH,
    TPM_ALG.KDF2: TPMS_SCHEME_HASH,
    TPM_ALG.KDF1_SP800_108: TPMS_SCHEME_HASH,
    TPM_ALG.HKDF: TPMS_SCHEME_HASH,
    TPM_ALG.NULL: EMPTY,
}


class TPMT_SIG_SCHEME(Record):
    """A signing scheme (§11.2.1.5)."""

    scheme: TPMI_ALG_SIG_SCHEME
    details: Annotated[
        UnionOf[TPMU_ASYM_SCHEME_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_SIG_SCHEME)
    ] = ABSENT


class TPMT_KDF_SCHEME(Record):
    """A key derivation scheme (§11.2.3.3)."""

    scheme: TPMI_ALG_KDF
    details: Annotated[OneOf[TPMS_SCHEME_HASH | None], select("scheme", TPMU_KDF_SCHEME)] = ABSENT


class TPMT_ASYM_SCHEME(Record):
    """A scheme of an asymmetric key (§11.2.3.6)."""

    scheme: TPMI_ALG_ASYM_SCHEME
    details: Annotated[
        UnionOf[TPMU_ASYM_SCHEME_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_ASYM_SCHEME)
    ] = ABSENT


class TPMT_RSA_SCHEME(Record):
    """The scheme of an RSA key (§11.2.4.2)."""

    scheme: TPMI_ALG_RSA_SCHEME
    details: Annotated[
        UnionOf[TPMU_ASYM_SCHEME_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_ASYM_SCHEME)
    ] = ABSENT


class TPMT_RSA_DECRYPT(Record):
    """The padding of RSA encryption (§11.2.4.4)."""

    scheme: TPMI_ALG_RSA_DECRYPT
    details: Annotated[
        UnionOf[TPMU_ASYM_SCHEME_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_ASYM_SCHEME)
    ] = ABSENT


TPM2B_PUBLIC_KEY_RSA = Annotated[Buffer, Sized(MAX_RSA_KEY_BYTES)]
TPM2B_PRIVATE_KEY_RSA = Annotated[Buffer, Sized(MAX_RSA_KEY_BYTES * 5 // 2), SECRET]
TPM2B_ECC_PARAMETER = Annotated[Buffer, Sized(MAX_ECC_KEY_BYTES)]


class TPMS_ECC_POINT(Record):
    """A point on a curve (§11.2.5.2)."""

    x: TPM2B_ECC_PARAMETER
    y: TPM2B_ECC_PARAMETER


TPM2B_ECC_POINT = Annotated[OneOf[TPMS_ECC_POINT | None], SizedRecord(TPMS_ECC_POINT, optional=True)]


class TPMT_ECC_SCHEME(Record):
    """The scheme of an ECC key (§11.2.5.6)."""

    scheme: TPMI_ALG_ECC_SCHEME
    details: Annotated[
        UnionOf[TPMU_ASYM_SCHEME_TYPE, "TPMU_SCHEME_MEMBERS"], select("scheme", TPMU_ASYM_SCHEME)
    ] = ABSENT


class TPMS_ALGORITHM_DETAIL_ECC(Record):
    """Parameters of a curve (§11.2.5.7)."""

    curve_id: TPM_ECC_CURVE
    key_size: UINT16
    kdf: TPMT_KDF_SCHEME
    sign: TPMT_ECC_SCHEME
    p: TPM2B_ECC_PARAMETER
    a: TPM2B_ECC_PARAMETER
    b: TPM2B_ECC_PARAMETER
    g_x: TPM2B_ECC_PARAMETER
    g_y: TPM2B_ECC_PARAMETER
    n: TPM2B_ECC_PARAMETER
    h: TPM2B_ECC_PARAMETER


# §11.2.6 and §11.2.7: ML-KEM and ML-DSA. Private keys are the seeds of FIPS 203 (d and z) and FIPS 204.
TPM2B_PUBLIC_KEY_MLKEM = Annotated[Buffer, Sized(MAX_MLKEM_PUBLIC)]
TPM2B_PRIVATE_KEY_MLKEM = Annotated[Buffer, Sized(64), SECRET]
TPM2B_PUBLIC_KEY_MLDSA = Annotated[Buffer, Sized(MAX_MLDSA_PUBLIC)]
TPM2B_PRIVATE_KEY_MLDSA = Annotated[Buffer, Sized(32), SECRET]


# §11.3: signatures
class TPMS_SIGNATURE_RSA(Record):
    """An RSA signature (§11.3.1)."""

    hash: TPMI_ALG_HASH
    sig: TPM2B_PUBLIC_KEY_RSA


class TPMS_SIGNATURE_ECC(Record):
    """An ECC signature (§11.3.2)."""

    hash: TPMI_ALG_HASH
    signature_r: TPM2B_ECC_PARAMETER
    signature_s: TPM2B_ECC_PARAMETER


TPM2B_SIGNATURE_EDDSA = Annotated[Buffer, Sized(MAX_EDDSA_SIGNATURE)]
TPM2B_SIGNATURE_MLDSA = Annotated[Buffer, Sized(MAX_MLDSA_SIGNATURE)]


class TPMS_SIGNATURE_HASH_MLDSA(Record):
    """A HashML-DSA signature with the hash of the message (§11.2.7.2)."""

    hash: TPMI_ALG_HASH
    signature: TPM2B_SIGNATURE_MLDSA


_EDDSA_SIGNATURE = Versioned(_HASHES, TPMS_SIGNATURE_ECC, TPM2B_SIGNATURE_EDDSA)
"""A TPM2B_SIGNATURE_EDDSA since version 1.85; a TPMS_SIGNATURE_ECC before."""

TPMU_SIGNATURE_TYPE = TPMS_SIGNATURE_RSA | TPMS_SIGNATURE_ECC | TPMS_SIGNATURE_HASH_MLDSA | TPMT_HA | bytes | None
TPMU_SIGNATURE = {
    TPM_ALG.RSASSA: TPMS_SIGNATURE_RSA,
    TPM_ALG.RSAPSS: TPMS_SIGNATURE_RSA,
    TPM_ALG.ECDSA: TPMS_SIGNATURE_ECC,
    TPM_ALG.ECDAA: TPMS_SIGNATURE_ECC,
    TPM_ALG.SM2: TPMS_SIGNATURE_ECC,
    TPM_ALG.ECSCHNORR: TPMS_SIGNATURE_ECC,
    TPM_ALG.EDDSA: _EDDSA_SIGNATURE,
    TPM_ALG.HASH_EDDSA: _EDDSA_SIGNATURE,
    TPM_ALG.MLDSA: TPM2B_SIGNATURE_MLDSA,
    TPM_ALG.HASH_MLDSA: TPMS_SIGNATURE_HASH_MLDSA,
    TPM_ALG.HMAC: TPMT_HA,
    TPM_ALG.NULL: EMPTY,
}


class TPMT_SIGNATURE(Record):
    """A signature with its scheme (§11.3.4)."""

    sig_alg: TPMI_ALG_SIG_SCHEME
    signature: Annotated[
        UnionOf[TPMU_SIGNATURE_TYPE, "TPMU_SIGNATURE_MEMBERS"], select("sig_alg", TPMU_SIGNATURE)
    ] = ABSENT


# §11.3.8 and §11.3.9: the context string of a signature, and the part of it that verification needs first
TPM2B_SIGNATURE_CTX = Annotated[Buffer, Sized()]
TPM2B_SIGNATURE_HINT = Annotated[Buffer, Sized()]

# §11.4: key exchange. The size depends on the decryption key, so this is a byte string.
TPM2B_ENCRYPTED_SECRET = Annotated[Buffer, Sized(MAX_KEM_CIPHERTEXT)]

# §12.2: public area
TPMU_PUBLIC_ID_TYPE = bytes | TPMS_ECC_POINT
TPMU_PUBLIC_ID = {
    TPM_ALG.KEYEDHASH: TPM2B_DIGEST,
    TPM_ALG.SYMCIPHER: TPM2B_DIGEST,
    TPM_ALG.RSA: TPM2B_PUBLIC_KEY_RSA,
    TPM_ALG.ECC: TPMS_ECC_POINT,
    TPM_ALG.MLKEM: TPM2B_PUBLIC_KEY_MLKEM,
    TPM_ALG.MLDSA: TPM2B_PUBLIC_KEY_MLDSA,
    TPM_ALG.HASH_MLDSA: TPM2B_PUBLIC_KEY_MLDSA,
}


class TPMS_KEYEDHASH_PARMS(Record):
    """Parameters of a keyed-hash object: an HMAC key, sealed data (§12.2.3.3)."""

    scheme: TPMT_KEYEDHASH_SCHEME


class TPMS_RSA_PARMS(Record):
    """Parameters of an RSA key; exponent 0 is 65537 (§12.2.3.5)."""

    symmetric: TPMT_SYM_DEF_OBJECT
    scheme: TPMT_RSA_SCHEME
    key_bits: TPMI_RSA_KEY_BITS
    exponent: UINT32 = 0


class TPMS_ECC_PARMS(Record):
    """Parameters of an ECC key (§12.2.3.6)."""

    symmetric: TPMT_SYM_DEF_OBJECT
    scheme: TPMT_ECC_SCHEME
    curve_id: TPMI_ECC_CURVE
    kdf: TPMT_KDF_SCHEME


class TPMS_MLDSA_PARMS(Record):
    """Parameters of an ML-DSA key. `allow_external_mu` allows a Mu computed outside the TPM (§12.2.3.6)."""

    parameter_set: TPMI_MLDSA_PARMS
    allow_external_mu: TPMI_YES_NO = False


class TPMS_HASH_MLDSA_PARMS(Record):
    """Parameters of a HashML-DSA key. `hash_alg` is the hash of the message (§12.2.3.7)."""

    parameter_set: TPMI_MLDSA_PARMS
    hash_alg: TPMI_ALG_HASH


class TPMS_MLKEM_PARMS(Record):
    """Parameters of an ML-KEM key. Only a storage key has a symmetric algorithm (§12.2.3.8)."""

    symmetric: TPMT_SYM_DEF_OBJECT
    parameter_set: TPMI_MLKEM_PARMS


TPMU_PUBLIC_PARMS_TYPE = (
    TPMS_KEYEDHASH_PARMS
    | TPMS_SYMCIPHER_PARMS
    | TPMS_RSA_PARMS
    | TPMS_ECC_PARMS
    | TPMS_MLDSA_PARMS
    | TPMS_HASH_MLDSA_PARMS
    | TPMS_MLKEM_PARMS
)
TPMU_PUBLIC_PARMS = {
    TPM_ALG.KEYEDHASH: TPMS_KEYEDHASH_PARMS,
    TPM_ALG.SYMCIPHER: TPMS_SYMCIPHER_PARMS,
    TPM_ALG.RSA: TPMS_RSA_PARMS,
    TPM_ALG.ECC: TPMS_ECC_PARMS,
    TPM_ALG.MLKEM: TPMS_MLKEM_PARMS,
    TPM_ALG.MLDSA: TPMS_MLDSA_PARMS,
    TPM_ALG.HASH_MLDSA: TPMS_HASH_MLDSA_PARMS,
}


class TPMT_PUBLIC_PARMS(Record):
    """Parameters with their type, for TPM2_TestParms (§12.2.3.8)."""

    type: TPMI_ALG_PUBLIC
    parameters: Annotated[
        UnionOf[TPMU_PUBLIC_PARMS_TYPE, "TPMU_PUBLIC_PARMS_MEMBERS"], select("type", TPMU_PUBLIC_PARMS)
    ]


class TPMT_PUBLIC(Record):
    """The public area of an object. The object's Name is nameAlg followed by the hash of this area (§12.2.4)."""

    type: TPMI_ALG_PUBLIC
    name_alg: TPMI_ALG_HASH
    object_attributes: TPMA_OBJECT_BITS
    auth_policy: TPM2B_DIGEST
    parameters: Annotated[
        UnionOf[TPMU_PUBLIC_PARMS_TYPE, "TPMU_PUBLIC_PARMS_MEMBERS"], select("type", TPMU_PUBLIC_PARMS)
    ]
    unique: Annotated[UnionOf[TPMU_PUBLIC_ID_TYPE, "TPMU_PUBLIC_ID_MEMBERS"], select("type", TPMU_PUBLIC_ID)]


TPM2B_PUBLIC = Annotated[TPMT_PUBLIC, SizedRecord(TPMT_PUBLIC)]
TPM2B_PUBLIC_OPTIONAL = Annotated[OneOf[TPMT_PUBLIC | None], SizedRecord(TPMT_PUBLIC, optional=True)]
TPM2B_TEMPLATE = Annotated[Buffer, Sized()]

# §12.3: private area
TPMU_SENSITIVE_COMPOSITE = {
    TPM_ALG.RSA: TPM2B_PRIVATE_KEY_RSA,
    TPM_ALG.ECC: TPM2B_ECC_PARAMETER,
    TPM_ALG.KEYEDHASH: TPM2B_SENSITIVE_DATA,
    TPM_ALG.SYMCIPHER: TPM2B_SYM_KEY,
    TPM_ALG.MLKEM: TPM2B_PRIVATE_KEY_MLKEM,
    TPM_ALG.MLDSA: TPM2B_PRIVATE_KEY_MLDSA,
    TPM_ALG.HASH_MLDSA: TPM2B_PRIVATE_KEY_MLDSA,
}


class TPMT_SENSITIVE(Record):
    """The secrets of an object (§12.3.2.4)."""

    sensitive_type: TPMI_ALG_PUBLIC
    auth_value: TPM2B_AUTH
    seed_value: Annotated[bytes, Sized(MAX_DIGEST), SECRET]
    sensitive: Annotated[bytes, select("sensitive_type", TPMU_SENSITIVE_COMPOSITE), SECRET]


TPM2B_SENSITIVE = Annotated[OneOf[TPMT_SENSITIVE | None], SizedRecord(TPMT_SENSITIVE, optional=True)]
TPM2B_PRIVATE = Annotated[Buffer, Sized(2048)]


# §12.4: credentials
class TPMS_ID_OBJECT(Record):
    """An encrypted credential and its integrity HMAC (§12.4.2)."""

    integrity_hmac: TPM2B_DIGEST
    enc_identity: TPM2B_DIGEST


TPM2B_ID_OBJECT = Annotated[Buffer, Sized(2 * (MAX_DIGEST + 2))]


TPM2B_ATTEST = Annotated[Buffer, Sized()]
"""The signed bytes of an attestation; `attestation.TPMS_ATTEST.parse` reads them."""


# §14: contexts
TPM2B_CONTEXT_DATA = Annotated[Buffer, Sized(8192)]


class TPMS_CONTEXT(Record):
    """The saved context of an object or session (§14.5)."""

    sequence: UINT64
    saved_handle: TPMI_DH_SAVED
    hierarchy: TPMI_RH_HIERARCHY
    context_blob: TPM2B_CONTEXT_DATA


# §15: creation data
class TPMS_CREATION_DATA(Record):
    """The TPM's state when it created an object (§15.1)."""

    pcr_select: TPML_PCR_SELECTION
    pcr_digest: TPM2B_DIGEST
    locality: TPMA_LOCALITY_BITS
    parent_name_alg: TPM_ALG_ID
    parent_name: TPM2B_NAME
    parent_qualified_name: TPM2B_NAME
    outside_info: TPM2B_DATA


TPM2B_CREATION_DATA = Annotated[TPMS_CREATION_DATA, SizedRecord(TPMS_CREATION_DATA)]


# §10.13: sessions on the wire (Part 1, §18)
class TPMS_AUTH_COMMAND(Record):
    """One authorization in a command (§10.13.2)."""

    session_handle: TPMI_SH_AUTH_SESSION = TPM_RH.PW
    nonce: TPM2B_NONCE = NO_BYTES
    session_attributes: TPMA_SESSION_BITS = TPMA_SESSION(0)
    hmac: TPM2B_AUTH = NO_BYTES


class TPMS_AUTH_RESPONSE(Record):
    """One authorization in a response (§10.13.3)."""

    nonce: TPM2B_NONCE
    session_attributes: TPMA_SESSION_BITS
    hmac: TPM2B_AUTH


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    class TPMU_SCHEME_MEMBERS(TPMS_SCHEME_HASH, TPMS_SCHEME_ECDAA, TPMS_SCHEME_XOR):
        """A member of TPMU_ASYM_SCHEME or TPMU_SCHEME_KEYEDHASH."""

    class TPMU_SIGNATURE_MEMBERS(  # type: ignore[misc]
        bytes, TPMS_SIGNATURE_RSA, TPMS_SIGNATURE_ECC, TPMS_SIGNATURE_HASH_MLDSA, TPMT_HA
    ):
        """A member of TPMU_SIGNATURE."""

        replace: Any = None

    class TPMU_PUBLIC_ID_MEMBERS(bytes, TPMS_ECC_POINT):  # type: ignore[misc]
        """A member of TPMU_PUBLIC_ID."""

        replace: Any = None

    class TPMU_PUBLIC_PARMS_MEMBERS(  # type: ignore[misc]
        TPMS_KEYEDHASH_PARMS,
        TPMS_SYMCIPHER_PARMS,
        TPMS_RSA_PARMS,
        TPMS_ECC_PARMS,
        TPMS_MLDSA_PARMS,
        TPMS_HASH_MLDSA_PARMS,
        TPMS_MLKEM_PARMS,
    ):
        """A member of TPMU_PUBLIC_PARMS."""

        scheme: Any = None


declare(globals())
