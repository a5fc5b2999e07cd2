"""Reads lines of text in UTF-8 or UTF-16, removes line ends and colors, and splits JSON into a line per value."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

__all__ = ["LINE", "TextLine", "is_text", "number_lines", "read_lines", "split_json"]

LINE = 1 << 16
"""Maximum number of bytes in a line; longer lines are read in parts."""

OBJECT = 1 << 20
"""Maximum size in bytes of a JSON object on several lines."""

_COLORS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")
_WORD = re.compile(rb"[0-9A-Za-z+/_=\\-]*$")
_CONTROL = re.compile(rb"[^\t\n\f\r\x1b -~\x80-\xff]")
_BIG_ENDIAN = re.compile(rb"(?:\0[\t\n\r -~]){6}|(?:\0[0-9A-Za-z]){2}")
"""The start of a text in UTF-16BE. Two signs do not suffice: a TPM2B_PUBLIC can begin with 00 58 00 23."""

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


class TextLine(NamedTuple):
    """A line's text and number (from 1). `continues` is true if the text continues a long line."""

    text: str
    number: int
    continues: bool = False


def is_text(data: bytes) -> bool:
    """Returns whether an input that starts with `data` is text: UTF-8, UTF-16 or a code page."""
    return _utf16(data) is not None or _CONTROL.search(data) is None


def _utf16(start: bytes) -> str | None:
    """Returns the UTF-16 encoding of a file, with or without a byte order mark, or None for other files."""
    if start[:2] == codecs.BOM_UTF16_LE or (len(start) >= 4 and start[0] and start[2] and not start[1] | start[3]):
        return "utf-16-le"
    if start[:2] == codecs.BOM_UTF16_BE or _BIG_ENDIAN.match(start) is not None:
        return "utf-16-be"
    return None


def read_lines(file: BinaryIO, start: bytes = b"") -> Iterator[bytes]:
    """Yields the lines of a file; UTF-16 is converted to UTF-8. Long lines are yielded in parts.

    `start` is the first bytes of the file, which show the encoding. They are not read from `file` yet.
    """
    encoding = _utf16(start)
    if encoding is not None:
        yield from _read_encoded(file, encoding)
        return
    while line := file.readline(LINE):
        yield line


def _read_encoded(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    waiting = ""
    while block := getattr(file, "read1", file.read)(LINE):
        waiting += decoder.decode(block)
        *lines, waiting = waiting.split("\n")
        yield from (f"{line.removeprefix(chr(0xFEFF))}\n".encode() for line in lines)
        if len(waiting) > LINE:
            yield waiting.encode()
            waiting = ""
    if waiting:
        yield waiting.encode()


def number_lines(lines: Iterator[bytes]) -> Iterator[TextLine]:
    """Yields the lines with their numbers, without line ends and terminal colors.

    A long line is split between words, so that no byte in hex is divided.
    """
    number, continues, rest = 1, False, b""
    for part in lines:
        whole = part.endswith(b"\n")
        data = rest + part
        rest = b""
        if not whole and len(part) >= LINE:
            word = _WORD.search(data, len(data) - 128)
            if word is not None and 0 < len(word[0]) < 128:
                data, rest = data[: word.start()], word[0]
        text = data.decode("latin-1").rstrip("\r\n")
        if number == 1 and not continues:
            text = text.removeprefix("\xef\xbb\xbf")
        *parts, text = text.split("\r") if "\r" in text else (text,)  # line ends of old Mac OS, or progress bars
        for part_text in parts:
            yield TextLine(_COLORS.sub("", part_text), number, continues)
            continues = False
        yield TextLine(_COLORS.sub("", text) if "\x1b" in text else text, number, continues)
        continues = not whole
        number += whole
    if rest:
        yield TextLine(rest.decode("latin-1"), number, continues)


def split_json(lines: Iterator[TextLine]) -> Iterator[TextLine]:
    """Yields the lines, with each JSON object replaced by one line `key: value` for each of its values.

    An object can be on one line, or start with a line that is only a brace. For an object of `decode` or `trace`,
    only the bytes of the complete message are yielded, not the bytes of its fields.
    """
    held: list[TextLine] = []
    size = depth = 0
    for line in lines:
        text = line.text.strip()
        if not held and not (text.startswith("{") and not line.continues):
            yield line
            continue
        held.append(line)
        size += len(text)
        depth += text.count("{") - text.count("}")
        if depth > 0 and size <= OBJECT and (len(held) > 1 or text in ("{", "{{") or text.startswith('{"')):
            continue
        yield from _take_apart(held)
        held, size, depth = [], 0, 0
    yield from _take_apart(held)


def _take_apart(held: list[TextLine]) -> Iterator[TextLine]:
    if not held:
        return
    try:
        value = json.loads("\n".join(line.text for line in held).strip().rstrip(","))
    except (ValueError, RecursionError):
        yield from held
        return
    for text in _values(value, ""):
        yield from (TextLine(part, held[0].number) for part in text.splitlines())


def _values(value: Any, key: str) -> Iterator[str]:
    """Yields `key: value` for each scalar in a JSON value."""
    if isinstance(value, dict):
        if list(value) == [str(place) for place in range(len(value))]:  # an array of JavaScript
            yield from _values(list(value.values()), key)
            return
        octets = value.get("octets")
        if isinstance(octets, str) and _HEX.fullmatch(octets):
            yield f"{value.get('type', key)}: {octets}"
        else:
            for name, inner in value.items():
                yield from _values(inner, str(name))
    elif isinstance(value, list) and not all(isinstance(inner, int) for inner in value):
        for inner in value:
            yield from _values(inner, key)
    else:
        yield f"{key}: {value}"
