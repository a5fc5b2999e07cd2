"""The meaning of response codes (TPM 2.0 Part 2, §6.6), and the next step for the user."""

from typing import NamedTuple

from .codes import tpm_code
from .response_codes import TPM_RC
from .tss2_codes import BASE, LAYERS

__all__ = ["Meaning", "explain"]

_FORMAT_ONE = 0x080

_DESCRIPTIONS = {
    TPM_RC.SUCCESS: "success",
    TPM_RC.BAD_TAG: "the tag is not a TPM 2.0 tag",
    TPM_RC.INITIALIZE: "the TPM has not executed TPM2_Startup",
    TPM_RC.FAILURE: "the TPM is in failure mode",
    TPM_RC.SEQUENCE: "improper use of a sequence handle",
    TPM_RC.PRIVATE: "not currently used",
    TPM_RC.HMAC: "not currently used",
    TPM_RC.DISABLED: "the command or hierarchy is disabled",
    TPM_RC.EXCLUSIVE: "the audit session is no longer exclusive",
    TPM_RC.AUTH_TYPE: "the handle does not accept this type of authorization",
    TPM_RC.AUTH_MISSING: "the command needs an authorization session",
    TPM_RC.POLICY: "a policy computation failed, or the policy digest is invalid",
    TPM_RC.PCR: "a PCR check failed",
    TPM_RC.PCR_CHANGED: "PCRs changed since the policy checked them",
    TPM_RC.UPGRADE: "the TPM is in field upgrade mode",
    TPM_RC.TOO_MANY_CONTEXTS: "the counter of saved contexts is at its maximum",
    TPM_RC.AUTH_UNAVAILABLE: "authValue or authPolicy is not available for the selected entity",
    TPM_RC.REBOOT: "the TPM needs a reset",
    TPM_RC.UNBALANCED: "the hash and symmetric algorithms differ in strength",
    TPM_RC.COMMAND_SIZE: "the command's size does not match its contents",
    TPM_RC.COMMAND_CODE: "the TPM does not implement this command",
    TPM_RC.AUTHSIZE: "the size of the authorization area is wrong",
    TPM_RC.AUTH_CONTEXT: "the command does not support sessions",
    TPM_RC.NV_RANGE: "the access is outside the NV index",
    TPM_RC.NV_SIZE: "the NV size requested is larger than allowed",
    TPM_RC.NV_LOCKED: "the NV index is locked",
    TPM_RC.NV_AUTHORIZATION: "NV access is not authorized",
    TPM_RC.NV_UNINITIALIZED: "the NV index has not been written",
    TPM_RC.NV_SPACE: "not enough NV space",
    TPM_RC.NV_DEFINED: "the NV index or persistent object is already defined",
    TPM_RC.BAD_CONTEXT: "the saved context is not valid",
    TPM_RC.CPHASH: "the cpHash is already set or does not match",
    TPM_RC.PARENT: "the parent handle is not a valid parent",
    TPM_RC.NEEDS_TEST: "a function needs testing",
    TPM_RC.NO_RESULT: "an internal function could not process a request for random numbers",
    TPM_RC.SENSITIVE: "the private area does not unmarshal after decryption",
    TPM_RC.READ_ONLY: "the TPM is in read-only mode",
    TPM_RC.ASYMMETRIC: "the asymmetric algorithm is not supported or not correct",
    TPM_RC.ATTRIBUTES: "inconsistent attributes",
    TPM_RC.HASH: "the hash algorithm is not supported or not appropriate",
    TPM_RC.VALUE: "a value is out of range or not appropriate",
    TPM_RC.HIERARCHY: "the hierarchy is not enabled or not appropriate",
    TPM_RC.KEY_SIZE: "the key size is not supported",
    TPM_RC.MGF: "the mask generation function is not supported",
    TPM_RC.MODE: "the mode of operation is not supported",
    TPM_RC.TYPE: "the type of the value is not appropriate",
    TPM_RC.HANDLE: "no object at this handle, or not of the type that the command needs",
    TPM_RC.KDF: "the key derivation function is not supported or not appropriate",
    TPM_RC.RANGE: "a value is out of range",
    TPM_RC.AUTH_FAIL: "wrong password",
    TPM_RC.NONCE: "the nonce has the wrong size or value",
    TPM_RC.PP: "physical presence is required",
    TPM_RC.SCHEME: "the scheme is not supported or not appropriate",
    TPM_RC.SIZE: "a structure has the wrong size",
    TPM_RC.SYMMETRIC: "the symmetric algorithm is not supported or not appropriate",
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
    TPM_RC.POLICY_CC: "the policy authorizes a different command",
    TPM_RC.BINDING: "the public and private areas do not belong together",
    TPM_RC.CURVE: "the curve is not supported",
    TPM_RC.ECC_POINT: "the point is not on the curve",
    TPM_RC.FW_LIMITED: "the object is limited to a different firmware",
    TPM_RC.SVN_LIMITED: "the object is limited to a different firmware security version",
    TPM_RC.PARMS: "the parameter set is not supported",
    TPM_RC.EXT_MU: "the TPM does not support an external Mu for this key",
    TPM_RC.ONE_SHOT_SIGNATURE: "the algorithm needs the whole message in one command",
    TPM_RC.SIGN_CONTEXT_KEY: "the key is not the one with which the sequence was started",
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
    TPM_RC.NOT_USED: "a TPM does not return this code",
}

