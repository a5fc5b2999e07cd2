"""Captures of the traffic between a program and a TPM: system calls, kernel probes, packets, and buses."""

from . import bus_captures as bus
from . import kernel_traces as kernel
from .explanations import EXPLANATIONS, TREES, read_explanations, read_trees
from .logs import Log, compile_words, find_format
from .strace import STRACE, read_strace
from .wireshark import (
    PACKET_DUMP,
    PACKET_FIELDS,
    PACKET_STREAM,
    read_packet_dump,
    read_packet_fields,
    read_packet_stream,
)

__all__ = ["CAPTURES", "find_capture"]

CAPTURES = [
    Log("explanations in JSON", (b'"name": "',), TREES, read_trees),
    Log("explanations in text", (b"0000 ",), EXPLANATIONS, read_explanations),
    Log("output of strace", (b', "', b"iov_base=", b"<unfinished", b"resumed>"), STRACE, read_strace),
    Log("packets in JSON or PDML", (b"tcp", b"data", b"pdml", b"_index"), PACKET_FIELDS, read_packet_fields),
    Log("packets in text", (b"Frame ", b"0000 "), PACKET_DUMP, read_packet_dump),
    Log("packets in hex or base64", (b"080045", b"86dd6", b"CABF", b"ht1g"), PACKET_STREAM, read_packet_stream),
    Log(
        "trace of the Linux kernel",
        (b"{0x", b"(80:0", b"(00:c4", b"data=", b"ARRAY["),
        kernel.KERNEL_TRACE,
        kernel.read_kernel_trace,
    ),
    Log("output of bpftrace", (b"\\x80", b"\\x00"), kernel.BPFTRACE, kernel.read_bpftrace),
    Log(
        "table of a bus capture",
        (b"mosi", b"MOSI", b"Mosi", b"addr", b"Addr", b"ADDR"),
        bus.BUS_TABLE,
        bus.read_bus_table,
    ),
    Log("capture of the Bus Pirate", (b"(0x",), bus.BUS_PIRATE, bus.read_bus_pirate),
    Log("capture of lpc_sniffer", (b"018", b"024", b"io:", b"IO:"), bus.LPC_SNIFFER, bus.read_lpc_sniffer),
    Log("annotations of sigrok for SPI", (b"spi", b"SPI"), bus.SIGROK_SPI, bus.read_sigrok_spi),
    Log("annotations of sigrok for LPC", (b"lpc", b"LPC"), bus.SIGROK_LPC, bus.read_sigrok_lpc),
]
"""The known captures. A line that matches several patterns belongs to the first."""

_WORDS = compile_words(CAPTURES)


def find_capture(line: bytes) -> Log | None:
    """Returns the capture format with lines like `line`, or None."""
    return find_format(line, CAPTURES, _WORDS)
