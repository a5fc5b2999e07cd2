"""Network captures (pcap, pcapng): the TCP streams between programs and a software TPM. Needs dpkt."""

import io
import struct
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..terminal.messages import UsageError
from .message import HEADER, Exchange, is_message

__all__ = ["read_capture"]

SEND_COMMAND, HANDSHAKE, SESSION_END, STOP = 8, 15, 20, 21
"""Operations of the reference simulator's protocol (TpmTcpProtocol.h)."""


def read_capture(data: bytes) -> Iterator[Exchange]:
    """Returns the commands and responses of a capture, in the order of its connections. Raises UsageError."""
    for first, second in _connections(data):
        yield from _simulator(first, second) if first[:2] == b"\0\0" else _swtpm(first, second)


def _swtpm(sent: bytes, answered: bytes) -> Iterator[Exchange]:
    """Yields the commands and responses of an swtpm connection, which sends them without framing."""
    while size := _size(sent):
        answer = answered[: _size(answered)]
        yield sent[:size], answer
        sent, answered = sent[size:], answered[len(answer) :]


def _simulator(sent: bytes, answered: bytes) -> Iterator[Exchange]:
    """Yields the commands and responses of a simulator connection.

    A command follows operation, locality and size; a response stands between its size and a zero.
    """
    while len(sent) >= 4:
        operation = int.from_bytes(sent[:4], "big")
        if operation == SEND_COMMAND:
            end = 9 + int.from_bytes(sent[5:9], "big")
            size = int.from_bytes(answered[:4], "big")
            command, answer = sent[9:end], answered[4 : 4 + size]
            if not is_message(command):
                return
            yield command, answer if is_message(answer) else b""
            sent, answered = sent[end:], answered[4 + size + 4 :]
        elif operation == HANDSHAKE:
            sent, answered = sent[8:], answered[12:]
        elif operation in (SESSION_END, STOP):
            sent = sent[4:]
        else:
            return


def _size(stream: bytes) -> int:
    """Returns the size of the first message, header included; 0 if it is incomplete or not a TPM's."""
    size = int.from_bytes(stream[2:6], "big")
    return size if len(stream) >= HEADER and is_message(stream[:size]) else 0


def _connections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields (sent, received) for each TCP connection, as the program sent and received them."""
    open_now: dict[Any, Connection] = {}
    found: list[Connection] = []
    for here, there, segment in _segments(data):
        ends = frozenset((here, there))
        connection = open_now.get(ends)
        begins = segment.flags & 0x12 == 0x02  # SYN without ACK
        if connection is None or (begins and connection.first is not None):  # or its ports are reused
            connection = open_now[ends] = Connection()
            found.append(connection)
        connection.add(here, segment)
    for connection in found:
        octets = [bytes(stream.octets) for stream in connection.in_order()]
        first, second = (*octets, b"", b"")[:2]
        # A recording that starts in the middle may begin with a response.
        if first[:1] == b"\x80" and not any(first[6:HEADER]):
            first, second = second, first[_size(first) :]
        yield first, second


class Connection:
    """A TCP connection: its two streams by sender; `first` is the sender of the first data."""

    def __init__(self) -> None:
        self.first: Any = None
        self._streams: dict[Any, Stream] = {}

    def add(self, sender: Any, segment: Any) -> None:
        """Adds a TCP segment to the stream of its sender."""
        sequence = segment.seq + (segment.flags >> 1 & 1)  # takes one sequence number
        self._streams.setdefault(sender, Stream(sequence)).add(sequence, bytes(segment.data))
        if segment.data and self.first is None:
            self.first = sender

    def in_order(self) -> "list[Stream]":
        """Returns both streams, beginning with that of `first`."""
        return [self._streams[key] for key in sorted(self._streams, key=lambda key: key != self.first)]


class Stream:
    """One direction of a connection, reassembled from its segments."""

    def __init__(self, sequence: int) -> None:
        self.octets = bytearray()
        self._start = sequence
        self._early: dict[int, bytes] = {}

    def add(self, sequence: int, octets: bytes) -> None:
        """Adds a segment, in any order; drops repeated data."""
        place = (sequence - self._start) & 0xFFFFFFFF
        if place >= 1 << 31 or not octets:
            return
        self._early[place] = max(octets, self._early.get(place, b""), key=len)
        for early in sorted(self._early):
            if early > len(self.octets):
                return
            ahead = self._early.pop(early)
            self.octets += ahead[len(self.octets) - early :]


def _segments(data: bytes) -> Iterator[tuple[Any, Any, Any]]:
    """Yields TCP segments with their ends (address, port). Raises UsageError."""
    try:
        dpkt: Any = import_module("dpkt")
    except ImportError as error:
        raise UsageError("reading network captures needs dpkt: pip install 'tpmwire[explain]'") from error
    try:
        reader = dpkt.pcap.UniversalReader(io.BytesIO(data))
        link = reader.datalink()
        for _, packet in reader:
            ip = _ip(dpkt, link, packet)
            if ip is not None and isinstance(ip.data, dpkt.tcp.TCP):
                yield (ip.src, ip.data.sport), (ip.dst, ip.data.dport), ip.data
    except (dpkt.Error, ValueError, struct.error, IndexError, KeyError) as error:
        raise UsageError(f"the capture is damaged, or in a format that dpkt does not support: {error}") from error


def _ip(dpkt: Any, link: int, packet: bytes) -> Any:
    """Returns the IP packet in a frame, or None. Damaged frames are skipped, as network analysers do."""
    kinds = {
        dpkt.pcap.DLT_EN10MB: dpkt.ethernet.Ethernet,
        dpkt.pcap.DLT_LINUX_SLL: dpkt.sll.SLL,
        dpkt.pcap.DLT_LINUX_SLL2: dpkt.sll2.SLL2,
        dpkt.pcap.DLT_NULL: dpkt.loopback.Loopback,
    }
    try:
        if link in kinds:
            inner = kinds[link](packet).data
        else:  # raw: an IP packet by itself
            inner = (dpkt.ip6.IP6 if packet[:1] >= b"\x60" else dpkt.ip.IP)(packet)
    except (dpkt.Error, struct.error, IndexError):
        return None
    return inner if isinstance(inner, (dpkt.ip.IP, dpkt.ip6.IP6)) else None