_HINTS = {
    TPM_RC.INITIALIZE: "restart the machine, or start swtpm with the flag startup-clear",
    TPM_RC.FAILURE: "a reset may help; TPM2_GetTestResult returns details",
    TPM_RC.AUTH_FAIL: "this counts toward dictionary-attack lockout",
    TPM_RC.BAD_AUTH: "check the key's or hierarchy's password",
    TPM_RC.POLICY_FAIL: "the PCR values differ from those in the key's policy, or a policy step is missing",
    TPM_RC.AUTH_UNAVAILABLE: "the key requires its policy instead of a password",
    TPM_RC.AUTH_TYPE: "this use of the object requires a policy session instead of a password",
    TPM_RC.PCR_CHANGED: "run again",
    TPM_RC.INTEGRITY: "the key belongs to a different TPM or parent, or the owner hierarchy was cleared since",
    TPM_RC.BINDING: "the key file is damaged",
    TPM_RC.TYPE: "the TPM may not support this type of key; some TPMs support only RSA",
    TPM_RC.CURVE: "try an RSA key",
    TPM_RC.HANDLE: "`tpmwire list` lists the objects in the TPM",
    TPM_RC.REFERENCE_H0: "the object of the first handle is not loaded",
    TPM_RC.REFERENCE_S0: "the first session is not loaded",
    TPM_RC.OBJECT_MEMORY: "`tpmwire flush` flushes objects that other programs left; /dev/tpmrm0 isolates them",
    TPM_RC.SESSION_MEMORY: "`tpmwire flush` flushes sessions that other programs left; /dev/tpmrm0 isolates them",
    TPM_RC.SESSION_HANDLES: "`tpmwire flush` flushes sessions that other programs left",
    TPM_RC.LOCKOUT: "wait for the recovery time, or end the lockout with the lockout password",
    TPM_RC.NV_DEFINED: "`tpmwire evict` frees a persistent handle",
    TPM_RC.NV_SPACE: "`tpmwire evict` frees persistent handles",
    TPM_RC.DISABLED: "the firmware's settings may enable the hierarchy",
    TPM_RC.HIERARCHY: "the hierarchy may be disabled in the firmware's settings",
    TPM_RC.COMMAND_CODE: "`tpmwire info` lists the missing commands",
    TPM_RC.RETRY: "run again",
    TPM_RC.TESTING: "run again in a moment",
    TPM_RC.NV_RATE: "run again in a moment",
}


class Meaning(NamedTuple):
    """The parts of a response code. `handle`, `parameter` and `session` are numbers from 1, or None.

    `code` is the TPM's part without these numbers, or the whole code if it does not come from the TPM. `layer` is
    the layer above the TPM that returned the code, a key of `tss2_codes.LAYERS`, or 0.
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
    """Returns the meaning of a response code (Part 2, §6.6.1). `rc` can be any 32-bit number."""
    own = tpm_code(rc)
    layer = rc >> 16 if rc >> 16 in LAYERS else 0
    if own >> 12 or (not own & _FORMAT_ONE and own & 0x400):
        return _of_layer(rc, layer) if layer else _describe_unknown(rc)
    handle = parameter = session = None
    code = TPM_RC(own)
    if own & _FORMAT_ONE:
        code = TPM_RC(own & 0x0BF)
        number = own >> 8 & 0xF
        # The number 0 means that the TPM does not state which one (Part 2, §6.6.2).
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
        warning=bool(not own & _FORMAT_ONE and own & 0x800),
        layer=layer,
    )


def _of_layer(rc: int, layer: int) -> Meaning:
    """Returns the meaning of a response code of the software layer `layer` above the TPM."""
    name, description = BASE.get(rc & 0xFFFF, (f"0x{rc & 0xFFFF:04x}", "not in this table"))
    return Meaning(TPM_RC(rc), f"TSS2_{LAYERS[layer].name}_RC_{name}", description, layer=layer)


def _describe_unknown(rc: int) -> Meaning:
    own = "not a code of the TPM or of a TSS2 layer: returned by a driver or resource manager"
    return Meaning(TPM_RC(rc), f"0x{rc:x}", own if rc >> 12 else "vendor-defined", vendor=True)


def _reference(code: TPM_RC) -> str:
    if TPM_RC.REFERENCE_H0 <= code <= TPM_RC.REFERENCE_H6:
        return f"handle {code - TPM_RC.REFERENCE_H0 + 1} refers to an object that is not loaded"
    if TPM_RC.REFERENCE_S0 <= code <= TPM_RC.REFERENCE_S6:
        return f"session {code - TPM_RC.REFERENCE_S0 + 1} is not loaded"
    return "not in this table"
