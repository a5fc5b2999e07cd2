"""Recognizes TPM messages by their headers: tag, size and code."""

from typing import Self

from ...spec.constants import TPM_CC

__all__ = [
    "HEADER",
    "LARGEST",
    "TAGS",
    "TAGS_1_2",
    "Exchange",
    "Message",
    "TimedMessage",
    "begins_message",
    "duration",
    "is_command",
    "is_message",
    "is_plausible",
    "is_tpm12",
]

HEADER = 10
"""Size of a message header in bytes."""

LARGEST = 1 << 16
"""Maximum size of a message in bytes, larger than the limit of any TPM."""

TAGS = (b"\x80\x01", b"\x80\x02", b"\x00\xc4")

TAGS_1_2 = tuple(bytes((0, tag)) for tag in range(0xC1, 0xC7))
"""Tags of TPM 1.2: three of commands, three of responses. A TPM 2.0 uses 00c4 to refuse a TPM 1.2 command."""

Exchange = tuple[bytes, bytes]
"""(command, response); a command or response that is not in the recording is empty."""

Message = tuple[bool | None, bytes]
"""(is_command, message bytes); is_command is None if unknown."""

_BAD_TAG = bytes.fromhex("00c40000000a0000001e")
_VENDOR = 0x20000000


class TimedMessage(bytes):
    """A message and its time in a recording (in seconds, from any start)."""

    time: float

    def __new__(cls, octets: bytes, time: float) -> Self:
        made = super().__new__(cls, octets)
        made.time = time
        return made


def duration(command: bytes, response: bytes) -> float | None:
    """Returns the seconds between a command and its response; None if the recording does not have both times."""
    if not (isinstance(command, TimedMessage) and isinstance(response, TimedMessage)):
        return None
    return response.time - command.time if response.time > command.time else None


def is_message(octets: bytes) -> bool:
    """Returns whether the bytes are one whole TPM 2.0 message, by its tag and the size in its header."""
    return len(octets) >= HEADER and octets[:2] in TAGS and int.from_bytes(octets[2:6], "big") == len(octets)


def begins_message(octets: bytes | bytearray) -> bool:
    """Returns whether the bytes begin with a TPM 2.0 message's header, with a plausible size."""
    return len(octets) >= HEADER and octets[:2] in TAGS and HEADER <= int.from_bytes(octets[2:6], "big") <= LARGEST


def is_command(message: bytes, hint: bool | None = None) -> bool:
    """Returns whether a message, or its header, is a command rather than a response.

    An error response has only a header; all other responses have the code 0. Two commands also have only a header:
    GetTestResult and ReadClock. The command code of ReadClock is also a response code, so `hint` decides: true if
    the message was sent to the TPM, None if unknown.
    """
    code = int.from_bytes(message[6:HEADER], "big")
    if int.from_bytes(message[2:6], "big") == HEADER:
        return bool(
            code & _VENDOR or code == TPM_CC.GetTestResult or (code == TPM_CC.ReadClock and hint is not False)
        )
    return code != 0


def is_plausible(message: bytes) -> bool:
    """Returns whether a message has a valid TPM 2.0 header, whose tag and code match."""
    if message[:2] == b"\x00\xc4":
        return message[:HEADER] == _BAD_TAG
    code = int.from_bytes(message[6:HEADER], "big")
    if is_command(message):
        return not code & ~(_VENDOR | 0xFFFF)  # Part 2, §6.5.1: the other bits are zero
    # Part 1, §18.4: an error response has no sessions. The third byte names a layer above the TPM.
    return code == 0 or (message[:2] == b"\x80\x01" and code < 1 << 24)


def is_tpm12(octets: bytes | bytearray) -> bool:
    """Returns whether the bytes begin with a TPM 1.2 command or response."""
    return (
        len(octets) >= HEADER
        and octets[:2] in TAGS_1_2
        and HEADER <= int.from_bytes(octets[2:6], "big") <= LARGEST
        and octets[:HEADER] != _BAD_TAG
    )
