"""Finds the start of a message in a line of text, and decodes the data in a line."""

import re
from typing import NamedTuple

from ...spec.constants import TPM_CC
from .forms import FORMS, Decoded, Form
from .headers import HEADER, LARGEST, TAGS, TAGS_1_2, begins_message, is_command, is_plausible, is_tpm12

__all__ = [
    "ANY_OFFSET",
    "DUMP",
    "OFFSET",
    "ROW",
    "TAIL",
    "Start",
    "decode_data",
    "find_row",
    "find_start",
    "is_header",
    "may_begin",
    "read_direction",
]

DUMP = 1000
"""Maximum number of characters in a line with an ASCII column."""

ROW = 300
"""Maximum number of characters before a message that are examined."""

PROBE = 160
"""Number of characters that contain the first six bytes of a message in any notation."""

OFFSET = (
    r"(?:0[xX])?(?:[0-9A-Fa-f]{4,8}[`:])?(?:[0-9A-Fa-f]{1,8}(?=[0-9A-Fa-f]{8}))?"
    r"([0-9A-Fa-f]{3,8})[hH]?"
)
"""Pattern of an offset or address in a dump. Its group has the last 8 digits or less."""

ANY_OFFSET = re.compile(rf"(?<![0-9A-Za-z]){OFFSET}(?:[:.|]\s*|\s+)")
"""An offset in a dump."""

TAIL = re.compile(r"""\s*["'`]*\s*(?:[:-]?\s*$|[|>*<\])},;.…+\\]|//|/\*|#|--|\()""")
"""Text that may follow the data in a line."""

_RUN = re.compile(r"(?:(?<![0-9A-Za-z.])(?:0x|\\x)?-?[0-9A-Fa-f]{1,8}(?:u8)?[\s,]{1,20})+$")
_JOINED = re.compile(r"(?<![0-9A-Za-z:.-])(?:[0-9A-Fa-f]{2}[:-])+$")
"""Bytes with colons or hyphens directly before a message."""

_LATER_ROW = re.compile(r"(?:^|\s)(?=0*[1-9A-Fa-f])[0-9A-Fa-f]{4,8}:?\s+$")
_OFFSET = re.compile(r"\s*\S+\s+")
_AFTER_OFFSET = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{4,8}:\s+$")
_COLON_OFFSET = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{4,8}:\s")
_GAP = re.compile(r"\s{2,}|\t")
_HEXLIKE = re.compile(r"(?<!\w)[0-9A-Fa-f]{2}")
_ALONE = re.compile(r"""(?:.*[\[({:=,])?[\s"'>-]*$""")
_SENT = re.compile(
    r"(?<![^\W_])(?:cmd|command|request|req|send\w*|sent|tx|write|transmit\w*|to)(?![^\W_])|->|=>|>>",
    re.IGNORECASE,
)
_GOT = re.compile(
    r"(?<![^\W_])(?:rsp|resp|response|reply|answer|rec\w*|rx|read|from)(?![^\W_])|<-|<=|<<", re.IGNORECASE
)
_PATTERNS = {
    form.start: f"(?{'i' if form.start.flags & re.IGNORECASE else ''}:{form.start.pattern})" for form in FORMS
}
_FREE = [pattern for start, pattern in _PATTERNS.items() if start.pattern[0] == "\\" or "(?<= )" in start.pattern]
_ANY = re.compile(
    "|".join(_FREE)
    # The other notations begin with one of these characters, which decides most positions of a line.
    + r"|(?<![0-9A-Za-z\\])(?=[-0-9cC($%gAQ])(?:"
    + "|".join(pattern for pattern in _PATTERNS.values() if pattern not in _FREE)
    + ")"
)
"""The start of a message in any notation."""


class Start(NamedTuple):
    """The start of a message in a line: notation, position in the line, decoded bytes."""

    form: Form
    place: int
    decoded: Decoded


