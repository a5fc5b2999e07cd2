"""A transport that records the bytes of commands and responses, and changes bits of them on request."""

from collections.abc import Callable
from typing import NamedTuple

from tpmwire.transport import Transport

__all__ = ["Flip", "Interposer"]


class Flip(NamedTuple):
    """A bit to change: the last bit of the byte at `offset`, in the next command with `code` or its response."""

    code: int
    in_response: bool
    offset: int


class Interposer(Transport):
    """Passes commands to another transport. `last` contains the bytes of the last command and response, and which
    of them was changed: "command", "response" or "".

    `open_inner` returns the other transport. With `reopen`, it is opened for each command and closed afterward, so
    that other programs can use the TPM in between. `flip` is the bit to change next, or None.
    """

    def __init__(self, open_inner: Callable[[], Transport], *, reopen: bool = False) -> None:
        self._open_inner = open_inner
        self._inner = None if reopen else open_inner()
        if self._inner is not None:
            self.timeout = self._inner.timeout
            self.path = self._inner.path
        self.last = (b"", b"", "")
        self.flip: Flip | None = None

    def transceive(self, command: bytes) -> bytes:
        """Sends a command and returns the response.

        Flips the bit that `flip` selects, once: in the first command with its code, or in the response to that
        command.
        """
        flip, changed = self.flip, ""
        code = int.from_bytes(command[6:10], "big")
        if flip is not None and flip.code == code:
            self.flip = None
        else:
            flip = None
        if flip is not None and not flip.in_response and flip.offset < len(command):
            command, changed = _change_bit(command, flip.offset), "command"
        response = self._send(command)
        if flip is not None and flip.in_response and flip.offset < len(response):
            response, changed = _change_bit(response, flip.offset), "response"
        self.last = (command, response, changed)
        return response

    def _send(self, command: bytes) -> bytes:
        inner = self._inner or self._open_inner()
        try:
            return inner.transceive(command)
        finally:
            if inner is not self._inner:
                inner.close()

    def close(self) -> None:
        """Closes the other transport."""
        if self._inner is not None:
            self._inner.close()


def _change_bit(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
