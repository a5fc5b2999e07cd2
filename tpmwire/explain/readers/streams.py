"""Messages in byte streams that arrive in pieces: calls of read and write, packets, and transfers on a bus."""

import re
from collections.abc import Hashable, Iterator

from .headers import HEADER, LARGEST, is_command

__all__ = ["Assembler", "Conversations"]

_TAG = re.compile(rb"\x80[\x01\x02]|\x00\xc4|[\x80\x00]\Z")

FOLLOWED = 256
"""Streams that are followed at a time; a further one replaces the least recently used one."""


class Assembler:
    """Finds the messages in a stream of bytes. Skips bytes in which no message can begin.

    Frames around messages, such as those of the reference simulator, are skipped too.
    """

    def __init__(self) -> None:
        self._octets = bytearray()

    @property
    def missing(self) -> int:
        """Returns how many bytes the begun message lacks; 0 if no message has begun, or its size is unknown."""
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
        """Discards a begun message, and returns its bytes; b"" if its header is incomplete."""
        rest = bytes(self._octets)
        self._octets.clear()
        return rest if len(rest) >= HEADER else b""


def _first_header(octets: bytearray) -> int:
    """Returns the position of the first bytes that can be a header, or the beginning of one; else the length."""
    for found in _TAG.finditer(octets):
        if _can_begin_message(octets[found.start() : found.start() + HEADER]):
            return found.start()
    return len(octets)


def _can_begin_message(head: bytearray) -> bool:
    """Returns whether `head` can be a header, or its first bytes: by the size, and the code's first byte."""
    if len(head) < 6:
        return not any(head[2:3])
    size = int.from_bytes(head[2:6], "big")
    if not HEADER <= size <= LARGEST or (head[0] == 0 and size != HEADER):
        return False
    return len(head) <= 6 or head[6] == 0 or (head[6] == 0x20 and not any(head[7:8]))


class Conversations:
    """Commands and responses of several streams, each response directly after its command.

    A stream is named by any key, such as a file descriptor. Each has two directions; the first message of a stream
    shows in which of them commands are sent.
    """

    def __init__(self) -> None:
        self._streams: dict[Hashable, _Conversation] = {}

    def add(self, key: Hashable, outgoing: bool, octets: bytes) -> Iterator[tuple[bool, bytes]]:
        """Appends bytes to a direction of a stream, and yields (is_command, message) pairs."""
        stream = self._streams.pop(key, None) or _Conversation()
        self._streams[key] = stream  # the most recently used one
        yield from stream.add(outgoing, octets)
        if len(self._streams) > FOLLOWED:
            yield from self._streams.pop(next(iter(self._streams))).end()

    def missing(self, key: Hashable, outgoing: bool) -> int:
        """Returns how many bytes the begun message of a direction lacks, or 0."""
        stream = self._streams.get(key)
        return stream.directions[outgoing].missing if stream else 0

    def end(self, key: Hashable = None) -> Iterator[tuple[bool, bytes]]:
        """Ends a stream, or all streams, and yields the messages that are incomplete or have no response."""
        for name in list(self._streams) if key is None else [key] if key in self._streams else []:
            yield from self._streams.pop(name).end()


class _Conversation:
    def __init__(self) -> None:
        self.directions = {True: Assembler(), False: Assembler()}
        self._commands_go_out: bool | None = None
        self._command = b""

    def add(self, outgoing: bool, octets: bytes) -> Iterator[tuple[bool, bytes]]:
        """Appends bytes to a direction, and yields (is_command, message) pairs."""
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
        """Yields the messages that are incomplete or have no response."""
        for outgoing, assembler in self.directions.items():
            if rest := assembler.reset():
                yield from self._take(outgoing, [rest])
        yield from self._end_command()

    def _end_command(self) -> Iterator[tuple[bool, bytes]]:
        if self._command:
            yield True, self._command
            self._command = b""
