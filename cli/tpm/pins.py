"""Parses Names and public areas that the user pins."""

import binascii

from tpmwire.channel import WELL_KNOWN, Pin
from tpmwire.crypto.formulas import digest_size, name_of
from tpmwire.errors import DecodeError, EncodeError
from tpmwire.spec.structures import TPM2B_PUBLIC, TPMT_PUBLIC

from ..terminal.messages import UsageError

__all__ = ["ENCODED", "encode_public", "hex_name", "pin_from"]

ENCODED = "base64:"
"""Prefix of a public area in an option's value, instead of a file's path."""


def hex_name(option: str, text: str) -> bytes:
    """Parses a Name in hex: a hash algorithm and its digest (TPM 2.0 Part 1, §16).

    `option` is the option's name for messages. Raises UsageError for any other text.
    """
    try:
        name = bytes.fromhex(text.removeprefix("0x"))
        fits = len(name) == 2 + digest_size(int.from_bytes(name[:2], "big"))
    except (ValueError, EncodeError):
        fits = False
    if not fits:
        raise UsageError(
            f"{option} {text!r} is not a valid Name; expected e.g. 000b followed by 64 hex digits "
            "(run `tpmwire name`)"
        )
    return name


def encode_public(public: TPMT_PUBLIC, where: int) -> str:
    """Returns the value of --tpm-session-encrypt-with-public for the key at persistent handle `where`."""
    encoded = binascii.b2a_base64(TPM2B_PUBLIC.build(public), newline=False).decode("ascii")
    return f"{ENCODED}{encoded}@0x{where:08x}"


def pin_from(name: str | None, public: str | None) -> "Pin | None":
    """Returns the pinned salt key from --tpm-session-encrypt-with-name and -public; None without both.

    Raises UsageError for an invalid value.
    """
    if not name and not public:
        return None

    text, _, place = (name or "").partition("@")
    pinned = hex_name("--tpm-session-encrypt-with-name", text) if name else None
    where = _where(place) if place else None
    if not public:
        assert pinned is not None
        return Pin(pinned, None, where)

    if public.startswith(ENCODED):
        source, (area, place) = "--tpm-session-encrypt-with-public", _decode_public(public)
        where = _where(place) if place else where
    else:
        from .public_file import read_public_file  # noqa: PLC0415 - for a public key in a file only

        source, area = public, read_public_file(public, pinned, where)
    computed = name_of(area)
    if pinned is not None and pinned != computed:
        raise UsageError(
            f"{source} has the Name {computed.hex()}, but --tpm-session-encrypt-with-name is {pinned.hex()}; "
            "correct one of the two options"
        )
    return Pin(computed, area, where)


def _decode_public(value: str) -> tuple[TPMT_PUBLIC, str]:
    """Returns (public area, text after @) of a value that `encode_public` encoded.

    Raises UsageError for any other value.
    """
    encoded, _, place = value.removeprefix(ENCODED).partition("@")
    try:
        return TPM2B_PUBLIC.parse(binascii.a2b_base64(encoded, strict_mode=True)), place
    except (ValueError, DecodeError):
        raise UsageError(
            "--tpm-session-encrypt-with-public is not a valid TPM2B_PUBLIC in base64; copy the whole value from "
            "the line that `tpmwire import` printed"
        ) from None


def _where(text: str) -> int | str:
    if text in WELL_KNOWN:
        return text
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"@{text} is not valid; expected a handle or one of {', '.join(WELL_KNOWN)}") from None
