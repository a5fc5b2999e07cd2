"""Decides by one rule for all verbs whether output has colors, and prints explanations in colors.

`--color always` and `never` decide. With `--color auto`, NO_COLOR (no-color.org) switches colors off, and
FORCE_COLOR (force-color.org) switches them on; without both variables, output on a terminal has colors. Colors
need the optional package rich.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from tpmwire.explain import Node, as_text
from tpmwire.explain.show import Line, lines

from .messages import UsageError
from .streams import printable

if TYPE_CHECKING:
    from rich.text import Text  # an optional package

__all__ = ["ColorSettings", "add_color_option", "printer", "style_line"]


class ColorSettings:
    """The value of --color, for verbs that print in colors."""

    color: str


def add_color_option(parser: argparse._ActionsContainer) -> None:
    """Adds --color."""
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="when to print colors (default: auto, on a terminal; NO_COLOR and FORCE_COLOR override auto); needs "
        "the extra tpmwire[color]",
    )


_HIDDEN = "not shown (--secrets shows them)"
"""Text for a secret field. Each verb that hides secrets has the option."""


def printer(choice: str, *, secrets: bool = True, stream: TextIO | None = None) -> Callable[[Node], None]:
    """Returns a function that prints an explanation (a Node), in colors if `choice` (--color) allows colors.

    For `auto`, the environment and the stream decide. `stream` is standard output by default. With
    `secrets=False`, secret values are hidden. Raises UsageError for --color always without rich.
    """
    show = _print_colored if _wants_color(choice, stream) else _print_plain
    return lambda tree: show(tree, secrets, stream or sys.stdout)


def _wants_color(choice: str, stream: TextIO | None) -> bool:
    if choice == "never" or (choice == "auto" and not _is_color_usual(stream or sys.stdout)):
        return False
    try:
        import rich  # noqa: F401, PLC0415 - an optional package
    except ImportError:
        if choice == "always":
            raise UsageError("--color always needs the package rich: pip install 'tpmwire[color]'") from None
        return False
    return True


def _is_color_usual(stream: TextIO | None) -> bool:
    """Returns whether --color auto means colors, by the environment and `stream`."""
    if os.environ.get("NO_COLOR") or stream is None:
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM", "dumb") != "dumb")


def _print_plain(tree: Node, secrets: bool, stream: TextIO) -> None:
    print(as_text(tree, secrets=secrets, hidden=_HIDDEN), file=stream)


def _print_colored(tree: Node, secrets: bool, stream: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - an optional package
    from rich.text import Text  # noqa: PLC0415 - likewise

    text = io.StringIO()
    console = Console(
        file=text, force_terminal=True, color_system="standard", no_color=False, highlight=False, width=80
    )
    for line in lines(tree, secrets=secrets, hidden=_HIDDEN):
        # Lines are not wrapped, like plain text: the terminal wraps them, and copied lines stay whole.
        console.print(style_line(line, Text()), soft_wrap=True)
    # Written as bytes, since `streams.printed` would escape the control characters of the colors.
    stream.flush()
    stream.buffer.write(text.getvalue().encode(stream.encoding, "backslashreplace"))
    stream.buffer.flush()


def style_line(line: Line, text: "Text") -> "Text":
    """Appends `line` in colors to `text`, and returns `text`; the characters are the same as without colors."""
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
