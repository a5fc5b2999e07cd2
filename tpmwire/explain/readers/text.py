"""Finds TPM messages in pasted text: dumps, arrays, strings, labeled lines, logs.

A message is recognized by its tag and size, in any notation of `FORMS`, anywhere in a line. The rest of the
message is read in the same notation. Its lines may have prefixes, offsets, comments and ASCII columns.
"""

import re
from collections.abc import Generator, Iterator

from ...wires import byte_count
from .forms import Decoded, Form
from .headers import HEADER, LARGEST, TAGS, Message, begins_message, is_plausible, is_tpm12
from .lines import TextLine
from .prefixes import compile_prefix, compile_prefix_without_mark
from .rows import NarrowRow, drop_leading_rows, is_other_column, split_row
from .starts import (
    ANY_OFFSET,
    DUMP,
    OFFSET,
    ROW,
    TAIL,
    Start,
    decode_data,
    find_row,
    find_start,
    is_header,
    may_begin,
    read_direction,
)

__all__ = ["TextReader"]

HELD = 24
"""Number of lines with few values that are joined in the search for a message's start."""


NOISE = 1000
"""Maximum number of other lines between the lines of a message in a log."""

PROBLEMS = 100
"""Maximum number of problems that are stored."""

_OFFSET = re.compile(rf"(?:^|[\s\]):>|=+-])(?:{OFFSET}(?:[:.|]|\s-)?|(0{{1,2}}):)\s*$")
_LINE_OFFSET = re.compile(rf"[\s+-]*(?:{OFFSET}(?:[:.|]|\s-)?|([0-9A-Fa-f]{{1,2}}):)(?=\s|$)\s*")
_LABEL = re.compile(r"""\s*[A-Za-z_]["'\w ()/.\[\]\-]{0,40}[:=]\s*""")
_OPENING = re.compile(r"""(?:[\s\[({+,;>]|[bLu]?["'](?!\s*$))*""")
_QUOTES = re.compile(r"""[\s"']*""")
_EMPTY = re.compile(r"""[\s\[\](){},;"'+\\]*(?:$|//|/\*|\*|\*/|#|;|--)""")
_DATA = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,:-]{0,2}){8}")
_BASE64_LINE = re.compile(
    r"""[^A-Za-z]*?(?:.{0,80}:\s+)?["']?(?!-+$)([A-Za-z0-9+/_-]+={0,6})["']?[,;)\]]?\s*\\?$"""
)
_STAR = re.compile(r"(?:|.*[\s\]:>|+-])\*\s*\|?$")
"""A line of hexdump or od that stands for rows equal to the last one."""

_ROW = re.compile(r"(?:[0-9A-Fa-f]{2}[\s,:-]){4}")
_ZERO = re.compile(r"(?<![0-9A-Za-z])(?:0x)?0{3,8}(?::|\s|$)")
_DIGIT = re.compile("[0-9]")
_WORD = re.compile("[A-Za-z]{2}")


