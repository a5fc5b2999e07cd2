"""The values that the soft TPM supports for each interface type (TPMI), and the response code for other values.

Source: Part 2, §9.
"""

from collections.abc import Callable

from ..spec.constants import TPM_ALG, TPM_ECC, TPM_HT, TPM_RH
from ..spec.response_codes import TPM_RC
from . import ecc, postquantum
from .tpm_state import LOADED_MAX, SESSIONS_MAX

__all__ = ["HASHES", "LIMITS", "MACS", "NULL_HANDLES", "NULL_HASHES", "VALUES", "handle_types"]

HASHES = (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)
CURVES = tuple(TPM_ECC(curve) for curve in ecc.CURVES)
ECC_SIGNING = (TPM_ALG.ECDSA, TPM_ALG.ECDAA, TPM_ALG.SM2, TPM_ALG.ECSCHNORR)
SIGNING = (TPM_ALG.RSASSA, TPM_ALG.RSAPSS, *ECC_SIGNING, TPM_ALG.HMAC, *postquantum.SIGNING)
MODES = (TPM_ALG.CTR, TPM_ALG.OFB, TPM_ALG.CBC, TPM_ALG.CFB, TPM_ALG.ECB)
KDFS = (TPM_ALG.MGF1, TPM_ALG.KDF1_SP800_56A, TPM_ALG.KDF2, TPM_ALG.KDF1_SP800_108, TPM_ALG.HKDF)
HIERARCHIES = (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM)
NULL = TPM_ALG.NULL

VALUES: dict[str, tuple[tuple[int, ...], TPM_RC]] = {
    "TPMI_YES_NO": ((0, 1), TPM_RC.VALUE),
    "TPMI_ALG_HASH": ((*HASHES, NULL), TPM_RC.HASH),
    "TPMI_ALG_SYM": ((TPM_ALG.AES, TPM_ALG.XOR, NULL), TPM_RC.SYMMETRIC),
    "TPMI_ALG_SYM_OBJECT": ((TPM_ALG.AES, NULL), TPM_RC.SYMMETRIC),
    "TPMI_ALG_SYM_MODE": ((*MODES, TPM_ALG.CMAC, NULL), TPM_RC.MODE),
    "TPMI_ALG_CIPHER_MODE": ((*MODES, NULL), TPM_RC.MODE),
    "TPMI_ALG_KDF": ((*KDFS, NULL), TPM_RC.KDF),
    "TPMI_ALG_SIG_SCHEME": ((*SIGNING, NULL), TPM_RC.SCHEME),
    "TPMI_ALG_RSA_SCHEME": (
        (TPM_ALG.RSASSA, TPM_ALG.RSAPSS, TPM_ALG.RSAES, TPM_ALG.OAEP, NULL),
        TPM_RC.VALUE,
    ),
    "TPMI_ALG_RSA_DECRYPT": ((TPM_ALG.RSAES, TPM_ALG.OAEP, NULL), TPM_RC.VALUE),
    "TPMI_ALG_ECC_SCHEME": ((*ECC_SIGNING, TPM_ALG.ECDH, TPM_ALG.ECMQV, NULL), TPM_RC.SCHEME),
    "TPMI_ECC_KEY_EXCHANGE": ((TPM_ALG.ECDH, TPM_ALG.ECMQV, TPM_ALG.SM2), TPM_RC.SCHEME),
    "TPMI_ALG_KEYEDHASH_SCHEME": ((TPM_ALG.HMAC, TPM_ALG.XOR, NULL), TPM_RC.VALUE),
    "TPMI_ALG_PUBLIC": (
        (TPM_ALG.KEYEDHASH, TPM_ALG.SYMCIPHER, TPM_ALG.RSA, TPM_ALG.ECC, *postquantum.TYPES),
        TPM_RC.TYPE,
    ),
    "TPMI_ECC_CURVE": (CURVES, TPM_RC.CURVE),
    "TPMI_MLKEM_PARMS": ((1, 2, 3), TPM_RC.PARMS),
    "TPMI_MLDSA_PARMS": ((1, 2, 3), TPM_RC.PARMS),
    "TPMI_RSA_KEY_BITS": ((1024, 2048, 3072), TPM_RC.VALUE),
    "TPM_SE": ((0, 1, 3), TPM_RC.VALUE),
    "TPM_SU": ((0, 1), TPM_RC.VALUE),
    "TPM_EO": (tuple(range(12)), TPM_RC.VALUE),
    "TPMI_RH_HIERARCHY": ((*HIERARCHIES, TPM_RH.NULL), TPM_RC.VALUE),
    "TPMI_RH_ENABLES": ((*HIERARCHIES, TPM_RH.PLATFORM_NV), TPM_RC.VALUE),
    "TPM_CLOCK_ADJUST": ((0xFD, 0xFE, 0xFF, 0, 1, 2, 3), TPM_RC.VALUE),
}
"""Interface type: (accepted values, response code for other values)."""

LIMITS = {
    "TPM2B_MAX_BUFFER": 1024,
    "TPM2B_MAX_NV_BUFFER": 1024,
    "TPM2B_SENSITIVE_DATA": 128,
    "TPM2B_EVENT": 1024,
    "TPM2B_SIGNATURE_CTX": 255,
    "TPM2B_SIGNATURE_HINT": 255,
}
"""Maximum sizes in bytes of this TPM that are below the limits in the declarations."""

