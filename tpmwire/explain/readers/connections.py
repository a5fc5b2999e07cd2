"""TCP connections between programs and a software TPM, reassembled while their segments are read."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ...errors import InputError
from .headers import HEADER, LARGEST, TAGS, Exchange, TimedMessage, begins_message, is_command
from .packets import End, Segment

__all__ = ["read_connections"]

SEND_COMMAND, HANDSHAKE, SESSION_END, STOP = 8, 15, 20, 21
"""Operations of the reference simulator's protocol (TpmTcpProtocol.h)."""

OPEN = 128
"""Maximum number of connections at a time. A new connection then ends the least recently used one."""

EARLY, EARLY_BYTES = 64, 1 << 17
"""Maximum numbers of segments, and of their bytes, after a missing segment, before it is regarded as lost."""

UNANSWERED = 64
"""Maximum number of commands of a connection that wait for their responses."""

_SYN, _ACK = 0x02, 0x10
_NUMBERS = 1 << 32


def read_connections(
    segments: Iterable[Segment], warn: Callable[[str], None] = lambda text: None
) -> Iterator[Exchange]:
    """Yields (command, response) pairs from TCP segments, in the order of the responses.

    Calls `warn` with a message at the end if segments are missing. The memory needed does not grow with the
    number of segments. If `segments` raises InputError, yields the exchanges before the error, then raises it
    again.
    """
    connections: dict[frozenset[End], Connection] = {}
    lost, failure = False, None
    try:
        for segment in segments:
            ends = frozenset((segment.sender, segment.receiver))
            connection = connections.pop(ends, None)
            if connection is not None and connection.is_reused_by(segment):
                yield from connection.end()
                lost |= connection.lost
                connection = None
            connections[ends] = connection = connection or Connection()  # the most recently used one
            yield from connection.add(segment)
            if len(connections) > OPEN:
                oldest = connections.pop(next(iter(connections)))
                yield from oldest.end()
                lost |= oldest.lost
    except InputError as error:
        failure = error
    for connection in connections.values():
        yield from connection.end()
        lost |= connection.lost
    if lost:
        warn("the capture lacks packets, or parts of packets; the messages in them are not shown")
    if failure is not None:
        raise failure


class Connection:
    """A TCP connection, reassembled into commands and responses. `lost` is set if the capture lacks segments."""

    def __init__(self) -> None:
        self.lost = False
        self._tpm: End | None = None
        self._simulator: bool | None = None
        self._streams: dict[End, Stream] = {}
        self._waiting: deque[bytes] = deque()
        self._time = 0.0

    def is_reused_by(self, segment: Segment) -> bool:
        """Returns whether a segment begins another connection between the same addresses and ports."""
        return segment.flags & (_SYN | _ACK) == _SYN and any(stream.used for stream in self._streams.values())

    def add(self, segment: Segment) -> Iterator[Exchange]:
        """Yields the exchanges that a segment completes."""
        self._time = segment.time
        sequence = segment.sequence + (segment.flags >> 1 & 1)  # a SYN counts as a byte
        if segment.flags & (_SYN | _ACK) == _SYN:
            self._tpm = segment.receiver
        other = self._streams.get(segment.receiver)
        if other is not None and segment.flags & _ACK and other.is_acknowledged(segment.acknowledged):
            # The receiver has bytes that the capture lacks.
            yield from self._skip(segment.receiver, other)
        stream = self._streams.setdefault(segment.sender, Stream(sequence))
        stream.add(sequence, segment.octets)
        if stream.is_full:
            yield from self._skip(segment.sender, stream)
        if self._tpm is None:
            self._find_tpm(segment, stream)
        yield from self._parse(segment.sender)

    def end(self) -> Iterator[Exchange]:
        """Yields the remaining exchanges: messages after missing segments, and commands without a response."""
        for sender, stream in self._streams.items():
            while stream.early:
                yield from self._skip(sender, stream)
        while self._waiting:
            yield self._waiting.popleft(), b""

    def _skip(self, sender: End, stream: "Stream") -> Iterator[Exchange]:
        """Skips the missing segments of a stream, and yields the exchanges that are then complete."""
        self.lost |= self._simulator is not None
        stream.skip()
        # A program sends its next command after the response: the next response belongs to the last command.
        while len(self._waiting) > (1 if sender == self._tpm else 0):
            yield self._waiting.popleft(), b""
        yield from self._parse(sender)

    def _parse(self, sender: End) -> Iterator[Exchange]:
        """Parses the bytes of `sender`, and yields the exchanges that are then complete."""
        if self._tpm is None:
            return
        # The program's first bytes may have waited until the TPM's end was known.
        ends = [end for end in self._streams if end != self._tpm]
        for end in [*ends, sender] if sender == self._tpm else ends:
            for message in self._messages(end):
                if end != self._tpm:
                    self._waiting.append(message)
                elif self._waiting:
                    yield self._waiting.popleft(), message
        while len(self._waiting) > UNANSWERED:
            yield self._waiting.popleft(), b""

    def _find_tpm(self, segment: Segment, stream: "Stream") -> None:
        """Determines the TPM's end of a connection whose start is not recorded.

        The first message is a command, which is sent to the TPM, or a response, which the TPM sends.
        """
        other = self._streams.get(segment.receiver)
        if other is not None and other.octets:
            self._tpm = segment.sender
        elif len(stream.octets) >= HEADER:
            self._tpm = segment.sender if _is_response(bytes(stream.octets[: 4 + HEADER])) else segment.receiver

    def _messages(self, sender: End) -> Iterator[bytes]:
        """Yields the complete messages from `sender`, and removes them from its stream."""
        stream, from_program = self._streams[sender], sender != self._tpm
        while len(stream.octets) >= 4:
            if self._simulator is None or stream.resumed:
                found = _is_simulator(stream.octets, from_program)
                if found is None or self._simulator not in (None, found):
                    stream.drop()
                    return
                self._simulator, stream.resumed = found, False
            try:
                framed = _frame(stream.octets, self._simulator, from_program)
            except ValueError:  # not a TPM message; a later segment may begin with one
                stream.drop()
                return
            if framed is None:
                return
            size, message = framed
            del stream.octets[:size]
            if message:
                yield TimedMessage(message, self._time)


