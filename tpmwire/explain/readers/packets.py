"""Reads the TCP segments of network captures (pcap, pcapng). Needs dpkt."""

import struct
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO, NamedTuple

from ...errors import InputError

__all__ = ["End", "Segment", "is_capture", "read_segments"]

_PCAP = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
_PCAPNG = b"\x0a\x0d\x0d\x0a"

LARGEST = 1 << 24
"""Maximum size of a packet or block in bytes, the same as in Wireshark."""


End = tuple[bytes, int]
"""An end of a connection: address and port."""


class Segment(NamedTuple):
    """A TCP segment: ends, sequence and acknowledgment numbers, flags, payload (`octets`), time in seconds."""

    sender: End
    receiver: End
    sequence: int
    acknowledged: int
    flags: int
    octets: bytes
    time: float = 0.0


def is_capture(head: bytes) -> bool:
    """Returns whether an input that begins with `head` is a network capture."""
    return head[:4] in (*_PCAP, _PCAPNG)


def read_segments(file: BinaryIO, name: str) -> Iterator[Segment]:
    """Yields the TCP segments of a capture while it is read.

    Raises InputError if the capture is damaged. If it is truncated, raises InputError after the last complete
    packet.
    """
    try:
        dpkt: Any = import_module("dpkt")
    except ImportError as error:
        raise InputError("reading network captures needs dpkt: pip install 'tpmwire[explain]'") from error
    try:
        checked = _Blocks(file, name)
        reader = (dpkt.pcapng if checked.is_pcapng else dpkt.pcap).Reader(checked)
        link = reader.datalink()
        for time, packet in reader:
            ip = _ip(dpkt, link, packet)
            if ip is not None and isinstance(ip.data, dpkt.tcp.TCP):
                tcp = ip.data
                yield Segment(
                    *((ip.src, tcp.sport), (ip.dst, tcp.dport), tcp.seq, tcp.ack, tcp.flags, bytes(tcp.data)),
                    float(time),
                )
    except (dpkt.Error, ValueError, struct.error, IndexError, KeyError) as error:
        raise InputError(
            f"{name}: the capture is damaged, or in a format that dpkt does not support: {error}"
        ) from error


class _Blocks:
    """A capture file for dpkt, which alternately reads a header and a body.

    Raises InputError if the file ends within a header or a body; dpkt would return a truncated packet.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._magic = file.read(4)
        self._reads = 0
        self.is_pcapng = self._magic == _PCAPNG

    def read(self, size: int) -> bytes:
        """Returns `size` bytes, or b"" at the end of the capture."""
        if not 0 <= size <= LARGEST:
            raise ValueError(f"invalid packet size: {size} bytes")
        octets = self._magic + self._file.read(size - len(self._magic))
        self._magic = b""
        # pcap has a header before its first pair of reads. The two reads of pcapng's first block are such a pair.
        at_boundary = self._reads > 0 and self._reads % 2 == (0 if self.is_pcapng else 1)
        self._reads += 1
        if len(octets) < size and (octets or not at_boundary):
            raise InputError(
                f"{self._name}: the capture is truncated: expected {size} bytes, got {len(octets)}; "
                "only the messages before that are explained"
            )
        return octets


def _ip(dpkt: Any, link: int, packet: bytes) -> Any:
    """Returns the IP packet in a frame of link type `link`; None for damaged frames and other protocols."""
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
