"""Escapes control characters in output, so that untrusted text cannot control a terminal."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["printable", "printed"]


def printable(text: str, keep: str = "") -> str:
    """Returns the text with control, bidirectional and other unprintable characters as Python's escapes.

    Characters in `keep` are not escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text
    )


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Escapes unprintable characters in text that the block writes to stdout and stderr.

    Line ends and tabs are not escaped. Bytes that the block writes to the streams' `buffer` are not changed.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_screen, before)
    try:
        yield
    finally:
        for screen in (sys.stdout, sys.stderr):
            if isinstance(screen, _Screen):
                with contextlib.suppress(OSError):  # the reader has closed the pipe, which `guarded` has handled
                    screen.detach()
        sys.stdout, sys.stderr = before


class _Screen(io.TextIOWrapper):
    """A text stream that escapes unprintable characters."""

    def write(self, text: str) -> int:
        if not text.replace("\n", "").isprintable():
            text = "\n".join(printable(line, "\t") for line in text.split("\n"))
        try:
            return super().write(text)
        except OSError as error:
            raise self._add_stream_name(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._add_stream_name(error) from None

    def _add_stream_name(self, error: OSError) -> OSError:
        """Returns the error with the name of the stream, such as stdout, as its file name."""
        error.filename = error.filename or str(self.name).strip("<>")
        return error


def _screen(stream: TextIO) -> TextIO:
    # The stream is None if it was closed, and not a file if a test or a library replaced it.
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, _Screen):
        return stream
    stream.flush()
    # Characters outside the locale's encoding are escaped, too.
    return _Screen(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)
