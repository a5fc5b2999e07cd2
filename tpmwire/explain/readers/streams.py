"""Assembles messages from byte streams that arrive in pieces: read and write calls, packets, bus transfers."""

import re
from collections.abc import Hashable, Iterator

from .headers import HEADER, LARGEST, is_command

__all__ = ["Assembler", "Conversations"]

_TAG = re.compile(rb"\x80[\x01\x02]|\x00\xc4|[\x80\x00]\Z")

FOLLOWED = 256
"""Maximum number of streams. A new stream then replaces the least recently used stream."""


class Assembler:
    """Finds the messages in a byte stream. Skips bytes that cannot start a message.

    Framing around messages, as in the reference simulator's protocol, is also skipped.
    """

    def __init__(self) -> None:
        self._octets = bytearray()

    @property
    def missing(self) -> int:
        """Number of missing bytes of the current message; 0 if there is none or its size is unknown."""
        return int.from_bytes(self._octets[2:6], "big") - len(self._octets) if len(self._octets) >= HEADER else 0

    def add(self, octets: bytes) -> list[bytes]:
        """Appends bytes to the stream, and returns the messages that are complete now."""
        messages: list[bytes] = []
        self._octets += octets
        while True:
            del self._octets[: _first_header(self._octets)]
            size = int.from_bytes(self._octets[2:6], "big")
            if len(self._octets) < max(HEADER, size):
                return messages
            messages.append(bytes(self._octets[:size]))
            del self._octets[:size]

    def reset(self) -> bytes:
        """Discards the current message, and returns its bytes, or b"" if its header is incomplete."""
        rest = bytes(self._octets)
        self._octets.clear()
        return rest if len(rest) >= HEADER else b""


def _first_header(octets: bytearray) -> int:
    """Returns the position of the first complete or partial header, or the length of `octets` if there is none."""
    for found in _TAG.finditer(octets):
        if _can_begin_message(octets[found.start() : found.start() + HEADER]):
            return found.start()
    return len(octets)


def _can_begin_message(head: bytearray) -> bool:
    """Returns whether `head` can be a header or the start of a header, by its size and command code."""
    if len(head) < 6:
        return not any(head[2:3])
    size = int.from_bytes(head[2:6], "big")
    if not HEADER <= size <= LARGEST or (head[0] == 0 and size != HEADER):
        return False
    return len(head) <= 6 or head[6] == 0 or (head[6] == 0x20 and not any(head[7:8]))


class Conversations:
    """Commands and responses of several streams, each response directly after its command.

    A stream is identified by any hashable key, such as a file descriptor, and has two directions. The first
    message shows in which direction the commands go.
    """

    def __init__(self) -> None:
        self._streams: dict[Hashable, _Conversation] = {}

    def add(self, key: Hashable, outgoing: bool, octets: bytes) -> Iterator[tuple[bool, bytes]]:
        """Appends bytes to a direction of a stream, and yields (is_command, message) for complete messages."""
        stream = self._streams.pop(key, None) or _Conversation()
        self._streams[key] = stream  # the most recently used one
        yield from stream.add(outgoing, octets)
        if len(self._streams) > FOLLOWED:
            yield from self._streams.pop(next(iter(self._streams))).end()

    def missing(self, key: Hashable, outgoing: bool) -> int:
        """Returns the number of missing bytes of the current message in a direction, or 0."""
        stream = self._streams.get(key)
        return stream.directions[outgoing].missing if stream else 0

    def end(self, key: Hashable = None) -> Iterator[tuple[bool, bytes]]:
        """Ends a stream, or all streams if `key` is None.

        Yields (is_command, message) for messages that are incomplete or lack a response.
        """
        for name in list(self._streams) if key is None else [key] if key in self._streams else []:
            yield from self._streams.pop(name).end()


class _Conversation:
    def __init__(self) -> None:
        self.directions = {True: Assembler(), False: Assembler()}
        self._commands_go_out: bool | None = None
        self._command = b""

    def add(self, outgoing: bool, octets: bytes) -> Iterator[tuple[bool, bytes]]:
        """Appends bytes to a direction, and yields (is_command, message) for each complete message."""
        other = self.directions[not outgoing]
        if other.missing:
            # The other side began a message and now receives one: the rest of its message is not in the recording.
            yield from self._take(not outgoing, [other.reset()])
        yield from self._take(outgoing, self.directions[outgoing].add(octets))

    def _take(self, outgoing: bool, messages: list[bytes]) -> Iterator[tuple[bool, bytes]]:
        for message in messages:
            if self._commands_go_out is None:
                self._commands_go_out = outgoing == is_command(message)
            if outgoing == self._commands_go_out:
                yield from self._end_command()
                self._command = message
            else:
                yield from self._end_command()
                yield False, message

    def end(self) -> Iterator[tuple[bool, bytes]]:
        """Yields (is_command, message) for messages that are incomplete or lack a response."""
        for outgoing, assembler in self.directions.items():
            if rest := assembler.reset():
                yield from self._take(outgoing, [rest])
        yield from self._end_command()

    def _end_command(self) -> Iterator[tuple[bool, bytes]]:
        if self._command:
            yield True, self._command
            self._command = b""
