"""Linux device files: /dev/tpm0 (one user at a time) and /dev/tpmrm0 (the kernel's resource manager)."""

import errno
import os
import stat
import time

from ..errors import DeviceBusyError, TransportError
from .base import Transport

__all__ = ["DeviceTransport"]


class DeviceTransport(Transport):
    """A TPM character device, opened non-blocking: the kernel then works on a command while poll() waits."""

    hint = "the kernel log may say more (dmesg | grep tpm)"

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(_opened(path, time.monotonic() + timeout), path, timeout)


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
