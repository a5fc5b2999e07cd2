"""TPM 2.0 Part 2, §6.6: response codes, and what to do about them."""

from typing import NamedTuple

from .codes import tpm_code
from .numbers import OpenEnum
from .tss2_codes import BASE, LAYERS

__all__ = ["TPM_RC", "Meaning", "explain"]

_VER1 = 0x100
_FMT1 = 0x080
_WARN = 0x900


class TPM_RC(OpenEnum):
    """Response codes without handle, parameter and session numbers."""

    SUCCESS = 0x000
    BAD_TAG = 0x01E

    INITIALIZE = _VER1 + 0x00
    FAILURE = _VER1 + 0x01
    SEQUENCE = _VER1 + 0x03
    PRIVATE = _VER1 + 0x0B
    HMAC = _VER1 + 0x19
    DISABLED = _VER1 + 0x20
    EXCLUSIVE = _VER1 + 0x21
    AUTH_TYPE = _VER1 + 0x24
    AUTH_MISSING = _VER1 + 0x25
    POLICY = _VER1 + 0x26
    PCR = _VER1 + 0x27
    PCR_CHANGED = _VER1 + 0x28
    UPGRADE = _VER1 + 0x2D
    TOO_MANY_CONTEXTS = _VER1 + 0x2E
    AUTH_UNAVAILABLE = _VER1 + 0x2F
    REBOOT = _VER1 + 0x30
    UNBALANCED = _VER1 + 0x31
    COMMAND_SIZE = _VER1 + 0x42
    COMMAND_CODE = _VER1 + 0x43
    AUTHSIZE = _VER1 + 0x44
    AUTH_CONTEXT = _VER1 + 0x45
    NV_RANGE = _VER1 + 0x46
    NV_SIZE = _VER1 + 0x47
    NV_LOCKED = _VER1 + 0x48
    NV_AUTHORIZATION = _VER1 + 0x49
    NV_UNINITIALIZED = _VER1 + 0x4A
    NV_SPACE = _VER1 + 0x4B
    NV_DEFINED = _VER1 + 0x4C
    BAD_CONTEXT = _VER1 + 0x50
    CPHASH = _VER1 + 0x51
    PARENT = _VER1 + 0x52
    NEEDS_TEST = _VER1 + 0x53
    NO_RESULT = _VER1 + 0x54
    SENSITIVE = _VER1 + 0x55
    READ_ONLY = _VER1 + 0x56

    ASYMMETRIC = _FMT1 + 0x01
    ATTRIBUTES = _FMT1 + 0x02
    HASH = _FMT1 + 0x03
    VALUE = _FMT1 + 0x04
    HIERARCHY = _FMT1 + 0x05
    KEY_SIZE = _FMT1 + 0x07
    MGF = _FMT1 + 0x08
    MODE = _FMT1 + 0x09
    TYPE = _FMT1 + 0x0A
    HANDLE = _FMT1 + 0x0B
    KDF = _FMT1 + 0x0C
    RANGE = _FMT1 + 0x0D
    AUTH_FAIL = _FMT1 + 0x0E
    NONCE = _FMT1 + 0x0F
    PP = _FMT1 + 0x10
    SCHEME = _FMT1 + 0x12
    SIZE = _FMT1 + 0x15
    SYMMETRIC = _FMT1 + 0x16
    TAG = _FMT1 + 0x17
    SELECTOR = _FMT1 + 0x18
    INSUFFICIENT = _FMT1 + 0x1A
    SIGNATURE = _FMT1 + 0x1B
    KEY = _FMT1 + 0x1C
    POLICY_FAIL = _FMT1 + 0x1D
    INTEGRITY = _FMT1 + 0x1F
    TICKET = _FMT1 + 0x20
    RESERVED_BITS = _FMT1 + 0x21
    BAD_AUTH = _FMT1 + 0x22
    EXPIRED = _FMT1 + 0x23
    POLICY_CC = _FMT1 + 0x24
    BINDING = _FMT1 + 0x25
    CURVE = _FMT1 + 0x26
    ECC_POINT = _FMT1 + 0x27
    FW_LIMITED = _FMT1 + 0x28
    SVN_LIMITED = _FMT1 + 0x29
    CHANNEL = _FMT1 + 0x30
    CHANNEL_KEY = _FMT1 + 0x31

    CONTEXT_GAP = _WARN + 0x01
    OBJECT_MEMORY = _WARN + 0x02
    SESSION_MEMORY = _WARN + 0x03
    MEMORY = _WARN + 0x04
    SESSION_HANDLES = _WARN + 0x05
    OBJECT_HANDLES = _WARN + 0x06
    LOCALITY = _WARN + 0x07
    YIELDED = _WARN + 0x08
    CANCELED = _WARN + 0x09
    TESTING = _WARN + 0x0A
    REFERENCE_H0 = _WARN + 0x10
    REFERENCE_H1 = _WARN + 0x11
    REFERENCE_H2 = _WARN + 0x12
    REFERENCE_H3 = _WARN + 0x13
    REFERENCE_H4 = _WARN + 0x14
    REFERENCE_H5 = _WARN + 0x15
    REFERENCE_H6 = _WARN + 0x16
    REFERENCE_S0 = _WARN + 0x18
    REFERENCE_S1 = _WARN + 0x19
    REFERENCE_S2 = _WARN + 0x1A
    REFERENCE_S3 = _WARN + 0x1B
    REFERENCE_S4 = _WARN + 0x1C
    REFERENCE_S5 = _WARN + 0x1D
    REFERENCE_S6 = _WARN + 0x1E
    NV_RATE = _WARN + 0x20
    LOCKOUT = _WARN + 0x21
    RETRY = _WARN + 0x22
    NV_UNAVAILABLE = _WARN + 0x23
    NOT_USED = _WARN + 0x7F


