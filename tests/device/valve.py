"""Stands between QEMU and swtpm, and can hold back the TPM's answers while its control channel goes on.

A stopped swtpm would not do: QEMU waits for it with the whole guest when the guest's kernel cancels a command.
"""

import array
import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 65536


class Valve:
    """A control socket at `path` for QEMU's tpm-emulator, alive inside `with`; `target` is swtpm's.

    QEMU hands its data channel over as a file descriptor; swtpm gets one that comes from here in its place.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="valve-", dir="/tmp")
        self.path = str(Path(self._directory.name, "sock"))
        listener = self._kept(socket.socket(socket.AF_UNIX))
        listener.bind(self.path)
        listener.listen(1)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.resume()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._directory.cleanup()

    def pause(self) -> None:
        """From now on the TPM takes commands and does not answer."""
        self._open.clear()

    def resume(self) -> None:
        """Let out what was held back, and what follows."""
        self._open.set()

    def _kept(self, one: socket.socket) -> socket.socket:
        self._sockets.append(one)
        return one

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            guest = self._kept(listener.accept()[0])
            swtpm = self._kept(socket.socket(socket.AF_UNIX))
            swtpm.connect(self._target)
            self._in_background(swtpm, guest)
            self._control(guest, swtpm)

    def _control(self, guest: socket.socket, swtpm: socket.socket) -> None:
        size = array.array("i").itemsize
        while True:
            octets, ancillary, _, _ = guest.recvmsg(CHUNK, socket.CMSG_SPACE(size))
            if not octets:
                return
            passed = [array.array("i", data[:size])[0] for _, _, data in ancillary]
            socket.send_fds(swtpm, [octets], [self._in_place_of(fd) for fd in passed])

    def _in_place_of(self, fd: int) -> int:
        guest = self._kept(socket.socket(fileno=fd))
        ours, theirs = map(self._kept, socket.socketpair())
        self._in_background(guest, ours)
        self._in_background(ours, guest, self._open)
        return theirs.fileno()

    def _in_background(
        self, source: socket.socket, sink: socket.socket, gate: threading.Event | None = None
    ) -> None:
        threading.Thread(target=_carry, args=(source, sink, gate), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, gate: threading.Event | None) -> None:
    with contextlib.suppress(OSError):
        while octets := source.recv(CHUNK):
            if gate is not None:
                gate.wait()
            sink.sendall(octets)
