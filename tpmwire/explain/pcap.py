"""Builds network captures (pcap) of commands and responses, which Wireshark shows as TPM 2.0.

The packets form a TCP connection to the reference simulator on port 2321, a protocol that Wireshark decodes.
"""

import struct

__all__ = ["PcapBuilder"]

PORT, CLIENT = 2321, 50000
HOST = bytes((127, 0, 0, 1))
SYN, ACK, PUSH = 0x02, 0x10, 0x08
LINK_RAW = 101
"""Link type of packets that begin with the IP header."""

LARGEST = 1 << 15
"""Maximum number of data bytes in a TCP segment."""


class PcapBuilder:
    """Builds a capture file in parts: call `begin` once, then `exchange` for each command."""

    def __init__(self) -> None:
        self._next = {CLIENT: 1, PORT: 1}

    def begin(self, time: float) -> bytes:
        """Returns the header of the file, and the packets that open the connection at `time` (in Unix seconds)."""
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, LINK_RAW)
        self._next = {CLIENT: 0, PORT: 0}
        opening = self._packet(CLIENT, SYN, b"", time)
        self._next[CLIENT] = 1
        opening += self._packet(PORT, SYN | ACK, b"", time)
        self._next[PORT] = 1
        return header + opening + self._packet(CLIENT, ACK, b"", time)

    def exchange(self, command: bytes, response: bytes, time: float, end: float | None = None) -> bytes:
        """Returns the packets of a command at `time`, and of its response at `end` (in Unix seconds)."""
        # TPM_SEND_COMMAND at locality 0; a response ends with the simulator's own return code (TpmTcpProtocol.h).
        # Wireshark needs each part of a frame in a segment of its own.
        sent = (struct.pack(">IBI", 8, 0, len(command)), command)
        received = (struct.pack(">I", len(response)), response, bytes(4))
        parts = [(CLIENT, part) for part in sent] + [(PORT, part) for part in received]
        times = {CLIENT: time, PORT: time if end is None else end}
        return b"".join(self._segments(source, part, times[source]) for source, part in parts)

    def _segments(self, source: int, data: bytes, time: float) -> bytes:
        packets = b""
        for start in range(0, len(data), LARGEST):
            part = data[start : start + LARGEST]
            packets += self._packet(source, ACK | PUSH, part, time)
            self._next[source] = (self._next[source] + len(part)) % (1 << 32)
        return packets

    def _packet(self, source: int, flags: int, data: bytes, time: float) -> bytes:
        target = PORT if source == CLIENT else CLIENT
        acknowledged = self._next[target] if flags & ACK else 0
        ports = struct.pack(">HHII", source, target, self._next[source], acknowledged)
        tcp = ports + struct.pack(">BBHHH", 5 << 4, flags, 0xFFFF, 0, 0) + data
        tcp = _with_checksum(tcp, 16, HOST + HOST + struct.pack(">HH", 6, len(tcp)))
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + HOST + HOST
        packet = _with_checksum(ip, 10, b"") + tcp
        seconds = int(time)
        return struct.pack("<IIII", seconds, int((time - seconds) * 1e6), len(packet), len(packet)) + packet


def _with_checksum(octets: bytes, place: int, extra: bytes) -> bytes:
    """Returns `octets` with the Internet checksum (RFC 1071) of `octets` and `extra` stored at offset `place`."""
    even = extra + octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return octets[:place] + struct.pack(">H", ~total & 0xFFFF) + octets[place + 2 :]
