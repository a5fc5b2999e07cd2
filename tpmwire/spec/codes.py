"""TPM response codes as plain ints, to avoid loading `response_codes`.

`tpm_code` extracts the TPM's part of a code.
"""

__all__ = ["AGAIN", "NO_ECC", "RESOURCE_MANAGERS", "tpm_code"]

TPM_RC_ASYMMETRIC = 0x081
TPM_RC_ATTRIBUTES = 0x082
TPM_RC_HASH = 0x083
TPM_RC_VALUE = 0x084
TPM_RC_MODE = 0x089
TPM_RC_TYPE = 0x08A
TPM_RC_HANDLE = 0x08B
TPM_RC_AUTH_FAIL = 0x08E
TPM_RC_SCHEME = 0x092
TPM_RC_SIZE = 0x095
TPM_RC_SYMMETRIC = 0x096
TPM_RC_SIGNATURE = 0x09B
TPM_RC_KEY = 0x09C
TPM_RC_POLICY_FAIL = 0x09D
TPM_RC_INTEGRITY = 0x09F
TPM_RC_TICKET = 0x0A0
TPM_RC_BAD_AUTH = 0x0A2
TPM_RC_CURVE = 0x0A6
TPM_RC_PARMS = 0x0AA
TPM_RC_INITIALIZE = 0x100
TPM_RC_FAILURE = 0x101
TPM_RC_SEQUENCE = 0x103
TPM_RC_COMMAND_CODE = 0x143
TPM_RC_OBJECT_MEMORY = 0x902
TPM_RC_SESSION_MEMORY = 0x903
TPM_RC_YIELDED = 0x908
TPM_RC_CANCELED = 0x909
TPM_RC_TESTING = 0x90A
TPM_RC_REFERENCE_H0 = 0x910
TPM_RC_RETRY = 0x922

AGAIN = (TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY)
"""Codes after which the command has to be sent again (Part 2, §6.6.3)."""

NO_ECC = (TPM_RC_TYPE, TPM_RC_CURVE, TPM_RC_ASYMMETRIC, TPM_RC_VALUE)
"""Codes for the template of a P-256 key on a TPM without ECC or the curve (Part 2, §11.2.5 and §12.2.2)."""

RESOURCE_MANAGERS = (11, 12)
"""Numbers of the layers that pass on the TPM's own codes (tss2_common.h): the kernel's /dev/tpmrm0 is 11."""


def tpm_code(rc: int) -> int:
    """Returns the TPM's part of a response code, or the whole code if it does not come from the TPM.

    A resource manager puts its layer into bits 31:16. For a command that the chip does not implement, /dev/tpm0
    returns the chip's code 0x143, and /dev/tpmrm0 returns 0x000b0143. Codes below 0x80 are errors of the resource
    manager itself.
    """
    return rc & 0xFFF if rc >> 16 in RESOURCE_MANAGERS and 0x80 <= rc & 0xFFFF <= 0xFFF else rc