_DESCRIPTIONS = {
    TPM_RC.SUCCESS: "success",
    TPM_RC.BAD_TAG: "the tag is not one of TPM 2.0",
    TPM_RC.INITIALIZE: "the TPM was not started by TPM2_Startup",
    TPM_RC.FAILURE: "the TPM is in failure mode",
    TPM_RC.SEQUENCE: "a sequence handle is used wrongly",
    TPM_RC.PRIVATE: "not currently used",
    TPM_RC.HMAC: "not currently used",
    TPM_RC.DISABLED: "the command or hierarchy is disabled",
    TPM_RC.EXCLUSIVE: "the audit session is no longer exclusive",
    TPM_RC.AUTH_TYPE: "the handle does not take this kind of authorization",
    TPM_RC.AUTH_MISSING: "the command needs an authorization session that was not given",
    TPM_RC.POLICY: "a policy failed in math or is too long",
    TPM_RC.PCR: "PCR check fail",
    TPM_RC.PCR_CHANGED: "PCRs changed since the policy checked them",
    TPM_RC.UPGRADE: "the TPM is in field upgrade mode",
    TPM_RC.TOO_MANY_CONTEXTS: "the counter of saved contexts is at its maximum",
    TPM_RC.AUTH_UNAVAILABLE: "authValue or authPolicy is not available for the selected entity",
    TPM_RC.REBOOT: "the TPM needs a reset before it goes on",
    TPM_RC.UNBALANCED: "the hash and symmetric algorithms differ in strength",
    TPM_RC.COMMAND_SIZE: "the command's size does not fit its contents",
    TPM_RC.COMMAND_CODE: "the TPM does not implement this command",
    TPM_RC.AUTHSIZE: "the size of the authorization area is wrong",
    TPM_RC.AUTH_CONTEXT: "this command takes no sessions",
    TPM_RC.NV_RANGE: "outside of the NV index",
    TPM_RC.NV_SIZE: "the NV size requested is larger than allowed",
    TPM_RC.NV_LOCKED: "the NV index is locked",
    TPM_RC.NV_AUTHORIZATION: "NV access is not authorized",
    TPM_RC.NV_UNINITIALIZED: "the NV index was never written",
    TPM_RC.NV_SPACE: "not enough NV space",
    TPM_RC.NV_DEFINED: "the NV index or persistent object is already defined",
    TPM_RC.BAD_CONTEXT: "the saved context is not valid",
    TPM_RC.CPHASH: "the command's cpHash is set already or does not match",
    TPM_RC.PARENT: "the parent handle is not a valid parent",
    TPM_RC.NEEDS_TEST: "a function needs testing",
    TPM_RC.NO_RESULT: "an internal function could not process a request for random numbers",
    TPM_RC.SENSITIVE: "the private area does not unmarshal after decryption",
    TPM_RC.READ_ONLY: "the TPM is in read-only mode",
    TPM_RC.ASYMMETRIC: "the asymmetric algorithm is not supported or not correct",
    TPM_RC.ATTRIBUTES: "inconsistent attributes",
    TPM_RC.HASH: "the hash algorithm is not supported or not right here",
    TPM_RC.VALUE: "a value is out of range or not right here",
    TPM_RC.HIERARCHY: "the hierarchy is not enabled or not right here",
    TPM_RC.KEY_SIZE: "the key size is not supported",
    TPM_RC.MGF: "the mask generation function is not supported",
    TPM_RC.MODE: "the mode of operation is not supported",
    TPM_RC.TYPE: "the type of the value is not right here",
    TPM_RC.HANDLE: "no object at this handle, or not of the type that the command needs",
    TPM_RC.KDF: "the key derivation function is not supported or not right here",
    TPM_RC.RANGE: "a value is out of range",
    TPM_RC.AUTH_FAIL: "wrong password",
    TPM_RC.NONCE: "the nonce has the wrong size or value",
    TPM_RC.PP: "physical presence is required",
    TPM_RC.SCHEME: "the scheme is not supported or not right here",
    TPM_RC.SIZE: "a structure has the wrong size",
    TPM_RC.SYMMETRIC: "the symmetric algorithm is not supported or not right here",
    TPM_RC.TAG: "the structure tag is wrong",
    TPM_RC.SELECTOR: "a union selector is wrong",
    TPM_RC.INSUFFICIENT: "the command ends in the middle of a value",
    TPM_RC.SIGNATURE: "the signature is not valid",
    TPM_RC.KEY: "the key's fields are not compatible with this use",
    TPM_RC.POLICY_FAIL: "a policy check failed",
    TPM_RC.INTEGRITY: "the integrity check of a private area or context failed",
    TPM_RC.TICKET: "the ticket is not valid",
    TPM_RC.RESERVED_BITS: "reserved bits are set",
    TPM_RC.BAD_AUTH: "wrong password",
    TPM_RC.EXPIRED: "the policy has expired",
    TPM_RC.POLICY_CC: "the policy authorizes another command",
    TPM_RC.BINDING: "the public and private areas do not belong together",
    TPM_RC.CURVE: "the curve is not supported",
    TPM_RC.ECC_POINT: "the point is not on the curve",
    TPM_RC.FW_LIMITED: "the object is limited to another firmware",
    TPM_RC.SVN_LIMITED: "the object is limited to another firmware security version",
    TPM_RC.CHANNEL: "the command must come over a secure channel",
    TPM_RC.CHANNEL_KEY: "the secure channel's key is not the one required",
    TPM_RC.CONTEXT_GAP: "too many context saves since the oldest saved session",
    TPM_RC.OBJECT_MEMORY: "no free object slot",
    TPM_RC.SESSION_MEMORY: "no free session slot",
    TPM_RC.MEMORY: "out of memory",
    TPM_RC.SESSION_HANDLES: "no free session handle",
    TPM_RC.OBJECT_HANDLES: "no free object handle",
    TPM_RC.LOCALITY: "wrong locality",
    TPM_RC.YIELDED: "the TPM yielded; the command can be sent again",
    TPM_RC.CANCELED: "the command was cancelled",
    TPM_RC.TESTING: "the TPM is testing itself",
    TPM_RC.NV_RATE: "NV writes are limited to protect the memory",
    TPM_RC.LOCKOUT: "the TPM is in dictionary-attack lockout",
    TPM_RC.RETRY: "the TPM is busy; the command can be sent again",
    TPM_RC.NV_UNAVAILABLE: "NV memory is not available now",
    TPM_RC.NOT_USED: "not a code that a TPM answers",
}

