"""Recognizes a message of a TPM by its header."""

__all__ = ["HEADER", "Exchange", "is_message"]

HEADER = 10
"""Bytes of a message's header."""

Exchange = tuple[bytes, bytes]
"""A command and its response; the response is empty if the recording has none."""


def is_message(octets: bytes) -> bool:
    """Returns whether the bytes begin with a tag of TPM 2.0, and have the size in the header."""
    return (
        len(octets) >= HEADER
        and octets[:2] in (b"\x80\x01", b"\x80\x02", b"\x00\xc4")
        and int.from_bytes(octets[2:6], "big") == len(octets)
    )
