"""Writes a response to a file or to standard output, block by block."""

import codecs
import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, cast

from ..terminal.files import temporary_beside
from ..terminal.messages import UsageError

if TYPE_CHECKING:
    from sigv4.http import Response  # `sign` uses `out` and needs no network

__all__ = ["Output", "out"]

_KEPT = 1 << 14  # bytes of an error response in memory, to find its code


def out() -> BinaryIO:
    """Returns standard output, which must be open, as a binary stream."""
    return sys.stdout.buffer


class _Shown:
    """Writes bytes to a terminal as text without control characters."""

    def __init__(self) -> None:
        utf_8 = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._decoder = io.IncrementalNewlineDecoder(utf_8, translate=True)

    def write(self, block: bytes) -> None:
        sys.stdout.write(self._decoder.decode(block))


class Output:
    """A context manager for the destination of a response: the file at `path`, or standard output.

    On a terminal, control characters are escaped, unless `path` is "-". With `include`, status and headers are
    written before the body. With `fail`, an HTTP error response is not written, and `refused` is set to True.
    Raises UsageError if `path` is a directory, or in a directory that does not exist.
    """

    def __init__(self, path: str | None, *, include: bool = False, fail: bool = False) -> None:
        # Writes the target of a link, as other programs do; a rename would replace the link.
        self._path = None if path in (None, "-") else os.path.realpath(path)
        self._asked_for_octets = path == "-"
        self._include, self._fail = include, fail
        self._file: BinaryIO | None = None
        self._temporary: str | None = None
        self._kept = b""
        self.refused = False
        if self._path is not None and os.path.isdir(self._path):
            raise UsageError(f"-o {self._path!r} is a directory; give the path of a file")
        if self._path is not None and not os.path.isdir(directory := os.path.dirname(self._path) or "."):
            raise UsageError(f"-o {self._path!r}: {directory!r} is not an existing directory; create it first")

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._path is not None:
            with contextlib.suppress(OSError):  # the write that failed has already been reported
                self._file.close()
        if self._temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def receive(self, head: "Response") -> Callable[[bytes], object]:
        """Writes status and headers if requested, and returns a function that writes the body.

        Raises OSError if writing fails.
        """
        if self._fail and head.status >= 400:
            self.refused = True
            return self._keep_some
        self._file = file = self._open()
        if self._include:
            phrase = HTTPStatus(head.status).phrase if head.status in set(HTTPStatus) else ""
            lines = [f"HTTP/1.1 {head.status} {phrase}".rstrip(), *(f"{n}: {v}" for n, v in head.headers), "", ""]
            file.write("\r\n".join(lines).encode("latin-1", "replace"))

        def take(block: bytes) -> None:
            with self._add_file_name():
                file.write(block)

        return take

    @contextlib.contextmanager
    def _add_file_name(self) -> Iterator[None]:
        """Adds the output file's name to each OSError that the block raises."""
        try:
            yield
        except OSError as error:
            error.filename = self._path or "stdout"
            raise

    def keep(self) -> None:
        """Renames the temporary file to the output file. Raises OSError if renaming fails."""
        with self._add_file_name():
            if self._file is not None and self._path is not None:
                self._file.close()
            if self._temporary is not None and self._path is not None:
                os.replace(self._temporary, self._path)

    def code(self) -> str:
        """Returns AWS's error code from a response that was not written, or "".

        The rest of the response may contain tokens.
        """
        found = re.search(
            rb'<Code>([A-Za-z.]{1,80})</Code>|"__type":\s*"(?:[^"#]*#)?([A-Za-z]{1,80})"', self._kept
        )
        return "" if found is None else (found[1] or found[2]).decode()

    def _keep_some(self, block: bytes) -> None:
        self._kept += block[: _KEPT - len(self._kept)]

    def _open(self) -> BinaryIO:
        if self._path is None:
            octets = out()
            return cast("BinaryIO", _Shown()) if octets.isatty() and not self._asked_for_octets else octets
        if os.path.exists(self._path) and not os.path.isfile(self._path):
            return open(self._path, "wb")  # a rename would replace a device such as /dev/null
        # The name is stored before the file exists, since a signal may come at any time.
        self._temporary = temporary = temporary_beside(self._path)
        with self._add_file_name():
            # An existing file keeps its mode, so that the content of a private file stays private.
            mode = os.stat(self._path).st_mode & 0o777 if os.path.exists(self._path) else None
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        if mode is not None:
            os.fchmod(descriptor, mode)
        return open(descriptor, "wb")
