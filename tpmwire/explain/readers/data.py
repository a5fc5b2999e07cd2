"""Identifies binary data, or data in text: hex, base64 or a hex dump."""

import base64
import contextlib
import re
from collections.abc import Iterator

from ..reading import Reading
from .dumps import join_dumps
from .files import read_file

__all__ = ["read_data"]


def read_data(data: bytes) -> list[Reading]:
    """Returns the possible interpretations of an input, the most likely first; an empty list if there are none.

    The input is a file's content, or a text with the content in hex, base64, or a dump of xxd, hexdump -C or od.
    Commands and responses are not recognized: use `recordings.detect_recording`.
    """
    for each in (data, *_decode_text(data)):
        if found := read_file(each):
            return found
    return []


def _decode_text(text: bytes) -> Iterator[bytes]:
    """Yields the bytes that `text` encodes as hex, base64 or a hex dump, for each encoding that fits."""
    plain = re.sub(rb"0x|[\s:,\\x]", b"", text)
    if re.fullmatch(rb"([0-9a-fA-F]{2}){4,}", plain):
        yield bytes.fromhex(plain.decode())
    joined = b"".join(text.split()).rstrip(b"=")
    if re.fullmatch(rb"[A-Za-z0-9+/_-]{16,}", joined) and len(joined) % 4 != 1:
        with contextlib.suppress(ValueError):
            yield base64.b64decode(joined.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
    yield from join_dumps(text)
