"""TPM messages in register accesses: FIFO and CRB interfaces (PC Client Platform TPM Profile, §6)."""

from collections.abc import Iterator

from .headers import HEADER, LARGEST
from .logs import Message
from .streams import Assembler

__all__ = ["Registers", "Transfers", "is_register"]

_STATUS, _FIFO, _FIFO_END = 0x18, 0x24, 0x28
_REQUEST, _START = 0x40, 0x4C
_BUFFER, _BUFFER_END = 0x80, 0x1000
_COMMAND_READY, _GO, _RETRY = 0x40, 0x20, 0x02

LONGEST_TRANSFER = 4 + 4096 + 64
"""Maximum size of an SPI transfer in bytes: header, wait states, and at most 64 bytes of data."""


def is_register(address: int) -> bool:
    """Returns whether an address on SPI (24 bits) or LPC (16 bits) is a register of a TPM locality."""
    return address >> 16 in (0, 0xD4, 0xFED4) and (address & 0xFFFF) >> 12 <= 4


class Registers:
    """The registers of a TPM. Converts register accesses to messages, in any locality from 0 to 4."""

    def __init__(self) -> None:
        self._directions = {True: Assembler(), False: Assembler()}
        self._buffers = {True: bytearray(), False: bytearray()}
        self._has_crb = False

    def access(self, is_write: bool, address: int, data: bytes) -> Iterator[Message]:
        """Processes one access, and yields (is_command, message) for each message that it completes."""
        offset = address & 0xFFF
        if not is_register(address) or not data:
            return
        if _FIFO <= offset < _FIFO_END:
            yield from ((is_write, message) for message in self._directions[is_write].add(data))
        elif offset >= _BUFFER and not self._has_crb and offset < _BUFFER + 4 and len(data) > 4:
            # TPM_XDATA_FIFO: up to 64 bytes at one address.
            yield from ((is_write, message) for message in self._directions[is_write].add(data))
        elif offset >= _BUFFER:
            yield from self._access_buffer(is_write, offset - _BUFFER, data)
        elif offset == _STATUS and is_write:
            if data[0] & _RETRY:
                self._directions[False].reset()
            elif data[0] & (_COMMAND_READY | _GO):
                yield from self.end()
        elif offset == _REQUEST and is_write:
            self._has_crb = True
        elif offset == _START and is_write and data[0] & 1:
            self._has_crb = True
            buffer = self._buffers[True]
            size = int.from_bytes(buffer[2:6], "big")
            if HEADER <= size <= len(buffer):
                yield True, bytes(buffer[:size])
            self._buffers = {True: bytearray(), False: bytearray()}

    def _access_buffer(self, is_write: bool, position: int, data: bytes) -> Iterator[Message]:
        """Processes an access to the CRB data buffer. A response is complete when its last byte is read."""
        buffer = self._buffers[is_write]
        if position + len(data) > LARGEST or position > len(buffer):
            return
        size = int.from_bytes(buffer[2:6], "big")
        was_complete = HEADER <= size <= len(buffer)
        buffer[position : position + len(data)] = data
        size = int.from_bytes(buffer[2:6], "big")
        if not is_write and not was_complete and HEADER <= size <= len(buffer):
            yield False, bytes(buffer[:size])

    def end(self) -> Iterator[Message]:
        """Yields (is_command, message) for each incomplete message."""
        for is_command in (False, True):
            if rest := self._directions[is_command].reset():
                yield is_command, rest


class Transfers:
    """Assembles SPI transfers: a byte with direction and size, a 3-byte address, wait states, and the data.

    If the capture has the chip select signal, call `select` at each change. Otherwise the transfers are recognized
    by their headers and sizes.
    """

    def __init__(self) -> None:
        self._registers = Registers()
        self._framed = False
        self._clear()

    def _clear(self) -> None:
        self._mosi, self._miso = bytearray(), bytearray()
        self._begin = 0
        """Position of the data; 0 while the TPM inserts wait states."""

    def select(self) -> Iterator[Message]:
        """Ends a transfer at a change of the chip select signal; yields the messages that it completes."""
        self._framed = True
        mosi, miso, begin = self._mosi, self._miso, self._begin
        self._clear()
        size = (mosi[0] & 0x3F) + 1 if mosi else 0
        if size and len(mosi) >= 4 + size:
            # Some captures lack the bit that ends the wait states; the data then ends the transfer.
            begin = begin if begin and begin + size <= len(mosi) and len(mosi) > 4 + size else len(mosi) - size
            yield from self._transfer(mosi, miso, begin)

    def add(self, mosi: int, miso: int) -> Iterator[Message]:
        """Processes the next byte of each line, and yields the messages that it completes."""
        if len(self._mosi) >= LONGEST_TRANSFER:
            self._clear()
        self._mosi.append(mosi)
        self._miso.append(miso)
        if not self._framed and len(self._mosi) == 4 and not _is_header(self._mosi):
            del self._mosi[0], self._miso[0]
        elif not self._begin and len(self._mosi) >= 4 and miso & 1:
            # The lowest bit is set at the end of the address, or of the wait states that the TPM inserts after it.
            self._begin = len(self._mosi)
        if not self._framed and self._begin and len(self._mosi) >= self._begin + (self._mosi[0] & 0x3F) + 1:
            data = self._mosi, self._miso, self._begin
            self._clear()
            yield from self._transfer(*data)

    def end(self) -> Iterator[Message]:
        """Ends the last transfer, and yields the remaining messages, complete or incomplete."""
        yield from self.select()
        yield from self._registers.end()

    def _transfer(self, mosi: bytearray, miso: bytearray, begin: int) -> Iterator[Message]:
        is_write = not mosi[0] & 0x80
        data = bytes((mosi if is_write else miso)[begin : begin + (mosi[0] & 0x3F) + 1])
        yield from self._registers.access(is_write, int.from_bytes(mosi[1:4], "big"), data)


def _is_header(mosi: bytearray) -> bool:
    return not mosi[0] & 0x40 and mosi[1] == 0xD4 and mosi[2] >> 4 <= 4