class TextReader:
    """Finds TPM messages in lines of text.

    `found` counts the messages, `lines` the lines that are not empty. `problems` lists (line number, text) for
    data that is not a TPM 2.0 message. `data` is the number of the first line with bytes in hex but no message,
    or 0.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self.found = self.lines = self.data = 0
        # The current message: its notation, or None between messages; its bytes, and letters that need more.
        self._form: Form | None = None
        self._octets = b""
        self._left = ""
        self._hint: bool | None = None
        self._place = self._number = 0
        # The text before the message, and the lines of a dump.
        self._heading = ""
        self._shape: re.Pattern[str] | None = None
        self._unmarked: re.Pattern[str] | None = None
        self._is_logged = self._by_field = False
        self._width = self._first = 0
        self._bases: tuple[int, ...] = ()
        self._offset: str | None = None
        self._fed = 0
        self._row = b""
        self._repeated = False
        self._noise = 0
        self._held: list[NarrowRow] = []
        # The last line with data of a message, and its number.
        self._row_text, self._row_number = "", 0
        self._cut: Message | None = None
        self._last = b""

    def read(self, line: TextLine) -> Iterator[Message]:
        """Yields (is_command, message) for each message that a line completes."""
        self._number = line.number
        self.lines += bool(line.text.strip())
        if self._row_number == line.number - 1 and is_other_column(self._row_text, line.text):
            self._row_number = line.number
            return
        if self._form is not None:
            if (line.continues or not self._begins_anew(line.text)) and self._continue(line):
                place = yield from self._complete(line, self._place)
                if place is not None and place < len(line.text):
                    yield from self._search(line, place)
                return
            yield from self._cut_off(line.number)
        yield from self._search(line)

    def end(self) -> Iterator[Message]:
        """Yields the last message if it is truncated."""
        yield from self._cut_off(self._number)
        if self._cut is not None:
            yield self._cut
            self._cut = None

    # The beginning of a message

    def _search(self, line: TextLine, place: int = 0) -> Iterator[Message]:
        """Yields the messages in a line from `place` on. The last message may continue in the next lines."""
        text = line.text
        while True:
            start = find_start(text, place)
            if start is None:
                if place or line.continues or not (yield from self._search_held(line)):
                    self._heading = text[place:][:200]
                    if not self.found and not self.data and _DATA.search(text[:DUMP]):
                        self.data = line.number
                return
            self._held.clear()
            self._begin(start, text[place : start.place][-ROW:], start.decoded.end - start.place)
            rest = yield from self._complete(line, start.decoded.end)
            if rest is None or rest >= len(text):
                return
            place = rest

    def _search_held(self, line: TextLine) -> Generator[Message, None, bool]:
        """Searches lines with few values, joined, for a message. Returns whether `line` is such a line."""
        row = split_row(line.text)
        if row is None:
            if not _EMPTY.match(line.text):
                self._held.clear()
            return bool(self._held)
        if self._held and self._held[-1].shape != row.shape:
            self._held.clear()
        self._held.append(row)
        del self._held[:-HELD]
        drop_leading_rows(self._held)
        start = find_start("".join(f"{each.data} " for each in self._held), 0, True) if self._held else None
        if start is None:
            return True
        first = self._held[0]
        self._begin(start, f"{first.prefix} " if first.prefix.strip() else "", start.decoded.end)
        self._row = self._row[-(len(self._row) // len(self._held)) :]
        self._held.clear()
        yield from self._complete(line, len(line.text))
        return True

    def _begin(self, start: Start, before: str, width: int) -> None:
        """Starts a message. `before` is the text before it in the line, `width` the number of data characters."""
        self._form, self._octets, self._left = start.form, start.decoded.octets, start.decoded.left
        self._is_logged = _WORD.search(before) is not None and _DIGIT.search(before) is not None
        self._width, self._first = width, len(start.decoded.octets)
        self._bases = ()
        self._by_field = len(start.decoded.octets) < HEADER
        row = find_row(start.form, before)
        if row is not None:
            before = before[: row[0]]
        before = before[: max(before.rfind(quote) for quote in "\"'") + 1 or None]  # inside a string
        self._shape = compile_prefix(before)
        self._unmarked = compile_prefix_without_mark(before)
        offset = _OFFSET.search(before)
        self._offset = offset[offset.lastindex or 1] if offset is not None else None
        self._row = (row[1] if row is not None else b"") + start.decoded.octets
        self._fed = len(self._row)
        self._repeated, self._noise = False, 0
        direction = read_direction(before)
        self._hint = direction if direction is not None else read_direction(self._heading)

    # The lines after the beginning

    def _begins_anew(self, text: str) -> bool:
        """Returns whether a line that should continue a message has a complete header of another message."""
        start = find_start(text)
        if start is None or not is_header(start.decoded.octets):
            return False
        # Inside a row of data, such bytes belong to the message.
        place, decoded, _ = self._data_place(text)
        return decoded is None or start.place <= place

    def _data_place(self, text: str) -> tuple[int, Decoded | None, str | None]:
        """Returns (position of the data in a continuation line, decoded data or None, offset or None)."""
        assert self._form is not None
        prefixes: list[tuple[int, str | None]] = []
        shaped = self._shape.match(text) if self._shape is not None else None
        unmarked = 0
        if shaped is not None and shaped.end():
            found = _OFFSET.search(text[: shaped.end()])
            if found is not None or self._offset is None:
                prefixes.append((shaped.end(), found[found.lastindex or 1] if found is not None else None))
        elif self._offset is None and (unmarked := self._prefix_end(text)):
            prefixes.append((unmarked, None))
        if self._offset is not None:
            bare = _LINE_OFFSET.match(text)
            if bare is not None:
                prefixes.append((bare.end(), bare[bare.lastindex or 1]))
            found_offsets = ANY_OFFSET.finditer(text[:DUMP])
            prefixes += [(match.end(), match[1]) for match in found_offsets if self._follows(match[1])][:1]
        else:
            prefixes.append((0, None))
            # The fields of a message, each with its name; else a label begins something else.
            label = _LABEL.match(text) if self._by_field else None
            if label is not None:
                prefixes.append((label.end(), None))
        for end, offset in prefixes:
            opening = _OPENING.match(text, end)
            if self._form.bits:
                opening = _QUOTES.match(text, end)  # a plus sign is data
            place = opening.end() if opening is not None else end
            if self._form.spaces:
                place = len(text[:end].rstrip()) + 1
            decoded = decode_data(self._form, text, place)
            if end == unmarked > 0 and not self._is_wide(decoded.octets):
                continue
            cut = decoded.left and not self._form.bits  # within a byte, at the end of a wrapped line
            if decoded.octets and (cut or offset is not None or TAIL.match(text, decoded.end)):
                return place, decoded, offset
        return 0, None, prefixes[0][1] if prefixes else None

    def _prefix_end(self, text: str) -> int:
        """Returns the end of the prefix that a line has in common with the first line of the message, or 0."""
        patterns = (self._shape, self._unmarked)
        return next((found.end() for each in patterns if each and (found := each.match(text))), 0)

    def _is_wide(self, octets: bytes) -> bool:
        """Returns whether a row has as many bytes as the first row, or the rest of the message."""
        missing = int.from_bytes(self._octets[2:6], "big") - len(self._octets)
        return len(octets) >= min(self._first, missing)

    def _continue(self, line: TextLine) -> bool:
        """Adds the data of a line to the message. Returns False if the line ends the message."""
        assert self._form is not None
        text, offset = line.text, None
        self._place = len(text)
        if self._form.bits and text.strip() and not line.continues and not self._fits_base64(text):
            return False
        decoded: Decoded | None
        start = 0
        if line.continues or self._left:
            decoded = self._join_left(text, line.continues)
        else:
            start, decoded, offset = self._data_place(text)
        if decoded is None:
            return self._pass_over(text, offset)
        if offset is not None and self._offset is not None and not self._follows(offset):
            if not (self._repeated and self._fill(offset)):
                return False
        elif self._noise and not self._is_row(text, decoded.octets, decoded.end - start):
            return False  # something else, below a truncated message
        self._octets += decoded.octets
        self._left, self._place = decoded.left, decoded.end
        self._fed += len(decoded.octets)
        self._row, self._repeated = decoded.octets, False
        return True

    def _fits_base64(self, text: str) -> bool:
        """Returns whether a line continues wrapped base64: it is as long as the first line, or is the last."""
        found = _BASE64_LINE.match(text[self._prefix_end(text) :])
        if found is None:
            return False
        size = int.from_bytes(self._octets[2:6], "big")
        letters = len(self._left) + len(found[1])
        bits = self._form.bits if self._form is not None else 0
        return len(found[1]) == self._width or letters * bits // 8 >= size - len(self._octets)

    def _is_row(self, text: str, octets: bytes, width: int) -> bool:
        """Returns whether a line is a row like the first one of the message.

        It has the same labels, bytes and data characters. `width` is the number of data characters.
        """
        if not self._is_logged or not self._prefix_end(text):
            return False
        missing = int.from_bytes(self._octets[2:6], "big") - len(self._octets)
        if self._offset is not None or len(octets) == missing:
            return True
        # A short row is the last one of a dump.
        return len(octets) == len(self._row) == self._first and width == self._width

    def _join_left(self, text: str, part: bool) -> Decoded | None:
        """Decodes the undecoded letters of the previous line together with `text`.

        `part` is true if `text` is a part of the same line. Returns None if `text` does not continue the letters.
        """
        assert self._form is not None
        opening = None if part else _QUOTES.match(text, self._prefix_end(text))
        place = opening.end() if opening is not None else 0
        joined = self._left + text[place:]
        decoded = self._form.decode(joined, 0)
        if not part and (decoded.end <= len(self._left) or not TAIL.match(joined, decoded.end)):
            return None
        return decoded._replace(end=max(decoded.end - len(self._left) + place, 0))

    def _pass_over(self, text: str, offset: str | None) -> bool:
        """Returns whether the message may continue after `text`, a line without data."""
        if self._offset is not None:
            if _STAR.match(text):
                self._repeated = True
                return True
            bare = _LINE_OFFSET.match(text) if offset is None else None
            offset = bare[bare.lastindex or 1] if bare is not None else offset
            if self._repeated and offset is not None and self._fill(offset):
                return True
        elif text.strip() == "*" and (self._shape is None or not self._shape.pattern.strip("\\s*")):
            self._note(self._number, "'*' replaces an unknown number of rows; use od -v, or a dump with offsets")
            return False
        if _EMPTY.match(text):
            return True
        shaped = self._shape.match(text) if self._shape is not None else None
        if shaped is not None and shaped.end() and _ROW.match(text, shaped.end()):
            return False  # a row that cannot be read
        self._noise += 1
        begins_dump = self._offset is not None and _ZERO.search(text) is not None
        return self._is_logged and self._noise <= NOISE and not begins_dump

    def _follows(self, offset: str) -> bool:
        """Returns whether an offset directly follows the data read so far."""
        bases = tuple(base for base, step in self._steps(offset) if step == self._fed)
        self._bases = bases or self._bases
        return bool(bases)

    def _fill(self, offset: str) -> bool:
        """Repeats the last row up to `offset`, for a dump with an asterisk line. Returns whether it could."""
        for base, step in self._steps(offset):
            missing = step - self._fed
            if self._row and 0 <= missing <= LARGEST and not missing % len(self._row):
                self._octets += self._row * (missing // len(self._row))
                self._fed, self._repeated, self._bases = step, False, (base,)
                return True
        return False

    def _steps(self, offset: str) -> list[tuple[int, int]]:
        """Returns (base, bytes between the first offset and `offset`) for each possible base of the offsets."""
        found = []
        octal_first = len(offset) == 7 and not (self._form is not None and "hexdump" in self._form.name)
        for base in self._bases or ((8, 10, 16) if octal_first else (16, 8, 10)):
            try:
                found.append((base, int(offset, base) - int(self._offset or "0", base)))
            except ValueError:
                continue
        return found

    # The end of a message

    def _complete(self, line: TextLine, end: int) -> Generator[Message, None, int | None]:
        """Yields the messages that are complete.

        Returns the position in the line for the next search, or None if the message continues in the next line.
        `end` is the position after the decoded data.
        """
        octets, place, number = self._octets, 0, line.number
        self._row_text, self._row_number = line.text, number
        while place < len(octets):
            if not may_begin(octets[place : place + 6]) or (place and not any(octets[place:])):
                self._note_rest(number, octets[place:], place)
                break
            size = int.from_bytes(octets[place + 2 : place + 6], "big") if len(octets) - place >= 6 else LARGEST
            missing = place + size - len(octets)
            if self._left and self._form is not None and 0 < missing <= len(self._left) * self._form.bits // 8:
                octets += self._form.decode(f"{self._left}=", 0).octets  # without padding
                self._left = ""
            if place + size > len(octets):
                self._octets = octets[place:]
                return None
            yield from self._emit(octets[place : place + size], number)
            place += size
            self._hint = None
        self._form, self._octets, self._left = None, b"", ""
        return end

    def _emit(self, message: bytes, number: int) -> Iterator[Message]:
        cut, self._cut = self._cut, None
        if cut is not None and not message.startswith(cut[1]):
            yield cut
        if is_tpm12(message):
            self._note(number, f"a TPM 1.2 message (tag {message[:2].hex()}); only TPM 2.0 is supported")
        elif not is_plausible(message):
            self._note(number, f"code 0x{message[6:HEADER].hex()} is not valid with the tag {message[:2].hex()}")
        else:
            self.found += 1
            self._last = message
            yield self._hint, message

    def _cut_off(self, number: int) -> Iterator[Message]:
        """Ends a message that is incomplete.

        It is yielded before the next message, unless the next or the previous message starts with the same bytes:
        some logs print a message and its parts.
        """
        if self._form is not None and self._last.startswith(self._octets):
            pass
        elif self._form is not None and begins_message(self._octets) and is_plausible(self._octets[:HEADER]):
            if self._cut is not None and not self._octets.startswith(self._cut[1]):
                yield self._cut
            self._cut = self._hint, self._octets
            self.found += 1
        elif self._form is not None and len(self._octets) >= 4:
            self._note(number, f"{byte_count(len(self._octets))} of an incomplete header")
        self._form, self._octets, self._left = None, b"", ""

    def _note_rest(self, number: int, octets: bytes, place: int) -> None:
        """Records bytes that are not part of a message. `place` is their position in the data."""
        if not any(octets):  # the padding of a buffer
            return
        if not place or octets[:2] in TAGS:
            size = int.from_bytes(octets[2:6], "big")
            self._note(number, f"invalid size in the header of a message: {size} bytes")
        else:
            self._note(number, f"{byte_count(len(octets))} after the message: not part of it")

    def _note(self, number: int, text: str) -> None:
        if len(self.problems) < PROBLEMS:
            self.problems.append((number, text))