def find_start(text: str, place: int = 0, held: bool = False) -> Start | None:
    """Returns the first start of a message in `text` at or after `place`, or None.

    `held` is true if `text` is joined from lines with single values.
    """
    while (any_form := _ANY.search(text, place)) is not None:
        place = any_form.start()
        for form in FORMS:
            if form.start.match(text, place) is None:
                continue
            # The whole line is decoded only if the header is there: a long line can have the tag many times.
            skipped = min(place, 2)
            header = form.decode(text[place - skipped : place + PROBE], skipped).octets
            if len(header) < 2 or not may_begin(header[:6]):
                continue
            row = text[max(place - ROW, 0) : place]
            inside = _LATER_ROW.search(row) is not None or find_row(form, row) is not None
            if inside and (not _is_known(header) or _are_swapped(form, row)):
                continue
            decoded = decode_data(form, text, place)
            octets = decoded.octets
            before = text[max(place - ROW, 0) : place]
            ends = not held and _ALONE.match(before) is not None and TAIL.match(text, decoded.end) is not None
            if (len(octets) >= 6 or (len(octets) >= 2 and ends)) and may_begin(octets[:6]):
                return Start(form, place, decoded)
        place += 1
    return None


def may_begin(octets: bytes) -> bool:
    """Returns whether a message may start with these bytes, which may be incomplete."""
    if len(octets) < 2:
        return any(tag.startswith(octets) for tag in (*TAGS, *TAGS_1_2))
    if octets[:2] not in TAGS and octets[:2] not in TAGS_1_2:
        return False
    if len(octets) < 6:
        return not any(octets[2:4])
    return HEADER <= int.from_bytes(octets[2:6], "big") <= LARGEST


def is_header(octets: bytes) -> bool:
    """Returns whether the bytes begin with a complete and plausible header of a TPM 2.0 or TPM 1.2 message."""
    return (begins_message(octets) and is_plausible(octets[:HEADER])) or is_tpm12(octets)


def find_row(form: Form, before: str) -> tuple[int, bytes] | None:
    """Returns (position of the data, its bytes) if only an offset and data precede a message, else None."""
    if form.bits:  # a label in front looks like data
        return None
    joined = _JOINED.search(before)
    if joined is not None:
        return joined.start(), form.decode(before, joined.start()).octets
    run = _RUN.search(before)
    if run is None:
        return None
    place = run.start()
    first, *others = run[0].split()
    first = first.lstrip("-")
    offset = _OFFSET.match(run[0])
    if (
        offset is not None
        and _AFTER_OFFSET.search(before[:place]) is None
        and len(first) > 3
        and first.isalnum()
        and first[1] not in "xX"
        and (not others or len(first) != len(others[0]))
    ):
        place += offset.end()
    data = form.decode(before, place)
    return (place, data.octets) if data.octets and not before[data.end :].strip(" \t,") else None


def _is_known(header: bytes) -> bool:
    """Returns whether a header inside other data is certain: its tag, size and code are all plausible."""
    code = TPM_CC(int.from_bytes(header[6:HEADER], "big"))
    return is_header(header) and (not is_command(header) or (code.known and code != TPM_CC.Vendor_TCG_Test))


def _are_swapped(form: Form, before: str) -> bool:
    """Returns whether little-endian words are in a row of xxd, which prints bytes in their order."""
    return form.name.startswith("little-endian") and _COLON_OFFSET.search(before) is not None


def read_direction(text: str) -> bool | None:
    """Returns True if a label names a command, False if it names a response, None if neither."""
    sent = max((match.end() for match in _SENT.finditer(text)), default=0)
    got = max((match.end() for match in _GOT.finditer(text)), default=0)
    return None if sent == got else sent > got


def decode_data(form: Form, text: str, place: int) -> Decoded:
    """Decodes the data from `place` on, without the ASCII column of a dump."""
    whole = form.decode(text, place)
    if len(text) - place > DUMP:
        return whole
    gap = _GAP.search(text, place)
    while gap is not None and gap.end() < whole.end:
        right = text[gap.end() :].rstrip()
        if _HEXLIKE.search(right):
            left = form.decode(text[: gap.start()], place)
            column = right.strip("|><*") if right[:1] in "|><*" else text[gap.start() + 2 :].rstrip()
            if left.octets and _shows(left.octets, column):
                return left
        gap = _GAP.search(text, gap.end())
    return whole


def _shows(octets: bytes, text: str) -> bool:
    """Returns whether a text is the ASCII column of the bytes, with dots for unprintable bytes."""
    shown = text.strip()
    return any(
        all(char == "." or ord(char) == octet for char, octet in zip(shown, octets[start:], strict=False))
        for start in range(len(text) - len(text.lstrip()) + 1)
        if 0 < len(shown) <= len(octets) - start and not (octets[:start] + octets[start + len(shown) :]).strip()
    )