_HINTS = {
    TPM_RC.INITIALIZE: "start swtpm with --flags startup-clear, or reboot the machine",
    TPM_RC.FAILURE: "a reset may help; TPM2_GetTestResult says more",
    TPM_RC.AUTH_FAIL: "this counts toward dictionary-attack lockout",
    TPM_RC.BAD_AUTH: "check the key's or hierarchy's password",
    TPM_RC.POLICY_FAIL: "PCR values differ from those the key was made for, or a step of its policy is missing",
    TPM_RC.AUTH_UNAVAILABLE: "the key is used by its policy only, not by a password: is --pcrs missing?",
    TPM_RC.AUTH_TYPE: "the key's attributes forbid this authorization: userWithAuth clear wants a policy",
    TPM_RC.PCR_CHANGED: "run again",
    TPM_RC.INTEGRITY: "the key belongs to another TPM or parent, or the owner hierarchy was cleared since",
    TPM_RC.BINDING: "the key file is damaged",
    TPM_RC.TYPE: "the TPM may lack this type of key: it has RSA or ECC only",
    TPM_RC.CURVE: "try an RSA key",
    TPM_RC.HANDLE: "`tpmwire list` shows what the TPM holds",
    TPM_RC.REFERENCE_H0: "the object of the first handle is not loaded",
    TPM_RC.REFERENCE_S0: "the first session is not loaded",
    TPM_RC.OBJECT_MEMORY: "`tpmwire flush` frees objects that others left; /dev/tpmrm0 keeps users apart",
    TPM_RC.SESSION_MEMORY: "`tpmwire flush` frees sessions that others left; /dev/tpmrm0 keeps users apart",
    TPM_RC.SESSION_HANDLES: "`tpmwire flush` frees sessions that others left",
    TPM_RC.LOCKOUT: "wait for the recovery time, or reset it with the lockout password",
    TPM_RC.NV_DEFINED: "`tpmwire evict` frees a persistent handle",
    TPM_RC.NV_SPACE: "`tpmwire evict` frees persistent handles",
    TPM_RC.DISABLED: "the firmware's settings may enable the hierarchy",
    TPM_RC.HIERARCHY: "the hierarchy may be disabled in the firmware's settings",
    TPM_RC.COMMAND_CODE: "the chip lacks it",
    TPM_RC.RETRY: "run again",
    TPM_RC.TESTING: "run again in a moment",
    TPM_RC.NV_RATE: "run again in a moment",
}


