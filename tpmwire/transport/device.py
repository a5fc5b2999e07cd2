"""Linux device files: /dev/tpm0 (one user at a time) and /dev/tpmrm0 (the kernel's resource manager)."""

import errno
import os
import select
import stat
import sys
import time

from ..errors import DeviceBusyError, TransportError, WrongPathError
from .base import DescriptorTransport

__all__ = ["DeviceTransport"]


class DeviceTransport(DescriptorTransport):
    """A TPM character device, opened non-blocking: the kernel executes a command while this process waits.

    This class waits with epoll only. poll() and read() would take the lock that the kernel holds during a command
    (buffer_mutex in drivers/char/tpm/tpm-dev-common.c). If the TPM hangs, they block for minutes and ignore
    signals. A wait on an epoll takes no lock if the device was registered while it was idle.
    """

    hint = "the kernel log may have details (dmesg | grep tpm)"
    close_waits = True

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(_open_device(path, time.monotonic() + timeout), path, timeout)
        # Matches the kernel's device names (drivers/char/tpm/tpm-chip.c); the path may be a link to such a device.
        self.close_flushes = self.swaps = os.path.basename(os.path.realpath(path)).startswith("tpmrm")
        self._epoll = select.epoll()
        try:
            self._epoll.register(self._fd, select.EPOLLIN)
        except OSError as error:
            self.release()
            raise WrongPathError(f"{path} is not a TPM: the device does not support epoll") from error

    def send(self, command: bytes) -> None:
        """Sends a command.

        Raises TransportError or a subclass if the connection is closed or an earlier command still runs.
        """
        if not self._waiting and self._fd >= 0:
            # epoll checks the events again that it reported last; this must happen before the kernel takes the
            # lock.
            self._epoll.poll(0)
        super().send(command)

    def release(self) -> None:
        """Closes the connection in this process only, without a message to the TPM."""
        self._epoll.close()
        super().release()

    def _ready(self, event: int, seconds: float) -> bool:
        # An idle device accepts a whole command, so only the response requires waiting.
        return event == select.POLLIN and bool(self._epoll.poll(seconds))


_NO_TPM = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
"""Errors of a path without a TPM."""


def _open_device(path: str, deadline: float) -> int:
    if not hasattr(os, "O_NONBLOCK"):
        raise TransportError(f"cannot open {path}: {sys.platform} has no TPM devices; use a soft TPM (soft:FILE)")
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.EBUSY:
                kind = WrongPathError if error.errno in _NO_TPM else TransportError
                raise kind(_explain_error(path, error)) from error
            if time.monotonic() >= deadline:
                raise DeviceBusyError(
                    f"{path} is in use by another process: /dev/tpm0 supports one user at a time; use /dev/tpmrm0"
                ) from error
            time.sleep(0.01)
    if not stat.S_ISCHR(os.fstat(fd).st_mode):
        os.close(fd)
        raise TransportError(f"{path} is not a device; a TPM is a device file, a socket or HOST:PORT")
    return fd


def _explain_error(path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"{path} does not exist; enable the TPM 2.0 in the firmware"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot open {path}: permission denied; add the user to its group (usually tss)"
    if error.errno in _NO_TPM:
        return f"{path} exists, but has no TPM; enable the TPM 2.0 in the firmware"
    return f"cannot open {path}: {error.strerror}"
