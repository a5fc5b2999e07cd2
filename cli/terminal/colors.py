"""Prints explanations on a terminal: colored if requested and `rich` is installed, else as plain text."""

import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tpmwire.explain import Node, as_text
from tpmwire.explain.show import Line, lines

from .messages import UsageError
from .streams import printable

if TYPE_CHECKING:
    from rich.text import Text  # an optional package

__all__ = ["printer"]


def printer(choice: str) -> Callable[[Node], None]:
    """Returns a function that prints a tree to standard output, for --color auto, always or never.

    Raises UsageError. auto means color on a terminal, if rich is installed and NO_COLOR is unset or empty
    (no-color.org).
    """
    if choice == "never" or (choice == "auto" and not _terminal_takes_colour()):
        return _plain
    try:
        import rich  # noqa: F401, PLC0415 - an optional package
    except ImportError:
        if choice == "always":
            raise UsageError("--color always needs the package rich: pip install 'tpmwire[color]'") from None
        return _plain
    return _coloured


def _terminal_takes_colour() -> bool:
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout is not None and sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")


def _plain(tree: Node) -> None:
    print(as_text(tree))


def _coloured(tree: Node) -> None:
    from rich.console import Console  # noqa: PLC0415 - an optional package
    from rich.text import Text  # noqa: PLC0415 - likewise

    text = io.StringIO()
    console = Console(
        file=text, force_terminal=True, color_system="standard", no_color=False, highlight=False, width=80
    )
    for line in lines(tree):
        # Lines are not wrapped, like plain text: the terminal wraps them, and copied lines stay whole.
        console.print(_styled(line, Text()), soft_wrap=True)
    # Written as bytes, since `streams.printed` would escape the control characters of the colors.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.getvalue().encode(sys.stdout.encoding, "backslashreplace"))


def _styled(line: Line, text: "Text") -> "Text":
    """Appends a line in colors to `text`, and returns it; the characters are those of the plain line."""
    plain = printable(line.text)
    text.append(plain)
    if line.error:
        text.stylize("bold red")
        return text
    known = not line.offset.strip("= ")
    text.stylize("green" if known else "dim", 0, len(line.offset))
    start = len(line.offset) + 2
    text.stylize("green" if known else "cyan", start, start + len(line.octets))
    if line.name:
        start = plain.index(line.indent + line.name, start + len(line.octets)) + len(line.indent)
        text.stylize("bold", start, start + len(line.name))
    if line.extra:
        text.stylize("dim", len(plain) - len(line.extra) - 2)
    if "DOES NOT HOLD" in line.meaning:
        at = plain.index("DOES NOT HOLD")
        text.stylize("bold red", at, at + len("DOES NOT HOLD"))
    return text
