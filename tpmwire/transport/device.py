"""Linux device files: /dev/tpm0 (one user at a time) and /dev/tpmrm0 (the kernel's resource manager)."""

import errno
import os
import select
import stat
import time

from ..errors import DeviceBusyError, TransportError
from .base import Transport

__all__ = ["DeviceTransport"]


class DeviceTransport(Transport):
    """A TPM character device, opened non-blocking: the kernel works on a command while we wait for its end.

    We wait by epoll alone. poll() and read() would take the lock that the kernel's work on a command holds
    (buffer_mutex in drivers/char/tpm/tpm-dev-common.c): with a TPM that hangs they wait for minutes, deaf to
    signals. A wait on an epoll that was told of the device while it was idle takes no lock.
    """

    hint = "the kernel log may say more (dmesg | grep tpm)"
    close_waits = True

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(_opened(path, time.monotonic() + timeout), path, timeout)
        # The kernel's names (drivers/char/tpm/tpm-chip.c); a link of another name may lead to it.
        self.close_flushes = os.path.basename(os.path.realpath(path)).startswith("tpmrm")
        self._answers = select.epoll()
        try:
            self._answers.register(self._fd, select.EPOLLIN)
        except OSError as error:
            self.release()
            raise TransportError(f"{path} is a device, but none that answers: no TPM") from error

    def send(self, command: bytes) -> None:
        """Sends a command's octets. Raises TransportError and its kinds."""
        if not self._waiting and self._fd >= 0:
            # epoll asks once more for what it reported last; that has to be over when the lock is taken.
            self._answers.poll(0)
        super().send(command)

    def release(self) -> None:
        """Gives up this process's end without a word to the TPM: another process goes on with the connection."""
        self._answers.close()
        super().release()

    def _ready(self, event: int, seconds: float) -> bool:
        # An idle device takes a command whole; only an answer is waited for.
        return event == select.POLLIN and bool(self._answers.poll(seconds))


def _opened(path: str, deadline: float) -> int:
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise TransportError(_explained(path, error)) from error
            if time.monotonic() >= deadline:
                raise DeviceBusyError(
                    f"{path} is in use by another process until the timeout: /dev/tpm0 takes one user at a time, "
                    "/dev/tpmrm0 takes many (--tpm-path)"
                ) from error
            time.sleep(0.01)
    if not stat.S_ISCHR(os.fstat(fd).st_mode):
        os.close(fd)
        raise TransportError(f"{path} is no device; a TPM is a device file, a socket or HOST:PORT")
    return fd


def _explained(path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"there is no {path}: is a TPM 2.0 present and enabled in the firmware? --tpm-path names another"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to open {path}: the user needs to be in its group (usually tss)"
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return f"{path} is there, but no TPM behind it"
    return f"opening {path} failed: {error.strerror}"
