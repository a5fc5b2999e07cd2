"""Reads TPM messages from packets that Wireshark and tshark export: JSON, Elasticsearch, PDML, and text."""

import binascii
import re
from collections.abc import Iterator

from .headers import begins_message
from .logs import Message
from .streams import Conversations

__all__ = ["PACKET_DUMP", "PACKET_FIELDS", "PACKET_STREAM"]
__all__ += ["read_packet_dump", "read_packet_fields", "read_packet_stream"]

PACKET_FIELDS = re.compile(
    rb'"(?:tcp_|data_)?(?:tcp[._]payload|data[._]data)(?:_raw)?"\s*:|<field name="tcp\.payload"|^<pdml\b'
    rb'|"_index"\s*:\s*"packets-'
)
"""A line of packets as JSON (`tshark -T json`, `jsonraw`, `ek`) or as PDML."""

PACKET_DUMP = re.compile(
    rb"^Frame \d+: \d+ bytes on wire|^0000\s{2,3}(?:[0-9a-f]{2} ){12}(?:08 00 45 00|86 dd 6[0-9a-f] [0-9a-f]{2})\s"
)
"""A line of packets as text (`tshark -V -x`, or `Export Packet Dissections`) or as a hex dump (`tshark -x`)."""

PACKET_STREAM = re.compile(
    rb"^\s*(?:[0-9a-f]{24}(?:080045|86dd6[0-9a-f])[0-9a-f]{60,}|[A-Za-z0-9+/]{16}(?:CABF|ht1g)[A-Za-z0-9+/]{40,}=*)\s*$"
)
"""A line with one Ethernet packet, as Wireshark copies it: `...as a Hex Stream`, or `...as Base64`."""

PACKET = 1 << 22
"""Maximum size of an exported packet in bytes; longer packets are read in parts."""

_BOUNDARY = re.compile(rb'"_source"\s*:|\{\s*"timestamp"\s*:|<packet>')
_NAME = rb"(tcp[._]payload|udp[._]payload|data[._]data|tcp[._]srcport|tcp[._]dstport|ip[._]src|ip[._]dst)"
_FIELD = re.compile(
    rb'"(?:tcp_|udp_|data_|ip_)?' + _NAME + rb'(?:_raw)?"\s*:\s*(?:\[\s*)?"([0-9a-fA-F:.]*)"'
    rb'|<field name="' + _NAME + rb'"[^<>]*?value="([0-9a-fA-F]*)"'
)
_RETRANSMISSION = re.compile(rb"tcp[._]analysis[._](?:fast_|spurious_)?retransmission")
_DUMP = re.compile(rb"^([0-9a-f]{4,8}) {2,3}((?:[0-9a-f]{2} ){0,15}[0-9a-f]{2})(?:\s|$)")
_PORTS = re.compile(rb"^Transmission Control Protocol, Src Port: .*?(\d+)\)?, Dst Port: .*?(\d+)\)?,")
_DATA = re.compile(rb"^\s+(?:Data|TCP payload): ((?:[0-9a-f]{2}:?)+)\s*$")


