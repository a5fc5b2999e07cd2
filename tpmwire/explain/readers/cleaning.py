"""Removes from pasted text what word processors, mail programs, browsers and pagers add to it."""

import re
from collections.abc import Iterable, Iterator

from .lines import TextLine
from .starts import find_start

__all__ = ["clean_lines"]

_SIGNS = {
    "\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\u2022\u250a": " ",
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad": "",
    "\u2018\u2019\u201a\u201b": "'",
    "\u201c\u201d\u201e\u201f": '"',
    "\u2010\u2011\u2012\u2013\u2014\u2212": "-",
    "\u2190\u21d0": "<-",
    "\u2192\u21d2": "->",
    "\u2502\u2503\u2551": "|",
    "\xd7\u22c4\u2026": ".",
}
_PLAIN = {sign.encode().decode("latin-1"): plain for signs, plain in _SIGNS.items() for sign in signs}
_FANCY = re.compile("|".join(_PLAIN))
_ENTITIES = {"&quot;": '"', "&#34;": '"', "&#39;": "'", "&apos;": "'", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}
_ENTITY = re.compile("|".join(_ENTITIES))
_NUMBERED = re.compile(
    r"([^\d\s][^\s:]*:)?( *[1-9]\d{0,5})(?:(:(?![0-9A-Fa-f]{2}(?::|$))|\t| ?\| ?| ?[.)] )|(?!\S) ?)"
)
NARROWEST = 5
"""Minimum width of a column of line numbers from 1 without a sign after the number."""

_VALUES = re.compile(r"\s*(?:(?:0[xX])?[0-9A-Fa-f]{1,8}(?:[\s,]+|$)){2}")
_CALL = re.compile(r"\s*(?:\w+\(|$)")


def clean_lines(lines: Iterable[TextLine]) -> Iterator[TextLine]:
    """Yields the lines with plain quotes, spaces and arrows, and without HTML entities and line numbers.

    Numbers at the beginning of lines are line numbers if each is 1 larger than the number before it. Without a
    sign after the number, as in less and vim, three numbers must follow each other, unless a wide column begins
    with 1, and the first of them must not be in rows of data.
    """
    waiting: list[TextLine] = []
    enough, before = 1, ""
    last: re.Match[str] | None = None
    for line in map(_clean, lines):
        found = None if line.continues else _NUMBERED.match(line.text)
        follows = found is not None and last is not None and _follows(last, found)
        if follows and 0 < len(waiting) < enough:
            waiting.append(line)
        else:
            yield from map(_without_number, waiting) if follows else waiting
            waiting.clear()
            enough = 1
            if found is not None and found[3] is None and not follows:
                is_column = int(found[2]) == 1 and found.end(2) >= NARROWEST
                enough = 1 if is_column else 2
                found = found if is_column or _may_number(found, before) else None
            if follows:
                yield _without_number(line)
            elif found is not None:
                waiting.append(line)
            else:
                yield line
        before = line.text
        last = last if found is None and not line.text else found
    yield from waiting


def _may_number(found: "re.Match[str]", before: str) -> bool:
    """Returns whether a number without a sign can be a line number, by its line and the line before."""
    text = found.string
    if _VALUES.match(before) is not None or _CALL.match(text, found.end()) is not None:
        return False  # a row of data, a process id of strace
    start = find_start(text)
    return start is None or start.place >= found.end(2)


def _follows(last: "re.Match[str]", found: "re.Match[str]") -> bool:
    """Returns whether the second line has the next line number in the same style."""
    same = (last[1], last[3]) == (found[1], found[3]) and (found[3] is not None or last.end(2) == found.end(2))
    return same and int(found[2]) == int(last[2]) + 1


def _clean(line: TextLine) -> TextLine:
    text = line.text
    if not text.isascii():
        text = _FANCY.sub(lambda found: _PLAIN[found[0]], text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: _ENTITIES[found[0]], text)
    return line if text is line.text else line._replace(text=text)


def _without_number(line: TextLine) -> TextLine:
    found = _NUMBERED.match(line.text)
    return line._replace(text=line.text[found.end() :]) if found is not None else line