NULL_HASHES = (
    ("nameless", "name_alg"),
    ("HashSequenceStart", "hash_alg"),
    ("HMAC", "hash_alg"),
    ("HMAC_Start", "hash_alg"),
    ("SetPrimaryPolicy", "hash_alg"),
    ("PCR_SetAuthPolicy", "hash_alg"),
    ("SetCommandCodeAuditStatus", "audit_alg"),
)
"""Fields for which TPM_ALG_NULL is a valid hash algorithm (the mark "+" in Parts 2 and 3)."""

NULL_HANDLES = (
    ("StartAuthSession", "tpm_key"),
    ("StartAuthSession", "bind"),
    ("Certify", "sign_handle"),
    ("CertifyCreation", "sign_handle"),
    ("Quote", "sign_handle"),
    ("GetSessionAuditDigest", "sign_handle"),
    ("GetCommandAuditDigest", "sign_handle"),
    ("GetTime", "sign_handle"),
    ("NV_Certify", "sign_handle"),
    ("Duplicate", "new_parent_handle"),
    ("Rewrap", "old_parent"),
    ("Rewrap", "new_parent"),
    ("EventSequenceComplete", "pcr_handle"),
)
"""Handles of commands for which TPM_RH_NULL is valid."""

MACS = (("HMAC", "hash_alg"), ("HMAC_Start", "hash_alg"))
"""Fields with the algorithm of a MAC, which may be CMAC: TPM2_MAC and TPM2_MAC_Start have the same codes."""

_OBJECT = (TPM_HT.TRANSIENT, TPM_HT.PERSISTENT)

_COUNTS = {TPM_HT.TRANSIENT: LOADED_MAX, TPM_HT.HMAC_SESSION: SESSIONS_MAX, TPM_HT.POLICY_SESSION: SESSIONS_MAX}
"""Number of handles that this TPM assigns per handle type; higher handles are not valid."""


def _any_of(*handles: int, kinds: tuple[int, ...] = ()) -> Callable[[int], bool]:
    def accepts(handle: int) -> bool:
        kind = handle >> 24
        known = kind in kinds and handle & 0xFFFFFF < _COUNTS.get(TPM_HT(kind), 1 << 24)
        return handle in handles or known

    return accepts


_HANDLES = {
    "TPMI_DH_OBJECT": _any_of(kinds=_OBJECT),
    "TPMI_DH_PARENT": _any_of(*HIERARCHIES, TPM_RH.NULL, kinds=_OBJECT),
    "TPMI_DH_PERSISTENT": _any_of(kinds=(TPM_HT.PERSISTENT,)),
    "TPMI_DH_ENTITY": lambda handle: (
        _any_of(*HIERARCHIES, TPM_RH.LOCKOUT, kinds=(*_OBJECT, TPM_HT.NV_INDEX))(handle) or handle < 24
    ),
    "TPMI_DH_PCR": lambda handle: handle < 24,
    "TPMI_SH_AUTH_SESSION": _any_of(kinds=(TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION)),
    "TPMI_SH_HMAC": _any_of(kinds=(TPM_HT.HMAC_SESSION,)),
    "TPMI_SH_POLICY": _any_of(kinds=(TPM_HT.POLICY_SESSION,)),
    "TPMI_DH_CONTEXT": _any_of(kinds=(TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION, TPM_HT.TRANSIENT)),
    "TPMI_DH_SAVED": lambda handle: (
        handle in (0x80000000, 0x80000001, 0x80000002)
        or (handle >> 24 in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION) and handle & 0xFFFFFF < SESSIONS_MAX)
    ),
    "TPMI_RH_HIERARCHY": _any_of(*HIERARCHIES, TPM_RH.NULL),
    "TPMI_RH_HIERARCHY_AUTH": _any_of(*HIERARCHIES, TPM_RH.LOCKOUT),
    "TPMI_RH_HIERARCHY_POLICY": _any_of(*HIERARCHIES, TPM_RH.LOCKOUT),
    "TPMI_RH_OWNER": _any_of(TPM_RH.OWNER),
    "TPMI_RH_PROVISION": _any_of(TPM_RH.OWNER, TPM_RH.PLATFORM),
    "TPMI_RH_CLEAR": _any_of(TPM_RH.LOCKOUT, TPM_RH.PLATFORM),
    "TPMI_RH_LOCKOUT": _any_of(TPM_RH.LOCKOUT),
    "TPMI_RH_PLATFORM": _any_of(TPM_RH.PLATFORM),
    "TPMI_RH_ENDORSEMENT": _any_of(TPM_RH.ENDORSEMENT),
    "TPMI_RH_NV_AUTH": _any_of(TPM_RH.OWNER, TPM_RH.PLATFORM, kinds=(TPM_HT.NV_INDEX,)),
    "TPMI_RH_NV_INDEX": _any_of(kinds=(TPM_HT.NV_INDEX,)),
}


def handle_types(kind: str) -> Callable[[int], bool]:
    """Returns a function that checks whether a handle is of the interface type `kind`, such as TPMI_DH_OBJECT."""
    return _HANDLES[kind]
