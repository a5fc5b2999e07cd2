"""Reads TPM messages from captures of the SPI and LPC buses: logic analyzers and sniffers."""

import csv
import itertools
import re
from collections.abc import Iterator

from .logs import Message
from .registers import Registers, Transfers

__all__ = ["BUS_PIRATE", "BUS_TABLE", "LPC_SNIFFER", "SIGROK_LPC", "SIGROK_SPI"]
__all__ += ["read_bus_pirate", "read_bus_table", "read_lpc_sniffer", "read_sigrok_lpc", "read_sigrok_spi"]

BUS_TABLE = re.compile(
    rb'^(?=[\w "\x27.,;\t\[\]()/#\xef\xbb\xbf-]{0,400}\s*$)(?:(?=(?:.*[,;\t])? ?"?mosi\b)(?=.*[,;\t])'
    rb'(?=(?:.*[,;\t])? ?"?miso\b)'
    rb'|(?=(?:.*[,;\t])? ?"?addr(?:ess)?\b)(?=(?:.*[,;\t])? ?"?data\b[^,;\t]*(?:[,;\t]|\s*$))'
    rb"(?=.*[,;\t].*[,;\t]))",
    re.I,
)
"""The heading of a table (CSV) of SPI bytes, or of register accesses."""

BUS_PIRATE = re.compile(rb"\[(?:0x[0-9A-F]{2}\(0x[0-9A-F]{2}\)\s*){4}", re.I)
LPC_SNIFFER = re.compile(
    rb"^\s*(?:b')?[0-9a-f]{4}[0-4]0(?:18|24)[0-9a-f]{2}[0-9a-f]{2}'?\s*$|^\s*io: +(?:read|write) [0-9a-f]{8}: ",
    re.I,
)
SIGROK_SPI = re.compile(rb"^(?:\d+-\d+ )?[\w-]*spi[\w-]*: (?:(?:mosi|miso)[\w ]*: )?(?:[0-9A-F]{2} ?)+\s*$", re.I)
SIGROK_LPC = re.compile(rb"^(?:\d+-\d+ )?[\w-]*lpc[\w-]*: .*(?:Cycle type|Address): ", re.I)


PEEKED = 64
"""Number of rows that are examined to decide whether numbers without a prefix are hex."""


def _octets(text: str, *, bare: bool) -> bytes:
    """Returns the bytes in a table cell, or b"" if the cell has none.

    A cell has one number in hex, binary or decimal, or several bytes in hex. If `bare` is true, numbers without a
    prefix are hex.
    """
    text = text.strip(" '\"")
    if re.fullmatch(r"(?:(?:0x)?[0-9a-fA-F]{2}[\s,-]+)+(?:0x)?[0-9a-fA-F]{2}", text):
        return bytes.fromhex(re.sub(r"0x|[\s,-]", "", text))
    number = _number(f"0x{text}" if bare and re.fullmatch(r"[0-9a-fA-F]{1,2}", text) else text)
    return b"" if number is None else bytes((number & 0xFF,))


def _number(text: str) -> int | None:
    """Returns the number in a table cell in hex, binary or decimal, or None if the cell has no number."""
    if found := re.search(r"0x([0-9a-f]{1,16})\b", text, re.I):
        return int(found[1], 16)
    if found := re.fullmatch(r"0b([01 ]{1,40})", text):
        return int(found[1].replace(" ", ""), 2)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


def _rows(lines: Iterator[bytes]) -> Iterator[dict[str, str]]:
    """Yields each row after the heading as {column name in lower case: cell}."""
    heading = next((line for line in lines if BUS_TABLE.search(line)), b"")
    delimiter = max(",;\t", key=heading.decode("latin-1").count)
    names = [name.strip(" \"'\r\n\ufeff").lower() for name in heading.decode("utf-8", "replace").split(delimiter)]
    for line in lines:
        # A quote that is not closed must not join further lines, so each line is parsed by itself.
        try:
            cells = next(csv.reader([line.decode("latin-1").strip("\r\n")], delimiter=delimiter), [])
        except csv.Error:
            continue
        yield dict(zip(names, cells, strict=False))


