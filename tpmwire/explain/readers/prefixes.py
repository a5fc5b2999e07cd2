"""Patterns of the text before the data in the lines of a message."""

import re

__all__ = ["compile_prefix", "compile_prefix_without_mark"]

_NUMBER = re.compile(r"[0-9A-Fa-f]*\d[0-9A-Fa-f]*")
_MARK = re.compile(
    r"""(?<!\w)([A-Za-z]\w*\s*(?:[(\[][^)\]]{0,20}[)\]]\s*)?[:=]?\s*)?((?:[<>=-]{1,3}\s*){1,2})?["'\s]*$"""
)
"""The label and direction of a message, after the prefix of its first line."""


def compile_prefix(prefix: str) -> re.Pattern[str]:
    """Returns a pattern of line prefixes with the same words and any numbers."""
    parts, place = [], 0
    for number in _NUMBER.finditer(prefix):
        parts += [_escape(prefix[place : number.start()]), "[0-9A-Fa-f]+"]
        place = number.end()
    return re.compile("".join(parts) + _escape(prefix[place:]))


def compile_prefix_without_mark(prefix: str) -> re.Pattern[str] | None:
    """Returns a pattern of line prefixes that may lack the label or direction at the end of `prefix`.

    For example, "TX: " is only in the first line of a message if a logger wraps it. Returns None if nothing
    precedes the label.
    """
    mark = _MARK.search(prefix)
    before = prefix[: mark.start()] if mark is not None else ""
    if mark is None or not before.strip():
        return None
    optional = (f"(?:{compile_prefix(part).pattern})?" for part in mark.groups("") if part)
    return re.compile(compile_prefix(before).pattern + "".join(optional))


def _escape(text: str) -> str:
    return re.sub(r"(?:\\ |\\\t|\s)+", r"\\s*", re.escape(text))
