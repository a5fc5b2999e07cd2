"""Distinguishes recordings of TPM commands from other files, such as keys and the files of tpm2-tools."""

import io
from collections.abc import Iterator

from tpmwire.explain.readers.data import read_data
from tpmwire.explain.readers.files import read_file
from tpmwire.explain.readers.headers import Exchange
from tpmwire.explain.readers.lines import is_text
from tpmwire.explain.readers.recordings import detect_recording, open_recording
from tpmwire.explain.reading import Reading

from ..terminal.messages import UsageError, warn
from .source import Source

__all__ = ["find_recording"]


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
