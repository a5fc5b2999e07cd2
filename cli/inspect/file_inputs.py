"""Distinguishes recordings of TPM commands from other files, such as keys and the files of tpm2-tools."""

import io
import itertools
from collections.abc import Iterator, Sequence

from tpmwire.explain.readers.data import read_data
from tpmwire.explain.readers.files import read_file
from tpmwire.explain.readers.headers import HEADER, Exchange
from tpmwire.explain.readers.lines import is_text
from tpmwire.explain.readers.recordings import detect_recording, open_recording
from tpmwire.explain.reading import Reading

from ..terminal.messages import UsageError, warn
from .source import Source

__all__ = ["describe_commands", "find_recording", "split_lone"]

MOST = 6
"""Maximum number of names in a message."""


def find_recording(source: Source) -> Iterator[Exchange] | Reading:
    """Returns the commands and responses of an input, or the most likely interpretation of any other file.

    The iterator raises InputError if the input is neither. Raises UsageError for a file that cannot be explained,
    such as an encrypted private key.
    """
    if source.size == len(source.head) and not is_text(source.head):
        # Binary data that is a structure is never searched for messages, which it could contain by chance.
        readings = read_file(source.head)
        found: Iterator[Exchange] | bytes = source.head
    else:
        found = detect_recording(source.file, source.name, warn)
        readings = read_data(found) if isinstance(found, bytes) else []
    if readings:
        if not readings[0].trees:
            raise UsageError(f"{source.name} is {readings[0].kind}; decode cannot explain its bytes")
        return readings[0]
    return open_recording(io.BytesIO(found), source.name, warn) if isinstance(found, bytes) else found


def split_lone(exchanges: Iterator[Exchange]) -> tuple[bytes, Iterator[Exchange]]:
    """Returns (response, exchanges). The response is not empty if it succeeded and is the only message."""
    first = next(exchanges, None)
    if first is None:
        return b"", iter(())
    command, response = first
    if command or any(response[6:HEADER]):
        return b"", itertools.chain([first], exchanges)
    second = next(exchanges, None)
    if second is None:
        return response, iter([first])
    return b"", itertools.chain([first, second], exchanges)


def describe_commands(names: Sequence[str]) -> str:
    """Returns the names as text for a message: `Load, LoadExternal`, `Clear, ClearControl and 62 others`."""
    more = f" and {len(names) - MOST} others" if len(names) > MOST + 1 else ""
    return ", ".join(names if not more else names[:MOST]) + more
