"""Recognizes a message of a TPM by its header."""

from ...spec.constants import TPM_CC

__all__ = ["HEADER", "LARGEST", "TAGS", "Exchange", "begins_message", "is_command", "is_message"]

HEADER = 10
"""Bytes of a message's header."""

LARGEST = 1 << 16
"""Bytes of a message, more than any TPM accepts or sends."""

TAGS = (b"\x80\x01", b"\x80\x02", b"\x00\xc4")

Exchange = tuple[bytes, bytes]
"""A command and its response; the response is empty if the recording has none."""


def is_message(octets: bytes) -> bool:
    """Returns whether the bytes are one whole TPM 2.0 message, by its tag and the size in its header."""
    return len(octets) >= HEADER and octets[:2] in TAGS and int.from_bytes(octets[2:6], "big") == len(octets)


def begins_message(octets: bytes) -> bool:
    """Returns whether the bytes begin with a TPM 2.0 message's header, with a plausible size."""
    return len(octets) >= HEADER and octets[:2] in TAGS and HEADER <= int.from_bytes(octets[2:6], "big") <= LARGEST


def is_command(message: bytes) -> bool:
    """Returns whether a message, or its header, is probably a command.

    The header is ambiguous, since command codes and response codes overlap: 0x18b is both.
    """
    code = int.from_bytes(message[6:HEADER], "big")
    if int.from_bytes(message[2:6], "big") == HEADER:
        # An error response has only a header. So have these two commands, whose codes are not response codes.
        return code in (TPM_CC.GetTestResult, TPM_CC.ReadClock)
    return TPM_CC(code).known or bool(code & 0x20000000)
