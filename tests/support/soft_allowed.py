"""Response codes that may differ between swtpm 0.7.1 and the soft TPM, with the reasons in the standard."""

from typing import NamedTuple

__all__ = ["DIFFERENCES", "Difference", "is_allowed"]


class Difference(NamedTuple):
    """Codes that differ. `command` is "" for all commands; `swtpm` or `soft` is None for all codes."""

    command: str
    swtpm: int | None
    soft: int | None
    reason: str


_SIZE = (
    "RSAEP and RSADP of data that do not fit the modulus return TPM_RC_VALUE or TPM_RC_SIZE (Part 3, §14.2, §14.3)"
)
_PADDING = "wrong padding is TPM_RC_VALUE, not TPM_RC_FAILURE (Part 3, §14.3)"
_SEQUENCE = "the handle of TPM2_SequenceUpdate is wrong, not its first parameter (Part 3, §17.6)"
_MEMORY = "swtpm loads a persistent object into one of its slots to use it (Part 1, §37.3.1)"
_DERIVED = "the soft TPM has no derived objects, and refuses their parent (Part 3, §12.9)"
_TEMPLATE = "version 1.85 returns TPM_RC_CPHASH when another hash is set (Part 3, §23.21)"
_SWAPPED = "handles 1 and 2 of TPM2_CertifyX509 are objectHandle and signHandle; swtpm swaps them (Part 3, §18.8)"

DIFFERENCES = (
    Difference("RSA_Decrypt", 0x101, 0x1D5, _SIZE),
    Difference("RSA_Decrypt", 0x101, 0x1C4, _PADDING),
    Difference("RSA_Encrypt", 0x101, 0x1C4, _SIZE),
    Difference("SequenceUpdate", 0x1C9, 0x189, _SEQUENCE),
    Difference("PolicyTemplate", 0x1C4, 0x151, _TEMPLATE),
    Difference("", 0x902, None, _MEMORY),
    Difference("", None, 0x911, _MEMORY),
    Difference("CreateLoaded", None, 0x18A, _DERIVED),
    *(
        Difference("CertifyX509", code | handle, code | 0x300 ^ handle, _SWAPPED)
        for code in (0x81, 0x82, 0x84, 0x89, 0x9C)
        for handle in (0x100, 0x200)
    ),
)


def is_allowed(command: str, swtpm: int, soft: int) -> bool:
    """Returns whether a command may have these response codes in swtpm and in the soft TPM."""
    return any(
        one.command in ("", command) and one.swtpm in (None, swtpm) and one.soft in (None, soft)
        for one in DIFFERENCES
    )