class Stream:
    """One direction of a connection: its bytes that are not parsed yet (`octets`), and the `early` segments.

    Early segments are segments after a missing one. `resumed` is True if the next byte may be inside a message.
    """

    def __init__(self, sequence: int) -> None:
        self.octets = bytearray()
        self.early: dict[int, bytes] = {}
        self.used = False
        self.resumed = False
        self._next = sequence % _NUMBERS

    def add(self, sequence: int, octets: bytes) -> None:
        """Adds the bytes `octets`, the first of which has the sequence number `sequence`.

        Segments can be added in any order; repeated data is dropped.
        """
        if not octets:
            return
        self.used = True
        if self._distance(sequence) > 0:
            sequence %= _NUMBERS
            self.early[sequence] = max(octets, self.early.get(sequence, b""), key=len)
            return
        self._append(sequence, octets)
        while ready := [early for early in self.early if self._distance(early) <= 0]:
            for early in ready:
                self._append(early, self.early.pop(early))

    @property
    def is_full(self) -> bool:
        """Whether so much data follows missing segments that these segments are regarded as lost."""
        return len(self.early) > EARLY or sum(map(len, self.early.values())) > EARLY_BYTES

    def is_acknowledged(self, number: int) -> bool:
        """Returns whether the acknowledgment `number` shows that the receiver has the missing bytes."""
        return any(0 <= (number - early) % _NUMBERS < _NUMBERS // 2 for early in self.early)

    def skip(self) -> None:
        """Continues with the first segment after the missing ones."""
        first = min(self.early, key=self._distance)
        self.drop()
        self._next = first
        self.add(first, self.early.pop(first))

    def drop(self) -> None:
        """Drops the bytes that are not parsed yet."""
        self.octets.clear()
        self.resumed = True

    def _append(self, sequence: int, octets: bytes) -> None:
        fresh = octets[-self._distance(sequence) :] if self._distance(sequence) else octets
        if -self._distance(sequence) < len(octets):
            self.octets += fresh
            self._next = (self._next + len(fresh)) % _NUMBERS

    def _distance(self, sequence: int) -> int:
        """Returns how many bytes `sequence` is ahead of the next expected number; negative for repeated data."""
        ahead = (sequence - self._next) % _NUMBERS
        return ahead if ahead < _NUMBERS // 2 else ahead - _NUMBERS


def _is_simulator(octets: bytes | bytearray, from_program: bool) -> bool | None:
    """Returns True for bytes in the reference simulator's protocol, False for swtpm's, None for any other."""
    if octets[:2] in TAGS:
        return False
    number = int.from_bytes(octets[:4], "big")
    if from_program:
        return True if number in (SEND_COMMAND, HANDSHAKE, SESSION_END, STOP) else None
    return True if number <= 1 or HEADER <= number <= LARGEST else None


def _is_response(octets: bytes) -> bool:
    """Returns whether the bytes begin with a response, in swtpm's or in the reference simulator's protocol."""
    if octets[:2] == b"\0\0" and octets[4:6] in TAGS:
        return int.from_bytes(octets[:4], "big") == int.from_bytes(octets[6:10], "big")
    return begins_message(octets) and (not any(octets[6:HEADER]) or not is_command(octets))


def _frame(octets: bytearray, simulator: bool, from_program: bool) -> tuple[int, bytes] | None:
    """Returns (size in bytes, message) of the first frame, or None if the frame is incomplete.

    The message is empty if the frame contains no TPM message. swtpm sends messages without frames. In the
    reference simulator's protocol, the operation, the locality and the size precede a command. The size precedes a
    response, and zeros follow it. Raises ValueError for any other protocol.
    """
    start = 0
    if simulator:
        number = int.from_bytes(octets[:4], "big")
        # A response to HANDSHAKE begins with the version 1.
        plain = {HANDSHAKE: 8, SESSION_END: 4, STOP: 4} if from_program else {0: 4, 1: 12}
        if number in plain:
            return (plain[number], b"") if len(octets) >= plain[number] else None
        if from_program and number != SEND_COMMAND:
            raise ValueError(number)
        start = 9 if from_program else 4
    header = bytes(octets[start : start + HEADER])
    if len(header) < HEADER:
        return None
    if not begins_message(header):
        raise ValueError(header)
    end = start + int.from_bytes(header[2:6], "big")
    return (end, bytes(octets[start:end])) if len(octets) >= end else None
