"""TPM 2.0 Part 2, §6 to §8: constants, handles, attribute words. The names lack prefixes such as TPM_ALG_.

Constants that a credential run does not need are in `properties`; this module loads them at first use.
"""

from __future__ import annotations

from .numbers import Attributes, OpenEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .properties import (
        TPM_AE,
        TPM_AT,
        TPM_CAP,
        TPM_CLOCK_ADJUST,
        TPM_EO,
        TPM_NT,
        TPM_PS,
        TPM_PT,
        TPM_PT_PCR,
        TPM_PUB_KEY,
        TPMA_ALGORITHM,
        TPMA_CC,
        TPMA_MEMORY,
        TPMA_ML_PARAMETER_SET,
        TPMA_MODES,
        TPMA_NV,
        TPMA_NV_EXP,
        TPMA_PERMANENT,
        TPMA_STARTUP_CLEAR,
    )

__all__ = [
    "TPMA_ALGORITHM",
    "TPMA_CC",
    "TPMA_LOCALITY",
    "TPMA_MEMORY",
    "TPMA_ML_PARAMETER_SET",
    "TPMA_MODES",
    "TPMA_NV",
    "TPMA_NV_EXP",
    "TPMA_OBJECT",
    "TPMA_PERMANENT",
    "TPMA_SESSION",
    "TPMA_STARTUP_CLEAR",
    "TPM_AE",
    "TPM_ALG",
    "TPM_AT",
    "TPM_CAP",
    "TPM_CC",
    "TPM_CLOCK_ADJUST",
    "TPM_ECC",
    "TPM_EO",
    "TPM_GENERATED_VALUE",
    "TPM_HT",
    "TPM_MLDSA",
    "TPM_MLKEM",
    "TPM_NT",
    "TPM_PS",
    "TPM_PT",
    "TPM_PT_PCR",
    "TPM_PUB_KEY",
    "TPM_RH",
    "TPM_SE",
    "TPM_ST",
    "TPM_SU",
]

TPM_GENERATED_VALUE = 0xFF544347
"""The magic number of structures that the TPM generated (Part 2, §6.2)."""


class TPM_ALG(OpenEnum):
    """Algorithm identifiers (Part 2, §6.3)."""

    ERROR = 0x0000
    RSA = 0x0001
    TDES = 0x0003
    SHA1 = 0x0004
    SHA = 0x0004
    HMAC = 0x0005
    AES = 0x0006
    MGF1 = 0x0007
    KEYEDHASH = 0x0008
    XOR = 0x000A
    SHA256 = 0x000B
    SHA384 = 0x000C
    SHA512 = 0x000D
    SHA256_192 = 0x000E
    NULL = 0x0010
    SM3_256 = 0x0012
    SM4 = 0x0013
    RSASSA = 0x0014
    RSAES = 0x0015
    RSAPSS = 0x0016
    OAEP = 0x0017
    ECDSA = 0x0018
    ECDH = 0x0019
    ECDAA = 0x001A
    SM2 = 0x001B
    ECSCHNORR = 0x001C
    ECMQV = 0x001D
    HKDF = 0x001F
    KDF1_SP800_56A = 0x0020
    KDF2 = 0x0021
    KDF1_SP800_108 = 0x0022
    ECC = 0x0023
    SYMCIPHER = 0x0025
    CAMELLIA = 0x0026
    SHA3_256 = 0x0027
    SHA3_384 = 0x0028
    SHA3_512 = 0x0029
    SHAKE128 = 0x002A
    SHAKE256 = 0x002B
    SHAKE256_192 = 0x002C
    SHAKE256_256 = 0x002D
    SHAKE256_512 = 0x002E
    CMAC = 0x003F
    CTR = 0x0040
    OFB = 0x0041
    CBC = 0x0042
    CFB = 0x0043
    ECB = 0x0044
    CCM = 0x0050
    GCM = 0x0051
    KW = 0x0052
    KWP = 0x0053
    EAX = 0x0054
    EDDSA = 0x0060
    HASH_EDDSA = 0x0061
    EDDSA_PH = 0x0061  # the name before 1.85
    LMS = 0x0070
    XMSS = 0x0071
    KEYEDXOF = 0x0080
    KMACXOF128 = 0x0081
    KMACXOF256 = 0x0082
    KMAC128 = 0x0090
    KMAC256 = 0x0091
    MLKEM = 0x00A0
    MLDSA = 0x00A1
    HASH_MLDSA = 0x00A2


