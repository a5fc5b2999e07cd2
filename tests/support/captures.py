"""Network captures of made-up TCP segments between a program and a software TPM."""

import io
from collections.abc import Iterable

import dpkt

__all__ = ["COMMAND", "ERROR", "FROM", "RESPONSE", "TO", "Capture", "frame", "recorded"]

COMMAND = bytes.fromhex("80010000000c0000017b0010")
RESPONSE = bytes.fromhex("80010000001c000000000010") + bytes(range(16))
ERROR = bytes.fromhex("80010000000a00000095")

TO, FROM = (40000, 2321), (2321, 40000)
"""Ports of a segment to and from the TPM."""


def frame(way: tuple[int, int], seq: int, flags: int = 0x10, data: bytes = b"", ack: int = 0) -> bytes:
    """An Ethernet frame of a TCP segment."""
    tcp = dpkt.tcp.TCP(
        sport=way[0], dport=way[1], seq=seq & 0xFFFFFFFF, ack=ack & 0xFFFFFFFF, flags=flags, data=data
    )
    ip = dpkt.ip.IP(src=b"\x7f\0\0\1", dst=b"\x7f\0\0\1", p=6, data=tcp, len=20 + len(tcp))
    return bytes(dpkt.ethernet.Ethernet(data=ip, type=dpkt.ethernet.ETH_TYPE_IP))


def recorded(frames: Iterable[bytes], writer: type = dpkt.pcap.Writer) -> bytes:
    """A capture of these frames."""
    file = io.BytesIO()
    out = writer(file)
    for number, packet in enumerate(frames):
        out.writepkt(packet, ts=1_700_000_000 + number)
    return file.getvalue()


class Capture:
    """The frames of one connection, with the sequence numbers and acknowledgments of a real one."""

    def __init__(self, port: int = 40000) -> None:
        self.frames: list[bytes] = []
        self._ways = {"to": (port, 2321), "from": (2321, port)}
        self._next = {"to": 1000, "from": 5000}
        self._add("to", 0x02, b"")
        self._add("from", 0x12, b"")

    def to(self, octets: bytes, *, captured: bool = True) -> "Capture":
        """Adds a segment to the TPM."""
        return self._add("to", 0x18, octets, captured)

    def back(self, octets: bytes, *, captured: bool = True) -> "Capture":
        """Adds a segment from the TPM."""
        return self._add("from", 0x18, octets, captured)

    def _add(self, way: str, flags: int, octets: bytes, captured: bool = True) -> "Capture":
        other = "from" if way == "to" else "to"
        if captured:
            self.frames.append(frame(self._ways[way], self._next[way], flags, octets, self._next[other]))
        self._next[way] += len(octets) + (flags >> 1 & 1)
        return self
