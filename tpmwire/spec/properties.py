"""TPM 2.0 Part 2: constants of capabilities and NV indices, and rarely used constants."""

from .numbers import Attributes, OpenEnum

__all__ = [
    "TPMA_ALGORITHM",
    "TPMA_CC",
    "TPMA_MEMORY",
    "TPMA_ML_PARAMETER_SET",
    "TPMA_MODES",
    "TPMA_NV",
    "TPMA_NV_EXP",
    "TPMA_PERMANENT",
    "TPMA_STARTUP_CLEAR",
    "TPM_AE",
    "TPM_AT",
    "TPM_CAP",
    "TPM_CLOCK_ADJUST",
    "TPM_EO",
    "TPM_NT",
    "TPM_PS",
    "TPM_PT",
    "TPM_PT_PCR",
    "TPM_PUB_KEY",
]


class TPM_CLOCK_ADJUST(OpenEnum):
    """Clock rate adjustments: signed bytes, here as unsigned numbers (Part 2, §6.7)."""

    COARSE_SLOWER = 0xFD
    MEDIUM_SLOWER = 0xFE
    FINE_SLOWER = 0xFF
    NO_CHANGE = 0x00
    FINE_FASTER = 0x01
    MEDIUM_FASTER = 0x02
    COARSE_FASTER = 0x03


class TPM_EO(OpenEnum):
    """Comparison operations of policies (Part 2, §6.8)."""

    EQ = 0x0000
    NEQ = 0x0001
    SIGNED_GT = 0x0002
    UNSIGNED_GT = 0x0003
    SIGNED_LT = 0x0004
    UNSIGNED_LT = 0x0005
    SIGNED_GE = 0x0006
    UNSIGNED_GE = 0x0007
    SIGNED_LE = 0x0008
    UNSIGNED_LE = 0x0009
    BITSET = 0x000A
    BITCLEAR = 0x000B


class TPM_CAP(OpenEnum):
    """Capabilities (Part 2, §6.12)."""

    ALGS = 0x00000000
    HANDLES = 0x00000001
    COMMANDS = 0x00000002
    PP_COMMANDS = 0x00000003
    AUDIT_COMMANDS = 0x00000004
    PCRS = 0x00000005
    TPM_PROPERTIES = 0x00000006
    PCR_PROPERTIES = 0x00000007
    ECC_CURVES = 0x00000008
    AUTH_POLICIES = 0x00000009
    ACT = 0x0000000A
    PUB_KEYS = 0x0000000B
    SPDM_SESSION_INFO = 0x0000000C
    VENDOR_PROPERTY = 0x00000100


class TPM_PT(OpenEnum):
    """TPM properties (Part 2, §6.13)."""

    NONE = 0x000
    FAMILY_INDICATOR = 0x100
    LEVEL = 0x101
    REVISION = 0x102
    DAY_OF_YEAR = 0x103
    ERRATA = 0x103  # the name since 1.85, where YEAR is 0
    YEAR = 0x104
    MANUFACTURER = 0x105
    VENDOR_STRING_1 = 0x106
    VENDOR_STRING_2 = 0x107
    VENDOR_STRING_3 = 0x108
    VENDOR_STRING_4 = 0x109
    VENDOR_TPM_TYPE = 0x10A
    FIRMWARE_VERSION_1 = 0x10B
    FIRMWARE_VERSION_2 = 0x10C
    INPUT_BUFFER = 0x10D
    HR_TRANSIENT_MIN = 0x10E
    HR_PERSISTENT_MIN = 0x10F
    HR_LOADED_MIN = 0x110
    ACTIVE_SESSIONS_MAX = 0x111
    PCR_COUNT = 0x112
    PCR_SELECT_MIN = 0x113
    CONTEXT_GAP_MAX = 0x114
    NV_COUNTERS_MAX = 0x116
    NV_INDEX_MAX = 0x117
    MEMORY = 0x118
    CLOCK_UPDATE = 0x119
    CONTEXT_HASH = 0x11A
    CONTEXT_SYM = 0x11B
    CONTEXT_SYM_SIZE = 0x11C
    ORDERLY_COUNT = 0x11D
    MAX_COMMAND_SIZE = 0x11E
    MAX_RESPONSE_SIZE = 0x11F
    MAX_DIGEST = 0x120
    MAX_OBJECT_CONTEXT = 0x121
    MAX_SESSION_CONTEXT = 0x122
    PS_FAMILY_INDICATOR = 0x123
    PS_LEVEL = 0x124
    PS_REVISION = 0x125
    PS_DAY_OF_YEAR = 0x126
    PS_YEAR = 0x127
    SPLIT_MAX = 0x128
    TOTAL_COMMANDS = 0x129
    LIBRARY_COMMANDS = 0x12A
    VENDOR_COMMANDS = 0x12B
    NV_BUFFER_MAX = 0x12C
    MODES = 0x12D
    MAX_CAP_BUFFER = 0x12E
    FIRMWARE_SVN = 0x12F
    FIRMWARE_MAX_SVN = 0x130
    ML_PARAMETER_SETS = 0x131
    PERMANENT = 0x200
    STARTUP_CLEAR = 0x201
    HR_NV_INDEX = 0x202
    HR_LOADED = 0x203
    HR_LOADED_AVAIL = 0x204
    HR_ACTIVE = 0x205
    HR_ACTIVE_AVAIL = 0x206
    HR_TRANSIENT_AVAIL = 0x207
    HR_PERSISTENT = 0x208
    HR_PERSISTENT_AVAIL = 0x209
    NV_COUNTERS = 0x20A
    NV_COUNTERS_AVAIL = 0x20B
    ALGORITHM_SET = 0x20C
    LOADED_CURVES = 0x20D
    LOCKOUT_COUNTER = 0x20E
    MAX_AUTH_FAIL = 0x20F
    LOCKOUT_INTERVAL = 0x210
    LOCKOUT_RECOVERY = 0x211
    NV_WRITE_RECOVERY = 0x212
    AUDIT_COUNTER_0 = 0x213
    AUDIT_COUNTER_1 = 0x214