class TPM_ECC(OpenEnum):
    """Curve identifiers (Part 2, §6.4)."""

    NONE = 0x0000
    NIST_P192 = 0x0001
    NIST_P224 = 0x0002
    NIST_P256 = 0x0003
    NIST_P384 = 0x0004
    NIST_P521 = 0x0005
    BN_P256 = 0x0010
    BN_P638 = 0x0011
    SM2_P256 = 0x0020
    BP_P256_R1 = 0x0030
    BP_P384_R1 = 0x0031
    BP_P512_R1 = 0x0032
    CURVE_25519 = 0x0040
    CURVE_448 = 0x0041


class TPM_MLKEM(OpenEnum):
    """Parameter sets of ML-KEM, FIPS 203 (Part 2, §11.2.6)."""

    NONE = 0x0000
    MLKEM_512 = 0x0001
    MLKEM_768 = 0x0002
    MLKEM_1024 = 0x0003


class TPM_MLDSA(OpenEnum):
    """Parameter sets of ML-DSA, FIPS 204 (Part 2, §11.2.7)."""

    NONE = 0x0000
    MLDSA_44 = 0x0001
    MLDSA_65 = 0x0002
    MLDSA_87 = 0x0003


class TPM_CC(OpenEnum):
    """Command codes (Part 2, §6.5.2)."""

    NV_UndefineSpaceSpecial = 0x0000011F
    EvictControl = 0x00000120
    HierarchyControl = 0x00000121
    NV_UndefineSpace = 0x00000122
    ChangeEPS = 0x00000124
    ChangePPS = 0x00000125
    Clear = 0x00000126
    ClearControl = 0x00000127
    ClockSet = 0x00000128
    HierarchyChangeAuth = 0x00000129
    NV_DefineSpace = 0x0000012A
    PCR_Allocate = 0x0000012B
    PCR_SetAuthPolicy = 0x0000012C
    PP_Commands = 0x0000012D
    SetPrimaryPolicy = 0x0000012E
    FieldUpgradeStart = 0x0000012F
    ClockRateAdjust = 0x00000130
    CreatePrimary = 0x00000131
    NV_GlobalWriteLock = 0x00000132
    GetCommandAuditDigest = 0x00000133
    NV_Increment = 0x00000134
    NV_SetBits = 0x00000135
    NV_Extend = 0x00000136
    NV_Write = 0x00000137
    NV_WriteLock = 0x00000138
    DictionaryAttackLockReset = 0x00000139
    DictionaryAttackParameters = 0x0000013A
    NV_ChangeAuth = 0x0000013B
    PCR_Event = 0x0000013C
    PCR_Reset = 0x0000013D
    SequenceComplete = 0x0000013E
    SetAlgorithmSet = 0x0000013F
    SetCommandCodeAuditStatus = 0x00000140
    FieldUpgradeData = 0x00000141
    IncrementalSelfTest = 0x00000142
    SelfTest = 0x00000143
    Startup = 0x00000144
    Shutdown = 0x00000145
    StirRandom = 0x00000146
    ActivateCredential = 0x00000147
    Certify = 0x00000148
    PolicyNV = 0x00000149
    CertifyCreation = 0x0000014A
    Duplicate = 0x0000014B
    GetTime = 0x0000014C
    GetSessionAuditDigest = 0x0000014D
    NV_Read = 0x0000014E
    NV_ReadLock = 0x0000014F
    ObjectChangeAuth = 0x00000150
    PolicySecret = 0x00000151
    Rewrap = 0x00000152
    Create = 0x00000153
    ECDH_ZGen = 0x00000154
    HMAC = 0x00000155
    MAC = 0x00000155
    Import = 0x00000156
    Load = 0x00000157
    Quote = 0x00000158
    RSA_Decrypt = 0x00000159
    HMAC_Start = 0x0000015B
    MAC_Start = 0x0000015B
    SequenceUpdate = 0x0000015C
    Sign = 0x0000015D
    Unseal = 0x0000015E
    PolicySigned = 0x00000160
    ContextLoad = 0x00000161
    ContextSave = 0x00000162
    ECDH_KeyGen = 0x00000163
    EncryptDecrypt = 0x00000164
    FlushContext = 0x00000165
    LoadExternal = 0x00000167
    MakeCredential = 0x00000168
    NV_ReadPublic = 0x00000169
    PolicyAuthorize = 0x0000016A
    PolicyAuthValue = 0x0000016B
    PolicyCommandCode = 0x0000016C
    PolicyCounterTimer = 0x0000016D
    PolicyCpHash = 0x0000016E
    PolicyLocality = 0x0000016F
    PolicyNameHash = 0x00000170
    PolicyOR = 0x00000171
    PolicyTicket = 0x00000172
    ReadPublic = 0x00000173
    RSA_Encrypt = 0x00000174
    StartAuthSession = 0x00000176
    VerifySignature = 0x00000177
    ECC_Parameters = 0x00000178
    FirmwareRead = 0x00000179
    GetCapability = 0x0000017A
    GetRandom = 0x0000017B
    GetTestResult = 0x0000017C
    Hash = 0x0000017D
    PCR_Read = 0x0000017E
    PolicyPCR = 0x0000017F
    PolicyRestart = 0x00000180
    ReadClock = 0x00000181
    PCR_Extend = 0x00000182
    PCR_SetAuthValue = 0x00000183
    NV_Certify = 0x00000184
    EventSequenceComplete = 0x00000185
    HashSequenceStart = 0x00000186
    PolicyPhysicalPresence = 0x00000187
    PolicyDuplicationSelect = 0x00000188
    PolicyGetDigest = 0x00000189
    TestParms = 0x0000018A
    Commit = 0x0000018B
    PolicyPassword = 0x0000018C
    ZGen_2Phase = 0x0000018D
    EC_Ephemeral = 0x0000018E
    PolicyNvWritten = 0x0000018F
    PolicyTemplate = 0x00000190
    CreateLoaded = 0x00000191
    PolicyAuthorizeNV = 0x00000192
    EncryptDecrypt2 = 0x00000193
    AC_GetCapability = 0x00000194
    AC_Send = 0x00000195
    Policy_AC_SendSelect = 0x00000196
    CertifyX509 = 0x00000197
    ACT_SetTimeout = 0x00000198
    ECC_Encrypt = 0x00000199
    ECC_Decrypt = 0x0000019A
    PolicyCapability = 0x0000019B
    PolicyParameters = 0x0000019C
    NV_DefineSpace2 = 0x0000019D
    NV_ReadPublic2 = 0x0000019E
    SetCapability = 0x0000019F
    ReadOnlyControl = 0x000001A0
    PolicyTransportSPDM = 0x000001A1
    VerifySequenceComplete = 0x000001A3
    SignSequenceComplete = 0x000001A4
    VerifyDigestSignature = 0x000001A5
    SignDigest = 0x000001A6
    Encapsulate = 0x000001A7
    Decapsulate = 0x000001A8
    VerifySequenceStart = 0x000001A9
    SignSequenceStart = 0x000001AA
    Vendor_TCG_Test = 0x20000000


