"""Checks of the characters of a text.

To compile a regular expression takes 0.1 to 0.7 ms of each run, so the modules that each run loads use these.
"""

__all__ = ["DIGITS", "GRAPHIC", "LETTERS", "has_only", "read_numbers"]

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
GRAPHIC = "".join(map(chr, range(0x21, 0x7F)))
"""The printable characters of ASCII, without the space."""


def has_only(text: str, characters: str) -> bool:
    """Returns whether a text is not empty, and has no other characters than `characters`."""
    return bool(text) and not text.strip(characters)


def read_numbers(text: str, shape: str) -> list[int] | None:
    """Returns the numbers in a text that equals `shape`, such as "00:00", except for its digits; else None."""
    if len(text) != len(shape):
        return None
    if not all(got in DIGITS if wanted == "0" else got == wanted for got, wanted in zip(text, shape, strict=True)):
        return None
    return [int(run) for run in "".join(one if one in DIGITS else " " for one in text).split()]
