"""Captures of the traffic between a program and a TPM: system calls, kernel probes, packets, and buses."""

from . import bus_captures as bus
from . import kernel_traces as kernel
from .explanations import EXPLANATIONS, TREES, read_explanations, read_trees
from .logs import Log
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
    Log("explanations in JSON", TREES, read_trees),
    Log("explanations in text", EXPLANATIONS, read_explanations),
    Log("output of strace", STRACE, read_strace),
    Log("packets in JSON or PDML", PACKET_FIELDS, read_packet_fields),
    Log("packets in text", PACKET_DUMP, read_packet_dump),
    Log("packets in hex or base64", PACKET_STREAM, read_packet_stream),
    Log("trace of the Linux kernel", kernel.KERNEL_TRACE, kernel.read_kernel_trace),
    Log("output of bpftrace", kernel.BPFTRACE, kernel.read_bpftrace),
    Log("table of a bus capture", bus.BUS_TABLE, bus.read_bus_table),
    Log("capture of the Bus Pirate", bus.BUS_PIRATE, bus.read_bus_pirate),
    Log("capture of lpc_sniffer", bus.LPC_SNIFFER, bus.read_lpc_sniffer),
    Log("annotations of sigrok for SPI", bus.SIGROK_SPI, bus.read_sigrok_spi),
    Log("annotations of sigrok for LPC", bus.SIGROK_LPC, bus.read_sigrok_lpc),
]
"""The known captures. A line that matches several patterns belongs to the first."""


def find_capture(line: bytes) -> Log | None:
    """Returns the capture format with lines like `line`, or None."""
    return next((capture for capture in CAPTURES if capture.mark.search(line)), None)