class TPM_ST(OpenEnum):
    """Structure tags (Part 2, §6.9)."""

    RSP_COMMAND = 0x00C4
    NULL = 0x8000
    NO_SESSIONS = 0x8001
    SESSIONS = 0x8002
    ATTEST_NV = 0x8014
    ATTEST_COMMAND_AUDIT = 0x8015
    ATTEST_SESSION_AUDIT = 0x8016
    ATTEST_CERTIFY = 0x8017
    ATTEST_QUOTE = 0x8018
    ATTEST_TIME = 0x8019
    ATTEST_CREATION = 0x801A
    ATTEST_NV_DIGEST = 0x801C
    CREATION = 0x8021
    VERIFIED = 0x8022
    AUTH_SECRET = 0x8023
    HASHCHECK = 0x8024
    AUTH_SIGNED = 0x8025
    MESSAGE_VERIFIED = 0x8026
    DIGEST_VERIFIED = 0x8027
    FU_MANIFEST = 0x8029


class TPM_SU(OpenEnum):
    """Startup and shutdown types (Part 2, §6.10)."""

    CLEAR = 0x0000
    STATE = 0x0001


class TPM_SE(OpenEnum):
    """Session types (Part 2, §6.11)."""

    HMAC = 0x00
    POLICY = 0x01
    TRIAL = 0x03