class TPM_PT_PCR(OpenEnum):
    """PCR properties (Part 2, §6.14)."""

    SAVE = 0x00
    EXTEND_L0 = 0x01
    RESET_L0 = 0x02
    EXTEND_L1 = 0x03
    RESET_L1 = 0x04
    EXTEND_L2 = 0x05
    RESET_L2 = 0x06
    EXTEND_L3 = 0x07
    RESET_L3 = 0x08
    EXTEND_L4 = 0x09
    RESET_L4 = 0x0A
    NO_INCREMENT = 0x11
    DRTM_RESET = 0x12
    POLICY = 0x13
    AUTH = 0x14


class TPM_PUB_KEY(OpenEnum):
    """Public keys that TPM_CAP_PUB_KEYS returns (Part 2, §6.12)."""

    TPM_SPDM_00 = 0x00000000


class TPM_PS(OpenEnum):
    """The platform specification that a TPM follows: TPM_PT_PS_FAMILY_INDICATOR (Part 2, §6.15)."""

    MAIN = 0x00000000
    PC = 0x00000001
    PDA = 0x00000002
    CELL_PHONE = 0x00000003
    SERVER = 0x00000004
    PERIPHERAL = 0x00000005
    TSS = 0x00000006
    STORAGE = 0x00000007
    AUTHENTICATION = 0x00000008
    EMBEDDED = 0x00000009
    HARDCOPY = 0x0000000A
    INFRASTRUCTURE = 0x0000000B
    VIRTUALIZATION = 0x0000000C
    TNC = 0x0000000D
    MULTI_TENANT = 0x0000000E
    TC = 0x0000000F


class TPM_NT(OpenEnum):
    """Types of NV indices, bits 7:4 of TPMA_NV (Part 2, §13.2)."""

    ORDINARY = 0x0
    COUNTER = 0x1
    BITS = 0x2
    EXTEND = 0x4
    PIN_FAIL = 0x8
    PIN_PASS = 0x9


class TPM_AT(OpenEnum):
    """Attached component tags (Part 2, §16.1)."""

    ANY = 0x00000000
    ERROR = 0x00000001
    PV1 = 0x00000002
    VEND = 0x80000000


class TPM_AE(OpenEnum):
    """Errors of an attached component, after TPM_AT_ERROR (Part 2, §16.1)."""

    NONE = 0x00000000


class TPMA_ALGORITHM(Attributes):
    """Attributes of an algorithm (Part 2, §8.2)."""

    ASYMMETRIC = 1 << 0
    SYMMETRIC = 1 << 1
    HASH = 1 << 2
    OBJECT = 1 << 3
    SIGNING = 1 << 8
    ENCRYPTING = 1 << 9
    METHOD = 1 << 10


