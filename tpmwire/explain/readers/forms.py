"""Text notations of bytes: how each notation starts, and how it is decoded.

A notation is recognized by the start of a TPM message in it. For example, "200 001 000" starts a message only in
octal.
"""

import base64
import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FORMS", "Decoded", "Form"]


class Decoded(NamedTuple):
    """The result of decoding: the bytes (`octets`), the end position in the text, and undecoded text."""

    octets: bytes
    end: int
    left: str = ""


class Form(NamedTuple):
    """A text notation of bytes.

    `name` and `example` are for the documentation. `start` matches the first bytes of a TPM message. `decode`
    decodes the longest valid text from a position. `spaces` is true if spaces are data. `bits` is the number of
    bits of a letter in base64 and base32, and 0 in other notations.
    """

    name: str
    example: str
    start: re.Pattern[str]
    decode: Callable[[str, int], Decoded]
    spaces: bool = False
    bits: int = 0


_CAST = r"(?:\((?:byte|char|u?int8_t|unsigned char|sbyte|u8|BYTE)\)\s*)?"
_BEFORE = _CAST + r"(?:0[xX]|[$%]|8'h|0(?=[0-9A-F]{2}[hH]))?"
_SUFFIX = r"(?:[hH]|u8|U|_u8|\.toByte\(\))?"
_AFTER = _SUFFIX + "(?![0-9A-Za-z])"
_BETWEEN = r"""["']?(?:[\s,;]+|[:\-_])?["']?"""

_PAIRS = re.compile(r"\s*(?:[0-9A-Fa-f]{2}\s?){8,}(?![0-9A-Za-z])")
_HEX = re.compile(rf"{_BETWEEN}{_BEFORE}((?:[0-9A-Fa-f]{{2}})+|(?<=0[xX])[0-9A-Fa-f]){_AFTER}")
_DIGITS = re.compile(rf"{_BETWEEN}(?:0x)?([0-9A-Fa-f]{{1,2}})(?![0-9A-Za-z])")
_DECIMAL = re.compile(r"[\s,;]*(-?\d{1,3})(?:u8)?(?![\w.])")
_BINARY = re.compile(r"\s*([01]{8})(?=(?:[01]{8})*(?!\w))")
_OCTAL = re.compile(r"\s*([0-3][0-7]{2})(?!\w)")
_HEX_WORD = re.compile(
    r"\s*(?:0x)?((?:[0-9a-fA-F]{4}){1,2}|[0-9a-fA-F]{16}|(?:[0-9a-fA-F]{2}){1,7}(?=\s{2}|\s*$))(?!\w)"
)
_CHARS = re.compile(r" {1,3}([0-3][0-7]{2}|\\[0abtnvfr]|[!-~]|(?<=   ) )(?= |$)")
_ESCAPE = re.compile(
    r"\\(?:[xu]\{([0-9A-Fa-f]{1,2})\}|(?:x|u00(?=..))([0-9A-Fa-f]{1,2})|([0-3]?[0-7]{1,2})|(.))|([^\\])", re.DOTALL
)
_LETTERS = dict(zip("abtnvfre", b"\a\b\t\n\v\f\r\x1b", strict=True))
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+")
_BASE32 = re.compile("[A-Z2-7]+")
_PADDING = re.compile("={1,6}")
_HALF = re.compile(r"\s*((?:[0-9A-Fa-f]{2})*)([0-9A-Fa-f])$")
_HALF_BYTE = re.compile("[:-]([0-9A-Fa-f])$")
_NEXT_STRING = re.compile(r"""[\s,+\\]*[bLu]?(["'])""")


def _decode_hex(text: str, place: int) -> Decoded:
    pairs = _PAIRS.match(text, place)
    end, octets = place, b""
    if pairs is not None:
        try:
            octets, end = bytes.fromhex(pairs[0]), pairs.end()
        except ValueError:  # "8 00 1": pairs across spaces
            octets, end = b"", place
    found = [octets]
    while (token := _HEX.match(text, end)) is not None:
        found.append(bytes.fromhex(token[1] if len(token[1]) > 1 else "0" + token[1]))
        end = token.end()
    if (half := _HALF_BYTE.match(text, end)) is not None and end > place:  # a wrapped line
        return Decoded(b"".join(found), half.start(1), half[1])
    if not found[-1] and end == place:  # a line that was read in parts may end within a byte
        half = _HALF.match(text, place)
        if half is not None:
            return Decoded(bytes.fromhex(half[1]), half.start(2), half[2])
    return Decoded(b"".join(found), end)


