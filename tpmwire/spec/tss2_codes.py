"""Response codes of the software between a program and the TPM (tss2_common.h of tpm2-tss; TCG TSS 2.0 Overview).

Bits 23:16 of a code are the layer that returned it, bits 15:0 are the layer's error.
"""

from typing import NamedTuple

__all__ = ["BASE", "LAYERS", "Layer"]


class Layer(NamedTuple):
    """A layer above the TPM: its name in a TSS2 constant, and its description."""

    name: str
    purpose: str


LAYERS = {
    6: Layer("FAPI", "the TSS 2.0 Feature API"),
    7: Layer("ESYS", "the TSS 2.0 Enhanced System API"),
    8: Layer("SYS", "the TSS 2.0 System API (SAPI)"),
    9: Layer("MU", "the marshaling library of the TSS 2.0"),
    10: Layer("TCTI", "the TCTI, which carries commands to the TPM"),
    11: Layer("RESMGR", "a resource manager, such as the kernel's /dev/tpmrm0"),
    12: Layer("RESMGR_TPM", "a resource manager, in place of the TPM"),
    13: Layer("DRIVER", "the TPM driver (in newer tpm2-tss: its policy library)"),
}

BASE = {
    1: ("GENERAL_FAILURE", "general failure"),
    2: ("NOT_IMPLEMENTED", "the function is not implemented"),
    3: ("BAD_CONTEXT", "the context is not valid"),
    4: ("ABI_MISMATCH", "the ABI versions do not match"),
    5: ("BAD_REFERENCE", "a pointer is NULL but must not be"),
    6: ("INSUFFICIENT_BUFFER", "a buffer is too small"),
    7: ("BAD_SEQUENCE", "functions were called in the wrong order"),
    8: ("NO_CONNECTION", "cannot connect to the next lower layer"),
    9: ("TRY_AGAIN", "the operation timed out or is not complete; call it again"),
    10: ("IO_ERROR", "I/O failed"),
    11: ("BAD_VALUE", "an argument is not valid"),
    12: ("NOT_PERMITTED", "the operation is not permitted"),
    13: ("INVALID_SESSIONS", "the sessions do not match the command"),
    14: ("NO_DECRYPT_PARAM", "the command has no parameter that a session could encrypt"),
    15: ("NO_ENCRYPT_PARAM", "the response has no parameter that a session could encrypt"),
    16: ("BAD_SIZE", "the size of an argument is wrong"),
    17: ("MALFORMED_RESPONSE", "the response is malformed"),
    18: ("INSUFFICIENT_CONTEXT", "the context is too small"),
    19: ("INSUFFICIENT_RESPONSE", "the response is too short"),
    20: ("INCOMPATIBLE_TCTI", "the TCTI's version is unknown or unusable"),
    21: ("NOT_SUPPORTED", "the function is not supported"),
    22: ("BAD_TCTI_STRUCTURE", "the TCTI context is not valid"),
    23: ("MEMORY", "out of memory"),
    24: ("BAD_TR", "the ESYS_TR handle is not valid"),
    25: ("MULTIPLE_DECRYPT_SESSIONS", "more than one session has the decrypt attribute"),
    26: ("MULTIPLE_ENCRYPT_SESSIONS", "more than one session has the encrypt attribute"),
    27: ("RSP_AUTH_FAILED", "invalid response HMAC"),
    28: ("NO_CONFIG", "no configuration found"),
    29: ("BAD_PATH", "the path is not valid"),
    30: ("NOT_DELETABLE", "the object cannot be deleted"),
    31: ("PATH_ALREADY_EXISTS", "the path already exists"),
    32: ("KEY_NOT_FOUND", "the key was not found"),
    33: ("SIGNATURE_VERIFICATION_FAILED", "the signature is not valid"),
    34: ("HASH_MISMATCH", "the hashes differ"),
    35: ("KEY_NOT_DUPLICABLE", "the key cannot be duplicated"),
    36: ("PATH_NOT_FOUND", "the path was not found"),
    37: ("NO_CERT", "no certificate found"),
    38: ("NO_PCR", "the PCR does not exist"),
    39: ("PCR_NOT_RESETTABLE", "the PCR cannot be reset"),
    40: ("BAD_TEMPLATE", "the key template is not valid"),
    41: ("AUTHORIZATION_FAILED", "the authorization failed"),
    42: ("AUTHORIZATION_UNKNOWN", "the authorization is not known"),
    43: ("NV_NOT_READABLE", "the NV index is not readable"),
    44: ("NV_TOO_SMALL", "the NV index is too small"),
    45: ("NV_NOT_WRITEABLE", "the NV index is not writable"),
    46: ("POLICY_UNKNOWN", "the policy is not known"),
    47: ("NV_WRONG_TYPE", "the NV index has a different type"),
    48: ("NAME_ALREADY_EXISTS", "the name already exists"),
    49: ("NO_TPM", "no TPM found"),
    50: ("BAD_KEY", "the key is not valid"),
    51: ("NO_HANDLE", "a handle is missing"),
    52: ("NOT_PROVISIONED", "the FAPI was not provisioned"),
    53: ("ALREADY_PROVISIONED", "the FAPI is already provisioned"),
    54: ("CALLBACK_NULL", "no callback is set"),
}
"""Errors that all layers share: the name behind TSS2_<layer>_RC_, and the meaning."""
