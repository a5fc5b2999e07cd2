"""Recognizes rows of dumps and lists that are too short for the start of a message, and rows to skip."""

import re
from typing import NamedTuple

__all__ = ["NarrowRow", "drop_leading_rows", "is_other_column", "split_row"]

_LONGEST = 160
_WORD = re.compile(r"\S+")
_VALUE = re.compile(r"(?:-?\d{1,20}|(?:0[xX])?[0-9A-Fa-f]{1,22})(?:u8|[hH])?,?")
_COLUMN = re.compile(r"(?<=\S) +(?:[|>].{1,8}[|<]|(?<= {2})\S{1,8})\s*$")
_NUMBER = re.compile(r"[0-9A-Fa-f]*\d[0-9A-Fa-f]*|\s+")
_OD_ROW = re.compile(r"(.{0,80}?)(?<![0-9A-Za-z])[0-9a-f]{6,7}(?= )")


_LEAD = re.compile(
    r"[\s,]*(?:(?:0[xX])?80(?:0[12])?|-?128|200|(?:0[xX])?(?:0000)?(?:0[12]80|c[1-6]00)|00c[1-6]|384|640|3276[89]|32770"
    r"|-3276[67]|0*(?:600|1200)|10000[12]|20000[24]0{5}|2147549184|2147614720|-2147418112|-2147352576"
    r"|(?:0[xX])?0{1,3}[\s,]*(?:$|(?:0[xX])?c[1-6]|19[3-8]|30[1-6]|-6[0-3]|-5[89]))(?![0-9A-Fa-f])",
    re.IGNORECASE,
)


class NarrowRow(NamedTuple):
    """A line with one to five values: the text before them (`prefix`), the values (`data`)."""

    prefix: str
    data: str

    @property
    def shape(self) -> str:
        """The prefix with each number replaced by 0."""
        return _NUMBER.sub(lambda found: "0" if found[0].strip() else " ", self.prefix).strip()


def split_row(text: str) -> NarrowRow | None:
    """Returns the parts of a line with one to five bytes or words, or None for other lines."""
    last = text[-_LONGEST:].rsplit(None, 1)[-1:]
    if (
        not last
        or len(text) > _LONGEST
        or not (last[0][-1] in "|<" or len(last[0]) < 9 or _VALUE.fullmatch(last[0]))
    ):
        return None
    words = list(_WORD.finditer(text))
    first = _find_values(words)
    if first == len(words) > 1 and (column := _COLUMN.search(text)) is not None:
        words = [word for word in words if word.start() < column.start()]
        first = _find_values(words)
    if not 0 < len(words) - first <= 6:
        return None
    if len(words) - first > 1 and 6 <= len(words[first][0]) <= 8 and len(words[first][0]) != len(words[-1][0]):
        first += 1  # an offset
    if len(words) - first > 5:
        return None
    place = words[first - 1].end() if first else 0
    return NarrowRow(text[:place], text[place : words[-1].end()])


def drop_leading_rows(rows: list[NarrowRow]) -> None:
    """Removes the rows before the first row that can start a message: with its tag, in any notation."""
    while rows and _LEAD.match(" ".join(row.data for row in rows[:2])) is None:
        del rows[0]


def _find_values(words: "list[re.Match[str]]") -> int:
    """Returns the index of the first of the values at the end of a line; the number of words if there are none."""
    first = len(words)
    while first and len(words) - first <= 6 and _VALUE.fullmatch(words[first - 1][0]):
        first -= 1
    return first


def is_other_column(row: str, text: str) -> bool:
    """Returns whether `text` is another interpretation of the bytes of `row`, the line before, as od prints it.

    In `od -t x1 -t c`, the second line of each row has spaces in place of the offset.
    """
    if "       " not in text[:100]:
        return False
    found = _OD_ROW.match(row)
    return found is not None and text.startswith(found[1]) and not text[found.end(1) : found.end() + 1].strip()