def _decode_tokens(token: re.Pattern[str], convert: Callable[[str], bytes]) -> Callable[[str, int], Decoded]:
    """Returns a decoder for consecutive tokens that match `token`. `convert` returns the bytes of a token.

    `convert` raises ValueError for a token that is not a byte.
    """

    def decode(text: str, place: int) -> Decoded:
        found = []
        while (match := token.match(text, place)) is not None:
            try:
                found.append(convert(match[1]))
            except ValueError:
                break
            place = match.end()
        return Decoded(b"".join(found), place)

    return decode


def _from_decimal(text: str) -> bytes:
    value = int(text)
    return bytes((value if value >= 0 else value + 256,))


def _decode_words(base: int, size: int, *, big: bool) -> Callable[[str, int], Decoded]:
    """Returns a decoder for octal or decimal words of `size` bytes, as od prints them. Words can be negative."""
    digits = -(-8 * size // 3)
    token = re.compile(rf"\s*([0-7]{{{digits}}})(?!\w)" if base == 8 else r"\s*(-?\d{1,20})(?!\w)")

    def convert(text: str) -> bytes:
        value = int(text, base)
        try:
            return value.to_bytes(size, "big" if big else "little", signed=value < 0)
        except OverflowError as error:
            raise ValueError(text) from error

    return _decode_tokens(token, convert)


def _from_char(text: str) -> bytes:
    if len(text) == 3:
        return bytes((int(text, 8),))
    return bytes((_LETTERS.get(text[1], 0),)) if text[0] == "\\" and len(text) == 2 else text.encode("latin-1")


def _decode_string(text: str, place: int) -> Decoded:
    """Decodes a string literal with escapes from `place` to its closing quote, and adjacent string literals."""
    before = text[place - 1] if place else ""
    quote = before if before in "\"'" else ""
    if not quote:
        if text[place : place + 1] != "\\":
            return Decoded(b"", place)
        quote = _find_open_quote(text, place)
    found = bytearray()
    while place < len(text):
        match = _ESCAPE.match(text, place)
        if match is None:
            break
        plain = match[5]
        if plain is not None and (plain == quote or (not quote and plain in "\"' \t")):
            following = _NEXT_STRING.match(text, place + 1)
            place += bool(quote)
            if following is None:
                break
            quote, place = following[1], following.end()
            continue
        if plain is not None:
            found += plain.encode("latin-1", "replace")
        elif match[1] or match[2]:
            found.append(int(match[1] or match[2], 16))
        elif match[3]:
            found.append(int(match[3], 8))
        else:
            found.append(_LETTERS.get(match[4], ord(match[4]) & 0xFF))
        place = match.end()
    return Decoded(bytes(found), place)


def _find_open_quote(text: str, place: int) -> str:
    """Returns the quote of the string literal that contains a position, or "" if there is none.

    Only the last characters before the position count, because a line may be long.
    """
    quote, at = "", max(0, place - 256)
    while at < place:
        if text[at] == "\\":
            at += 1  # the escaped character
        elif text[at] in "\"'" and quote in ("", text[at]):
            quote = "" if quote else text[at]
        at += 1
    return quote


def _decode_letters(pattern: re.Pattern[str], bits: int) -> Callable[[str, int], Decoded]:
    """Returns a decoder of base64 (6 bits per letter, also base64url) or base32 (5 bits).

    Incomplete groups of letters at the end are left undecoded, except with padding.
    """
    group = 4 if bits == 6 else 8

    def decode(text: str, place: int) -> Decoded:
        match = pattern.match(text, place)
        if match is None:
            return Decoded(b"", place)
        letters = match[0]
        padding = _PADDING.match(text, match.end())
        if padding is not None:
            return Decoded(_decode_group(letters, bits), padding.end())
        whole = len(letters) - len(letters) % group
        return Decoded(_decode_group(letters[:whole], bits), match.end(), letters[whole:])

    return decode


def _decode_group(letters: str, bits: int) -> bytes:
    """Returns the bytes of base64 or base32 without padding. Ignores bits that are too few for a byte."""
    if bits == 6:
        letters = letters[: len(letters) - (len(letters) % 4 == 1)].replace("-", "+").replace("_", "/")
        return base64.b64decode(letters + "=" * (-len(letters) % 4))
    octets = base64.b32decode(letters + "A" * (-len(letters) % 8))
    return octets[: len(letters) * 5 // 8]


def _start(pattern: str) -> re.Pattern[str]:
    """Compiles the pattern of a message's start, with no letter, digit or backslash before it."""
    return re.compile(rf"(?<![0-9A-Za-z\\])(?:{pattern})", re.IGNORECASE)


_T = rf"{_SUFFIX}{_BETWEEN}{_BEFORE}"
_D = r"(?:u8)?[\s,;]+"

_OCTAL_WORDS = "words in octal, as od: 2, 4 or 8 bytes in either byte order"
_OCTAL_EXAMPLE = "0000000 000600 000000 006000 000000 075401 010000"
_DECIMAL_WORDS = "words in decimal, as od -t u2 or od -t d4: 2, 4 or 8 bytes in either byte order"
_DECIMAL_EXAMPLE = "0000000   384     0  3072     0 31489  4096"
_OLDER = "49408|49664|49920|50176|50432|50688"
"""Tags of TPM 1.2 as little-endian words."""

FORMS = [
    Form(
        "string with escapes, as in C, Python, Go, Rust, JavaScript",
        r'"\x80\x01\0\0\0\f\0\0\1{\0\20"',
        re.compile(
            r"\\(?:x80|200|u0080|[xu]\{80\})\\(?:x0?[12]|0{0,2}[12]|u000[12]|[xu]\{0?[12]\})(?![0-7A-Fa-f])"
            r"|\\(?:x0?0|0{1,3}|u0000|[xu]\{00?\})(?:\\(?:xc[1-6]|30[1-6]|u00c[1-6]|[xu]\{c[1-6]\})|[\xc1-\xc6])",
            re.IGNORECASE,
        ),
        _decode_string,
    ),
    Form(
        "hex, with spaces, commas, colons, hyphens, 0x, casts or suffixes between the bytes",
        "0x80, 0x01, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x00, 0x01, 0x7b, 0x00, 0x10",
        _start(rf"{_BEFORE}(?:80{_T}0?[12](?![0-9A-Fa-f](?![0-9A-Fa-f]))|00?{_T}c[1-6])"),
        _decode_hex,
    ),
    Form(
        "hex without leading zeros",
        "80 1 0 0 0 c 0 0 1 7b 0 10",
        _start(r"(?<!-)80[\s,]{1,2}[12][\s,]{1,2}0[\s,]{1,2}0[\s,]"),  # more spaces: decimal, as od -t u1
        _decode_tokens(_DIGITS, lambda text: bytes((int(text, 16),))),
    ),
    Form(
        "decimal bytes, as in JSON, Python, Go, Rust, Java, od -t u1",
        "[128, 1, 0, 0, 0, 12, 0, 0, 1, 123, 0, 16]",
        _start(rf"-?128{_D}[12]{_D}0{_D}0(?:u8)?\b|0{_D}(?:19[3-8]|-6[0-3]|-5[89]){_D}0{_D}0(?:u8)?\b"),
        _decode_tokens(_DECIMAL, _from_decimal),
    ),
    Form(
        "octal bytes, as od -t o1",
        "0000000 200 001 000 000 000 014 000 000 001 173 000 020",
        _start(r"200\s+00[12]\s+000\s+000\b|000\s+30[1-6]\s+000\s+000\b"),
        _decode_tokens(_OCTAL, lambda text: bytes((int(text, 8),))),
    ),
    Form(
        "binary digits, as xxd -b, basenc (base2msbf)",
        "10000000 00000001 00000000 00000000 00000000 00001100 "
        "00000000 00000000 00000001 01111011 00000000 00010000",
        _start(r"(?:10000000\s*000000(?:01|10)|00000000\s*11000[01]{3})\s*00000000\s*00000000"),
        _decode_tokens(_BINARY, lambda text: bytes((int(text, 2),))),
    ),
    Form(
        "little-endian words in hex, as hexdump, od -x, xxd -e",
        "0000000 0180 0000 0c00 0000 7b01 1000",
        _start(
            r"(?:0x)?(?:(?:0[12]80|c[1-6]00)\s+0000\s|(?:00000[12]80|0000c[1-6]00)\s+(?:0x)?(?:0000|0020)[0-9a-f]{4}\b"
            r"|(?:0000|0020)[0-9a-f]{4}0000(?:0[12]80|c[1-6]00)\b)"
        ),
        _decode_tokens(_HEX_WORD, lambda text: bytes.fromhex(text)[::-1]),
    ),
    *(
        Form(_OCTAL_WORDS, _OCTAL_EXAMPLE, _start(start), _decode_words(8, size, big=big))
        for size, big, start in (
            (2, False, r"(?:000600|001200|14[0-3][0-4]00)\s+000000\s"),
            (2, True, r"(?:10000[12]|00030[1-6])\s+000000\s"),
            (4, False, r"(?:000000(?:00600|01200)|0000014[0-3][04]00)\s+[0-7]{11}\b"),
            (4, True, r"(?:200002|200004|000602|000604|000606|000610|000612|000614)00000\s+[0-7]{11}\b"),
            (8, False, r"[0-7]{12}000000(?:0600|1200)\b"),
            (8, True, r"10000[12]00000[0-3][0-7]{10}\b"),
        )
    ),
    *(
        Form(_DECIMAL_WORDS, _DECIMAL_EXAMPLE, _start(start), _decode_words(10, size, big=big))
        for size, big, start in (
            (2, False, rf"0{{0,2}}(?:384|640|{_OLDER})\s+0+\s+-?\d+\s"),
            (2, True, r"(?:3276[89]|32770|-3276[67]|19[3-8])\s+0\s+\d+\s"),
            (4, False, rf"(?:384|640|{_OLDER})(?= {{1,5}}-?\d{{6}}| {{6,}}-?\d{{5}}| {{7,}}-?\d{{3}})"),
            (4, True, r"(?:2147549184|2147614720|-2147418112|-2147352576|12[679]\d{5})\s+\d{6,9}\b"),
            (8, False, r"(?<= {4})\d{10,16}(?=\s+-?\d|\s*$)"),
            (8, True, r"(?:92236535\d{11}|922393498\d{10}|-92230905\d{11}|-922280908\d{10})\b"),
        )
    ),
    Form(
        "characters, as od -c",
        r"0000000 200 001  \0  \0  \0  \f  \0  \0 001   {  \0 020",
        re.compile(r"(?<= )(?= {0,3}(?:200 00[12]|\\0 30[1-6])  \\0  \\0 )"),
        lambda text, place: _decode_tokens(_CHARS, _from_char)(text, max(place - 1, 0)),
        spaces=True,
    ),
    Form(
        "base64 and base64url, also wrapped or without padding",
        "gAEAAAAMAAABewAQ",
        re.compile(r"(?:(?<![A-Za-z0-9+/_-])|(?<=^[+-]))(?:gA[EI]A|AM[EIMQUY]A)A[A-P][A-Za-z0-9+/_-]{2}"),
        _decode_letters(_BASE64, 6),
        bits=6,
    ),
    Form(
        "base32",
        "QAAQAAAABQAAAAL3AAIA",
        re.compile(r"(?<![A-Za-z0-9+/_-])(?:QA(?:AQ|BA)|AD(?:AQ|BA|BQ|CA|CQ|DA))AAA[A-P][A-Z2-7]{2}"),
        _decode_letters(_BASE32, 5),
        bits=5,
    ),
]
"""The notations, in the order in which they are tried."""
