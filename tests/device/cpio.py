"""Initramfs archives (cpio "newc", kernel Documentation/driver-api/early-userspace/buffer-format.rst).

Written here rather than by cpio(1) so that no root is needed for device nodes and every run gives the same bytes.
"""

import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CONSOLE = (5, 1)


class Archive:
    """Collects files and gives the archive's bytes. Parent directories are made as needed, once."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes, tuple[int, int]]] = {}

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file at `name`, a path from the root without the leading slash."""
        self._add(name, stat.S_IFREG | mode, content)

    def copy(self, name: str, source: Path) -> None:
        """Add the file `source` (links followed) with its permission bits."""
        self.file(name, source.read_bytes(), source.stat().st_mode & 0o777)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def directory(self, name: str) -> None:
        """Add an empty directory, a mount point for instance."""
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def console(self) -> None:
        """Add /dev/console: without it the kernel starts init with no stdin, stdout and stderr."""
        self._add("dev/console", stat.S_IFCHR | 0o600, b"", _CONSOLE)

    def dump(self) -> bytes:
        """The whole archive, padded to 512 octets, so that another may follow it in the same file."""
        data = b"".join(self._members())
        return data + bytes(-len(data) % 512)

    def _add(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            self._entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b"", (0, 0)))
        self._entries[name] = (mode, content, device)

    def _members(self) -> Iterator[bytes]:
        for inode, (name, (mode, content, device)) in enumerate(self._entries.items(), 1):
            yield _member(inode, name, mode, content, device)
        yield _member(0, "TRAILER!!!", 0, b"", (0, 0))


def _member(inode: int, name: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
    path = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4)
