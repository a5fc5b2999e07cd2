"""Parses commands and responses in hex or binary that are not in a recording."""

import re
from collections.abc import Iterator

from ...errors import InputError
from .headers import HEADER, TAGS, Exchange, is_command

__all__ = ["pair_messages", "split_messages"]


def split_messages(data: bytes, name: str) -> list[bytes]:
    """Returns the messages in `data`, which is hex or binary. Raises InputError, which names the input `name`.

    Text with one message per line is decoded line by line, so that a damaged line does not affect other messages.
    """
    return [message for piece in _pieces(data, name) for message in _messages(piece)]


def pair_messages(messages: list[bytes]) -> Iterator[Exchange]:
    """Yields consecutive messages as (command, response). Raises InputError for a response without a command."""
    waiting = b""
    for message in messages:
        if is_command(message):
            if waiting:
                yield waiting, b""
            waiting = message
        elif waiting:
            yield waiting, message
            waiting = b""
        elif len(message) >= HEADER and message[:2] in TAGS:
            raise InputError(
                "this is a response; give its command with --command NAME, or put the command before it"
            )
        else:  # not a message
            waiting = message
    if waiting:
        yield waiting, b""


def _pieces(data: bytes, name: str) -> list[bytes]:
    """Decodes hex or binary input into pieces: one per line if each line begins with a tag, else one in all."""
    if not data.strip():
        raise InputError(f"{name} is empty; give a command or response in hex or binary")
    # A TPM's message begins with a byte that is not text.
    if data[:1] in (b"\x80", b"\x00"):
        return [data]
    lines = [re.sub(r"0x|[\s:,]", "", line.lower()) for line in data.decode("latin-1").splitlines()]
    lines = [line for line in lines if line]
    if not all(line.startswith(("8001", "8002", "00c4")) for line in lines):
        lines = ["".join(lines)]
    try:
        return [bytes.fromhex(line) for line in lines]
    except ValueError:
        file = "an existing file, " if name[:1] in "'\"" else ""
        raise InputError(
            f"{name} is not valid; expected hex, {file}or a TPM message, which begins with 8001 or 8002"
        ) from None


def _messages(data: bytes) -> list[bytes]:
    """Splits `data` into messages by the sizes in their headers. Bytes after the last message are one piece."""
    messages, place = [], 0
    while len(data) - place >= HEADER:
        size = int.from_bytes(data[place + 2 : place + 6], "big")
        if not HEADER <= size <= len(data) - place:
            break
        messages.append(data[place : place + size])
        place += size
    return [*messages, data[place:]] if place < len(data) else messages