def read_packet_fields(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from the fields tcp.payload or data.data of packets in JSON or PDML.

    A message may span several packets. Packets that Wireshark marks as retransmissions are skipped.
    """
    streams = Conversations()
    for packet in _split_packets(lines):
        if _RETRANSMISSION.search(packet):
            continue
        fields: dict[bytes, bytes] = {}
        for found in _FIELD.finditer(packet):
            fields.setdefault((found[1] or found[3]).replace(b"_", b"."), found[2] or found[4] or b"")
        for name in (b"tcp.payload", b"udp.payload", b"data.data"):
            if octets := _hex(fields.get(name, b"")):
                ends = [
                    fields.get(f"ip.{e}".encode(), b"") + fields.get(f"tcp.{e}port".encode(), b"")
                    for e in ("src", "dst")
                ]
                yield from streams.add(tuple(sorted(ends)), ends[0] <= ends[1], octets)
                break
    yield from streams.end()


def _split_packets(lines: Iterator[bytes]) -> Iterator[bytes]:
    text = bytearray()
    for line in lines:
        seen = max(0, len(text) - 16)
        text += line
        if _BOUNDARY.search(text, seen):
            *packets, rest = _BOUNDARY.split(bytes(text))
            yield from packets
            text = bytearray(rest)
        elif len(text) > PACKET:
            yield bytes(text)
            text.clear()
    yield bytes(text)


def read_packet_dump(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from packets in text with hex dumps, or with lines such as `Data: 8001…`."""
    yield from _read_frames(_frames(lines))


def read_packet_stream(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from packets in hex or base64, one packet per line."""

    def frames() -> Iterator[tuple[bytes, tuple[bytes, bytes], bytes]]:
        for line in lines:
            if PACKET_STREAM.match(line):
                text = line.strip()
                yield _hex(text) or _base64(text), (b"", b""), b""

    yield from _read_frames(frames())


def _base64(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return b""


def _read_frames(frames: Iterator[tuple[bytes, tuple[bytes, bytes], bytes]]) -> Iterator[Message]:
    """Yields (is_command, message) from (bytes of the hex dump, ports, data in the text) of each packet."""
    streams = Conversations()
    last: dict[bytes, bytes] = {}
    for frame, ends, data in frames:
        source, target, payload = _tcp(frame) or (*ends, data)
        if not payload and begins_message(frame[:10]):
            payload = frame
        if not payload or last.get(source) == payload + target:  # a retransmission repeats the payload
            continue
        last = {source: payload + target}
        yield from streams.add(tuple(sorted((source, target))), source <= target, payload)
    yield from streams.end()


def _frames(lines: Iterator[bytes]) -> Iterator[tuple[bytes, tuple[bytes, bytes], bytes]]:
    """Yields (bytes of the hex dump, (source port, destination port), data in the text) of each packet."""
    frame, ends, data = bytearray(), (b"", b""), b""
    dumped = False
    for line in lines:
        dump = _DUMP.match(line)
        begins = line.startswith(b"Frame ") if dump is None else not int(dump[1], 16) and not ends[0] and dumped
        if begins and (frame or data):
            yield bytes(frame), ends, data
            frame, ends, data, dumped = bytearray(), (b"", b""), b"", False
        if dump is not None:
            dumped = True
            if (
                int(dump[1], 16) == len(frame) < PACKET
            ):  # not the dump of reassembled data, which begins with 0 again
                frame += _hex(dump[2].replace(b" ", b""))
        elif found := _PORTS.match(line):
            ends = found[1], found[2]
        elif (found := _DATA.match(line)) and not data:
            data = _hex(found[1])
    if frame or data:
        yield bytes(frame), ends, data


def _tcp(frame: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Returns (source port, destination port, payload) of the TCP segment in a packet, or None if it has none.

    Packets start with an Ethernet header (with or without VLAN tag), a Linux cooked capture header, or an IP
    header.
    """
    for start in (14, 18, 16, 20, 4, 0):
        ip = frame[start:]
        if len(ip) < 40:
            continue
        if ip[0] >> 4 == 4 and ip[9] == 6 and 40 <= int.from_bytes(ip[2:4], "big") <= len(ip):
            tcp, addresses = ip[(ip[0] & 0xF) * 4 : int.from_bytes(ip[2:4], "big")], (ip[12:16], ip[16:20])
        elif ip[0] >> 4 == 6 and ip[6] == 6 and int.from_bytes(ip[4:6], "big") + 40 <= len(ip):
            tcp, addresses = ip[40 : 40 + int.from_bytes(ip[4:6], "big")], (ip[8:24], ip[24:40])
        else:
            continue
        if len(tcp) >= 20:
            return addresses[0] + tcp[:2], addresses[1] + tcp[2:4], tcp[(tcp[12] >> 4) * 4 :]
    return None


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.replace(b":", b"").decode("ascii"))
    except ValueError:
        return b""