class Meaning(NamedTuple):
    """A response code taken apart. `handle`, `parameter`, `session` are numbers from 1, or None.

    `code` is the TPM's part, without these numbers; the whole code where it says nothing of the TPM. `layer` is
    the layer above the TPM that answered, a key of `tss2_codes.LAYERS`, or 0.
    """

    code: TPM_RC
    name: str
    description: str
    hint: str = ""
    handle: int | None = None
    parameter: int | None = None
    session: int | None = None
    warning: bool = False
    vendor: bool = False
    layer: int = 0


def explain(rc: int) -> Meaning:
    """Takes a response code apart (Part 2, §6.6.1). Any 32-bit number has a meaning, if only a vendor's."""
    own = tpm_code(rc)
    layer = rc >> 16 if rc >> 16 in LAYERS else 0
    if own >> 12 or (not own & _FMT1 and own & 0x400):
        return _of_layer(rc, layer) if layer else _unknown(rc)
    handle = parameter = session = None
    code = TPM_RC(own)
    if own & _FMT1:
        code = TPM_RC(own & 0x0BF)
        number = own >> 8 & 0xF
        # 0 says that the TPM does not tell which one (Part 2, §6.6.2).
        if own & 0x040:
            parameter = number or None
        elif number & 0x8:
            session = number & 0x7 or None
        else:
            handle = number or None
    return Meaning(
        code,
        f"TPM_RC_{code.name}" if code.known else f"TPM_RC {code.name}",
        _DESCRIPTIONS.get(code) or _reference(code),
        _HINTS.get(code, ""),
        handle,
        parameter,
        session,
        warning=bool(not own & _FMT1 and own & 0x800),
        layer=layer,
    )


def _of_layer(rc: int, layer: int) -> Meaning:
    """An error of the software above the TPM itself."""
    name, description = BASE.get(rc & 0xFFFF, (f"0x{rc & 0xFFFF:04x}", "not in this table"))
    return Meaning(TPM_RC(rc), f"TSS2_{LAYERS[layer].name}_RC_{name}", description, layer=layer)


def _unknown(rc: int) -> Meaning:
    own = "not a code of the TPM or of a TSS2 layer: sent by a driver or resource manager"
    return Meaning(TPM_RC(rc), f"0x{rc:x}", own if rc >> 12 else "vendor-defined", vendor=True)


def _reference(code: TPM_RC) -> str:
    if TPM_RC.REFERENCE_H0 <= code <= TPM_RC.REFERENCE_H6:
        return f"handle {code - TPM_RC.REFERENCE_H0 + 1} refers to an object that is not loaded"
    if TPM_RC.REFERENCE_S0 <= code <= TPM_RC.REFERENCE_S6:
        return f"session {code - TPM_RC.REFERENCE_S0 + 1} is not loaded"
    return "not in this table"