class TPMA_PERMANENT(Attributes):
    """Attributes that persist across resets (Part 2, §8.6)."""

    OWNER_AUTH_SET = 1 << 0
    ENDORSEMENT_AUTH_SET = 1 << 1
    LOCKOUT_AUTH_SET = 1 << 2
    DISABLE_CLEAR = 1 << 8
    IN_LOCKOUT = 1 << 9
    TPM_GENERATED_EPS = 1 << 10


class TPMA_STARTUP_CLEAR(Attributes):
    """Attributes that TPM2_Startup(CLEAR) sets to their default values (Part 2, §8.7)."""

    PH_ENABLE = 1 << 0
    SH_ENABLE = 1 << 1
    EH_ENABLE = 1 << 2
    PH_ENABLE_NV = 1 << 3
    READ_ONLY = 1 << 4
    ORDERLY = 1 << 31


class TPMA_MEMORY(Attributes):
    """How objects, sessions and NV data share the TPM's memory (Part 2, §8.8)."""

    SHARED_RAM = 1 << 0
    SHARED_NV = 1 << 1
    OBJECT_COPIED_TO_RAM = 1 << 2


class TPMA_CC(Attributes):
    """A command's number (bits 15:0), count of handles (bits 27:25) and properties (Part 2, §8.9)."""

    NV = 1 << 22
    EXTENSIVE = 1 << 23
    FLUSHED = 1 << 24
    R_HANDLE = 1 << 28
    V = 1 << 29


class TPMA_MODES(Attributes):
    """Modes of the TPM (Part 2, §8.10)."""

    FIPS_140_2 = 1 << 0
    FIPS_140_3 = 1 << 1
    FIPS_140_3_INDICATOR = 3 << 2


class TPMA_ML_PARAMETER_SET(Attributes):
    """The parameter sets of ML-KEM and ML-DSA that the TPM supports (Part 2, §8.13)."""

    ML_KEM_512 = 1 << 0
    ML_KEM_768 = 1 << 1
    ML_KEM_1024 = 1 << 2
    ML_DSA_44 = 1 << 3
    ML_DSA_65 = 1 << 4
    ML_DSA_87 = 1 << 5
    EXT_MU = 1 << 6


class TPMA_ACT(Attributes):
    """A countdown timer's state (Part 2, §8.12)."""

    SIGNALED = 1 << 0
    PRESERVE_SIGNALED = 1 << 1


class TPMA_NV(Attributes):
    """Attributes of an NV index; bits 7:4 are its TPM_NT (Part 2, §13.4)."""

    PPWRITE = 1 << 0
    OWNERWRITE = 1 << 1
    AUTHWRITE = 1 << 2
    POLICYWRITE = 1 << 3
    POLICY_DELETE = 1 << 10
    WRITELOCKED = 1 << 11
    WRITEALL = 1 << 12
    WRITEDEFINE = 1 << 13
    WRITE_STCLEAR = 1 << 14
    GLOBALLOCK = 1 << 15
    PPREAD = 1 << 16
    OWNERREAD = 1 << 17
    AUTHREAD = 1 << 18
    POLICYREAD = 1 << 19
    NO_DA = 1 << 25
    ORDERLY = 1 << 26
    CLEAR_STCLEAR = 1 << 27
    READLOCKED = 1 << 28
    WRITTEN = 1 << 29
    PLATFORMCREATE = 1 << 30
    READ_STCLEAR = 1 << 31


class TPMA_NV_EXP(Attributes):
    """Expanded attributes of an NV index: 64 bits; the low 32 are the same as in TPMA_NV (Part 2, §13.5)."""

    PPWRITE = 1 << 0
    OWNERWRITE = 1 << 1
    AUTHWRITE = 1 << 2
    POLICYWRITE = 1 << 3
    POLICY_DELETE = 1 << 10
    WRITELOCKED = 1 << 11
    WRITEALL = 1 << 12
    WRITEDEFINE = 1 << 13
    WRITE_STCLEAR = 1 << 14
    GLOBALLOCK = 1 << 15
    PPREAD = 1 << 16
    OWNERREAD = 1 << 17
    AUTHREAD = 1 << 18
    POLICYREAD = 1 << 19
    NO_DA = 1 << 25
    ORDERLY = 1 << 26
    CLEAR_STCLEAR = 1 << 27
    READLOCKED = 1 << 28
    WRITTEN = 1 << 29
    PLATFORMCREATE = 1 << 30
    READ_STCLEAR = 1 << 31
    EXTERNAL_NV_ENCRYPTION = 1 << 32
    EXTERNAL_NV_INTEGRITY = 1 << 33
    EXTERNAL_NV_ANTIROLLBACK = 1 << 34
