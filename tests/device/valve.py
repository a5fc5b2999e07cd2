"""Stands between QEMU and swtpm: counts commands, resets the TPM, holds back its answers while control goes on.

It can also show a TPM that lacks commands which swtpm has.

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

from tests.support.interposer import read_message
from tests.support.lacking import Lacking
from tpmwire.spec.constants import TPM_CC

CHUNK = 65536
CMD_INIT = bytes((0, 0, 0, 2, 0, 0, 0, 0))
"""Of swtpm's control channel (swtpm_ioctl(3)): off and on again, nothing kept that a reset ends."""


class Valve:
    """A control socket at `path` for QEMU's tpm-emulator, alive inside `with`; `target` is swtpm's.

    `lacking` is what the TPM lacks. QEMU hands its data channel over as a file descriptor; swtpm gets one that
    comes from here in its place.
    """

    def __init__(self, target: str, lacking: Lacking | None = None) -> None:
        self._target = target
        self._lacking = lacking or Lacking()
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._codes: list[str] = []
        self._control_of_swtpm: socket.socket
        self._ours = threading.Semaphore(0)
        self._done = threading.Event()

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

    def commands(self) -> list[str]:
        """Names of the commands that the TPM got since this was asked last."""
        codes, self._codes = self._codes, []
        return codes

    def reset(self) -> None:
        """Take the TPM's power away and give it back; what Startup comes next is the guest's affair."""
        self._done.clear()
        self._ours.release()
        self._control_of_swtpm.sendall(CMD_INIT)
        if not self._done.wait(10):
            raise TimeoutError("swtpm does not answer CMD_INIT")

    def _answered(self, octets: bytes) -> bytes:
        """What of swtpm's control channel is for QEMU: not the answer to `reset`, a code of four octets."""
        if not self._ours.acquire(blocking=False):
            return octets
        self._done.set()
        return octets[4:]

    def _relay(self, guest: socket.socket, swtpm: socket.socket) -> None:
        """Carries commands and their responses, one after the other, as a TPM works."""
        with contextlib.suppress(OSError):
            while command := read_message(guest):
                code = int.from_bytes(command[6:10], "big")
                self._codes.append(TPM_CC(code).name if code in set(TPM_CC) else f"{code:#x}")
                answer = self._lacking.refusal(command)
                if answer is None:
                    swtpm.sendall(self._lacking.forwarded(command))
                    answer = self._lacking.response(read_message(swtpm), command)
                self._open.wait()
                guest.sendall(answer)

    def _kept(self, one: socket.socket) -> socket.socket:
        self._sockets.append(one)
        return one

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            guest = self._kept(listener.accept()[0])
            swtpm = self._kept(socket.socket(socket.AF_UNIX))
            swtpm.connect(self._target)
            self._control_of_swtpm = swtpm
            threading.Thread(target=self._answers_of, args=(swtpm, guest), daemon=True).start()
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
        threading.Thread(target=self._relay, args=(guest, ours), daemon=True).start()
        return theirs.fileno()

    def _answers_of(self, swtpm: socket.socket, guest: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := swtpm.recv(CHUNK):
                guest.sendall(self._answered(octets))
