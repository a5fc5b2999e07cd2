"""The state file of a soft TPM. It preserves all state between connections, also sessions and loaded objects."""

import contextlib
import os
import stat
from typing import Any

from ..errors import TransportError
from ..spec.storage import TPMS_NV_PUBLIC
from ..spec.structures import TPMT_PUBLIC, TPMT_SENSITIVE, TPMT_SYM_DEF
from .entities import Hierarchy, KeyedObject, NvIndex
from .freeze import Freezer
from .pcr_banks import PcrBanks
from .random import Generator
from .sequence import SoftSequence
from .session import PolicyState, SoftSession
from .tpm_state import Lockout, TpmState

try:
    import fcntl
except ModuleNotFoundError:  # WebAssembly and Windows: nothing prevents a second use of the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["StateFile"]

FREEZER = Freezer(
    Generator,
    Hierarchy,
    KeyedObject,
    Lockout,
    NvIndex,
    PcrBanks,
    PolicyState,
    SoftSequence,
    SoftSession,
    TPMS_NV_PUBLIC,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF,
)

LEFT_OUT = ("faults", "retries", "seed", "observe", "show_secrets", "now")
"""Attributes of TpmState that are not saved, because they belong to the connection."""


def _lock(fd: int) -> None:
    """Locks the open file `fd`. Raises OSError if another process has locked the file."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(path: str) -> int:
    """Opens or creates a regular file, and returns its descriptor.

    Raises OSError if that fails, TransportError if the file is not a regular file.
    """
    with contextlib.suppress(FileNotFoundError):
        _require_regular(path, os.stat(path))  # before open, which can have an effect on a device
    # Without O_NONBLOCK, a FIFO that replaces the file before open would block.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
    try:
        _require_regular(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _require_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TransportError(f"{path} is not a regular file; choose another path")


class StateFile:
    """A locked file with the state of a soft TPM. It contains the TPM's secrets unencrypted, and has mode 0600.

    Raises TransportError if the file cannot be opened, is in use by another process, or is not a regular file.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)  # the file, where `path` is a symbolic link
        self._written = b""
        try:
            self._fd = _open(path)
        except OSError as error:
            raise TransportError(f"cannot open {path}: {error.strerror}") from error
        try:
            _lock(self._fd)
            # Another process may have replaced the file between open and flock.
            current = os.path.samestat(os.fstat(self._fd), os.stat(self._path))
        except OSError:
            current = False
        if not current:
            os.close(self._fd)
            raise TransportError(f"{path} is in use by another process; try again later")

    def read(self, machine: TpmState) -> bool:
        """Sets the state of `machine` from the file, and returns True. Returns False for an empty file.

        Raises TransportError if the file cannot be read or is not a state file.
        """
        data = b""
        while part := os.read(self._fd, 1 << 16):
            data += part
        if not data:
            return False
        try:
            state = FREEZER.load(data)
            self._set(machine, state)
        except Exception as error:
            self.close()
            raise TransportError(
                f"{self._path} is not a soft TPM state file, or is damaged; use another file"
            ) from error
        self._written = data
        return True

    def _set(self, machine: TpmState, state: dict[str, Any]) -> None:
        elapsed = state.pop("time")
        for name, value in state.items():
            setattr(machine, name, value)
        machine.began = machine.now() - elapsed / 1000

    def write(self, machine: TpmState) -> None:
        """Writes the state of `machine` if it has changed. Raises TransportError if the file cannot be written."""
        kept = {name: value for name, value in vars(machine).items() if name not in (*LEFT_OUT, "began")}
        data = FREEZER.dump({**kept, "time": machine.time})
        if data == self._written:
            return
        try:
            self._replace(data)
        except OSError as error:
            raise TransportError(f"cannot write {self._path}: {error.strerror}") from error
        self._written = data

    def _replace(self, data: bytes) -> None:
        """Replaces the file atomically by a new, locked file. After an OSError, the old file is unchanged."""
        draft = f"{self._path}.{os.urandom(8).hex()}"
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _lock(fd)
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(data)
            os.replace(draft, self._path)
        except BaseException:
            os.close(fd)
            os.unlink(draft)
            raise
        old, self._fd = self._fd, fd
        os.close(old)

    def close(self) -> None:
        """Closes and unlocks the file. A second call has no effect."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
