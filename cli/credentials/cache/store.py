"""The directory of caches: private to the user, with atomic writes and a lock for each file.

Every file is opened relative to the directory's descriptor, and never through a symbolic link.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from .sealed import LIMIT

__all__ = ["CacheFile", "UnfitError", "place"]

_DRAFT = 16  # length of a temporary file's random suffix
_LONGEST_WRITE = 60.0  # seconds
_PAUSE = 0.02  # seconds between two attempts to lock


class UnfitError(Exception):
    """Raised if the directory cannot hold a cache; the message states the reason."""


def place() -> str:
    """Returns the path of the user's cache directory, in $XDG_RUNTIME_DIR or else in $XDG_CACHE_HOME.

    A relative path in either variable is ignored (XDG Base Directory Specification), as is an XDG_RUNTIME_DIR that
    does not exist. Raises UnfitError if the home directory is unknown.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime) and not _is_missing(runtime):
        return os.path.join(runtime, "tpmwire")
    caches = os.environ.get("XDG_CACHE_HOME")
    if not (caches and os.path.isabs(caches)):
        home = os.path.expanduser("~")
        if not os.path.isabs(home) or home == "/":
            raise UnfitError("cannot find a home directory; set HOME, or XDG_RUNTIME_DIR")
        caches = os.path.join(home, ".cache")
    return os.path.join(caches, "tpmwire")


def _is_missing(path: str) -> bool:
    try:
        os.lstat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError)  # not if a directory above belongs to another user
    return False


class CacheFile:
    """The cache file `name` in the directory `path`, which is created if it is missing.

    Raises UnfitError if the directory does not belong to this user, or if others can enter it.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        try:
            self._directory = self._open_directory()
        except OSError as error:
            raise UnfitError(f"cannot open {path}: {error.strerror}") from error
        found = os.fstat(self._directory)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            os.close(self._directory)
            raise UnfitError(f"{path} must belong to you, with mode 0700; run chmod 700 on it, or remove it")

    def close(self) -> None:
        """Closes the directory's descriptor."""
        os.close(self._directory)

    def _open_directory(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            above = os.path.dirname(self.path)
            # Under sudo, root would create the directory in a place that belongs to a user, who could then not use
            # it.
            if os.path.exists(above) and os.stat(above).st_uid not in (0, os.geteuid()):
                raise UnfitError(
                    f"{above} belongs to another user; set XDG_RUNTIME_DIR to a directory that you own"
                ) from None
        with contextlib.suppress(FileExistsError):
            os.makedirs(self.path, mode=0o700)
        return os.open(self.path, flags)

    def names(self) -> list[str]:
        """Returns the sorted names of all files in the cache directory."""
        return sorted(os.listdir(self._directory))

    def remove(self, name: str) -> None:
        """Removes the named file from the cache directory, if it exists.

        Raises UnfitError if the file cannot be removed.
        """
        try:
            os.unlink(name, dir_fd=self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnfitError(f"cannot remove {self.path}/{name}: {error.strerror}") from error

    def read(self) -> bytes | None:
        """Returns the content of the file, or None if it does not exist.

        Raises UnfitError unless the file is a regular file that the user owns.
        """
        try:
            descriptor = self._open(self.name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnfitError(f"cannot read {self.path}/{self.name}: {error.strerror}") from error
        with open(descriptor, "rb") as file:
            return file.read(LIMIT + 1)

    def write(self, octets: bytes) -> None:
        """Writes the file atomically. Raises UnfitError if writing fails, for example because the disk is full."""
        temporary = f"{self.name}.{os.urandom(_DRAFT // 2).hex()}"
        try:
            with open(self._open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.write(octets)
            os.replace(temporary, self.name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            self._remove_drafts()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._directory)
            raise UnfitError(f"cannot write to {self.path}: {error.strerror}") from error

    def _remove_drafts(self) -> None:
        """Removes temporary versions of this file that killed runs left."""
        for name in os.listdir(self._directory):
            if len(name) == len(self.name) + 1 + _DRAFT and name.startswith(f"{self.name}."):
                written = os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_mtime
                if time.time() - written > _LONGEST_WRITE:
                    os.unlink(name, dir_fd=self._directory)

    @contextlib.contextmanager
    def alone(self, patience: float) -> Iterator[bool]:
        """Context manager that holds the file's lock, so that one run calls STS while others wait for its result.

        Yields True, or False if another run still holds the lock after `patience` seconds. If the process dies,
        the kernel releases the lock. On file systems without locks, every run calls STS. Raises UnfitError if the
        lock file cannot be opened.
        """
        try:
            descriptor = self._open(f"{self.name}.lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UnfitError(f"cannot open a lock file in {self.path}: {error.strerror}") from error
        _held.add(descriptor)
        try:
            yield _try_lock(descriptor, patience)
        finally:
            _held.discard(descriptor)
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            os.close(descriptor)
            raise UnfitError(f"{self.path}/{name} must be a regular file that you own, with mode 0600; remove it")
        return descriptor


def _try_lock(descriptor: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        except OSError:
            return True  # Some network file systems lack locks; each run then calls STS itself.
        else:
            return True


_held: set[int] = set()
"""Descriptors of locks."""


def _close_locks() -> None:
    """Closes the locks' descriptors in a forked child, so that only the parent process holds the locks."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_locks)