def read_bus_table(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from a table with MOSI and MISO columns, or with addresses and data.

    Column `Packet ID` (Saleae Logic 1), or rows of type `enable` and `disable` (Logic 2), delimit the transfers.
    Other tables have a complete transfer in each row, or transfers that are recognized by their headers. Tables of
    register accesses, as exported by analyzers for TPMs on SPI and LPC, have an address, data, and a column with
    the word read or write.
    """
    rows = _rows(lines)
    first = next(rows, {})
    rows = itertools.chain([first], rows)
    return _spi_rows(rows) if "mosi" in first else _access_rows(rows)


def _spi_rows(rows: Iterator[dict[str, str]]) -> Iterator[Message]:
    transfers = Transfers()
    packet = None
    first = list(itertools.islice(rows, PEEKED))
    bare = any(re.fullmatch(r"[0-9][a-fA-F]|[a-fA-F][0-9a-fA-F]", row.get("mosi", "").strip()) for row in first)
    for row in itertools.chain(first, rows):
        identifier = row.get("packet id", "").strip()
        if row.get("type", "").strip().lower() in ("enable", "disable") or (identifier and identifier != packet):
            yield from transfers.select()
            packet = identifier
        mosi, miso = (_octets(row.get(line, ""), bare=bare) for line in ("mosi", "miso"))
        if len(mosi) > 1:
            yield from transfers.select()
        for pair in itertools.zip_longest(mosi, miso, fillvalue=0):
            yield from transfers.add(*pair)
    yield from transfers.end()


def _access_rows(rows: Iterator[dict[str, str]]) -> Iterator[Message]:
    registers = Registers()
    for row in rows:
        address = next((value for name, value in row.items() if re.match(r"addr(ess)?\b", name)), "")
        data = next((value for name, value in row.items() if re.match(r"data\b", name)), "")
        words = " ".join(value for name, value in row.items() if value not in (address, data)).lower()
        found = re.search(r"\b(?:(wr|write|w|tx|out)|(rd|read|r|rx|in))\b", words)
        number = re.sub(r"0x|[\s:_h]", "", address.lower())
        octets = re.sub(r"0x|[\s:,_-]", "", data.lower())
        if found and re.fullmatch(r"[0-9a-f]{2,8}", number) and re.fullmatch(r"(?:[0-9a-f]{2})+", octets):
            yield from registers.access(bool(found[1]), int(number, 16), bytes.fromhex(octets))
    yield from registers.end()


def read_bus_pirate(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from the Bus Pirate's SPI sniffer: `[0x80(0x00)0xD4(0x00)…]`.

    Each pair is MOSI(MISO).
    """
    transfers = Transfers()
    for line in lines:
        for found in re.finditer(rb"([\[\]])|0x([0-9a-f]{2})\(0x([0-9a-f]{2})\)", line, re.I):
            if found[1]:
                yield from transfers.select()
            else:
                yield from transfers.add(int(found[2], 16), int(found[3], 16))
    yield from transfers.end()


def read_lpc_sniffer(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from lpc_sniffer's lines: `b'000000248000'`, or ` io: write 00000024:   80`.

    The hex line has the address (4 bytes), the data, and a byte whose bit 1 is set for a write.
    """
    registers = Registers()
    pattern = re.compile(
        rb"^\s*(?:b')?([0-9a-f]{8})([0-9a-f]{2})[0-9a-f]?([0-9a-f])'?\s*$"
        rb"|^\s*(?:io|mem): +(read|write) ([0-9a-f]{8}): +([0-9a-f]{2})\s*$",
        re.I,
    )
    for line in lines:
        if found := pattern.match(line):
            is_write = bool(int(found[3], 16) & 2) if found[3] else found[4].lower() == b"write"
            address, data = found[1] or found[5], found[2] or found[6]
            yield from registers.access(is_write, int(address, 16), bytes((int(data, 16),)))
    yield from registers.end()


def read_sigrok_spi(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from SPI annotations of sigrok-cli and PulseView.

    If the annotations do not name the lines, MISO is expected before MOSI, as sigrok-cli prints them. Annotations
    of single bits are skipped. Complete transfers (`-A spi=mosi-transfer:miso-transfer`) are read without a search
    for headers.
    """
    pattern = re.compile(rb"^(?:\d+-\d+ )?[\w-]*spi[\w-]*: (?:(mosi|miso)[\w ]*: )?((?:[0-9A-F]{2} ?)+)\s*$", re.I)
    transfers = Transfers()
    waiting: dict[bool, list[bytes]] = {True: [], False: []}
    for line in lines:
        found = pattern.match(line)
        if found is None:
            continue
        octets = bytes.fromhex(found[2].decode("ascii"))
        is_mosi = found[1].lower() == b"mosi" if found[1] else len(waiting[False]) > len(waiting[True])
        waiting[is_mosi].append(octets)
        if len(waiting[True]) + len(waiting[False]) > 1 << 12:
            waiting = {True: [], False: []}
        while waiting[True] and waiting[False]:
            mosi, miso = waiting[True].pop(0), waiting[False].pop(0)
            if len(mosi) > 1:
                yield from transfers.select()
            for pair in zip(mosi, miso, strict=False):
                yield from transfers.add(*pair)
    yield from transfers.end()


def read_sigrok_lpc(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from the annotations of sigrok's LPC decoder."""
    registers = Registers()
    is_write, address = False, -1
    for line in lines:
        if found := re.search(rb"Cycle type: .*\b(read|write)", line):
            is_write, address = found[1] == b"write", -1
        elif found := re.search(rb"Address: (0x[0-9a-f]{1,8})", line, re.I):
            address = int(found[1], 16)
        elif (found := re.search(rb"DATA: 0x([0-9a-f]{2})", line, re.I)) and address >= 0:
            yield from registers.access(is_write, address, bytes((int(found[1], 16),)))
    yield from registers.end()
