"""Escapes control characters in output, so that untrusted text cannot control a terminal."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

__all__ = ["printable", "printed"]


def printable(text: str, keep: str = "") -> str:
    """Returns the text with Python's escapes for control, bidirectional and other unprintable characters.

    Characters of `keep` are not changed.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text
    )


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Makes text on stdout and stderr printable within the context; keeps line ends and tabs.

    Bytes, which are written to their `buffer`, are not changed.
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
    """A text stream that writes printable text only."""

    def write(self, text: str) -> int:
        if not text.replace("\n", "").isprintable():
            text = "\n".join(printable(line, "\t") for line in text.split("\n"))
        try:
            return super().write(text)
        except OSError as error:
            raise self._named(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._named(error) from None

    def _named(self, error: OSError) -> OSError:
        """Returns the error with the stream's name for a file name, as messages show it."""
        error.filename = error.filename or str(self.name).strip("<>")
        return error


def _screen(stream: TextIO) -> TextIO:
    # The stream is None if it was closed, and not a file if a test or a library replaced it.
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, _Screen):
        return stream
    stream.flush()
    # Characters outside the locale's encoding are escaped, too.
    return _Screen(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)
