"""Response codes that are compared, as plain numbers: a run that succeeds does not load `response_codes`.

The one place that decides which part of a code is the TPM's (`tpm_code`).
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
TPM_RC_SYMMETRIC = 0x096
TPM_RC_SIGNATURE = 0x09B
TPM_RC_POLICY_FAIL = 0x09D
TPM_RC_INTEGRITY = 0x09F
TPM_RC_BAD_AUTH = 0x0A2
TPM_RC_CURVE = 0x0A6
TPM_RC_INITIALIZE = 0x100
TPM_RC_SEQUENCE = 0x103
TPM_RC_COMMAND_CODE = 0x143

AGAIN = (0x908, 0x90A, 0x922)
"""TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY: the same bytes are sent again (Part 2, §6.6.3)."""

NO_ECC = (TPM_RC_TYPE, TPM_RC_CURVE, TPM_RC_ASYMMETRIC, TPM_RC_VALUE)
"""What TPMs answer to the template of a P-256 key if they lack ECC or the curve (Part 2, §11.2.5 and §12.2.2)."""

RESOURCE_MANAGERS = (11, 12)
"""Layers that answer with the TPM's own codes in its place (tss2_common.h): the kernel's /dev/tpmrm0 is 11."""


def tpm_code(rc: int) -> int:
    """The TPM's part of a response code. A code that says nothing of the TPM stays whole.

    A resource manager puts its layer into bits 31:16: /dev/tpmrm0 answers 0x000b0143 to a command that the chip
    lacks, /dev/tpm0 the chip's 0x143. Numbers below 0x80 there are errors of the resource manager itself.
    """
    return rc & 0xFFF if rc >> 16 in RESOURCE_MANAGERS and 0x80 <= rc & 0xFFFF <= 0xFFF else rc