class TPM_HT(OpenEnum):
    """Handle types: the most significant byte of a handle (Part 2, §7.2)."""

    PCR = 0x00
    NV_INDEX = 0x01
    HMAC_SESSION = 0x02
    LOADED_SESSION = 0x02
    POLICY_SESSION = 0x03
    SAVED_SESSION = 0x03
    EXTERNAL_NV = 0x11
    PERMANENT_NV = 0x12
    PERMANENT = 0x40
    TRANSIENT = 0x80
    PERSISTENT = 0x81
    AC = 0x90


class TPM_RH(OpenEnum):
    """Permanent handles (Part 2, §7.4)."""

    SRK = 0x40000000
    OWNER = 0x40000001
    REVOKE = 0x40000002
    TRANSPORT = 0x40000003
    OPERATOR = 0x40000004
    ADMIN = 0x40000005
    EK = 0x40000006
    NULL = 0x40000007
    UNASSIGNED = 0x40000008
    PW = 0x40000009
    LOCKOUT = 0x4000000A
    ENDORSEMENT = 0x4000000B
    PLATFORM = 0x4000000C
    PLATFORM_NV = 0x4000000D
    AUTH_00 = 0x40000010
    AUTH_FF = 0x4000010F
    ACT_0 = 0x40000110
    ACT_1 = 0x40000111
    ACT_2 = 0x40000112
    ACT_3 = 0x40000113
    ACT_4 = 0x40000114
    ACT_5 = 0x40000115
    ACT_6 = 0x40000116
    ACT_7 = 0x40000117
    ACT_8 = 0x40000118
    ACT_9 = 0x40000119
    ACT_A = 0x4000011A
    ACT_B = 0x4000011B
    ACT_C = 0x4000011C
    ACT_D = 0x4000011D
    ACT_E = 0x4000011E
    ACT_F = 0x4000011F
    FW_OWNER = 0x40000140
    FW_ENDORSEMENT = 0x40000141
    FW_PLATFORM = 0x40000142
    FW_NULL = 0x40000143
    SVN_OWNER_BASE = 0x40010000
    SVN_ENDORSEMENT_BASE = 0x40020000
    SVN_PLATFORM_BASE = 0x40030000
    SVN_NULL_BASE = 0x40040000


class TPMA_OBJECT(Attributes):
    """Attributes of an object (Part 2, §8.3)."""

    FIXED_TPM = 1 << 1
    ST_CLEAR = 1 << 2
    FIXED_FIRMWARE = 1 << 3
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    USER_WITH_AUTH = 1 << 6
    ADMIN_WITH_POLICY = 1 << 7
    FIRMWARE_LIMITED = 1 << 8
    SVN_LIMITED = 1 << 9
    NO_DA = 1 << 10
    ENCRYPTED_DUPLICATION = 1 << 11
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN_ENCRYPT = 1 << 18
    X509_SIGN = 1 << 19


class TPMA_SESSION(Attributes):
    """Attributes of a session in one command or response (Part 2, §8.4)."""

    CONTINUE_SESSION = 1 << 0
    AUDIT_EXCLUSIVE = 1 << 1
    AUDIT_RESET = 1 << 2
    DECRYPT = 1 << 5
    ENCRYPT = 1 << 6
    AUDIT = 1 << 7


class TPMA_LOCALITY(Attributes):
    """Localities; a value of 32 or more is an extended locality (Part 2, §8.5)."""

    ZERO = 1 << 0
    ONE = 1 << 1
    TWO = 1 << 2
    THREE = 1 << 3
    FOUR = 1 << 4


def __getattr__(name: str) -> Any:
    # Dunder names, such as the __path__ that the import system requests, are not constants.
    if name.startswith("TPM"):
        from . import properties

        if name in properties.__all__:
            return getattr(properties, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
