"""Turns the Markdown of lessons into text for a terminal."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from ..terminal.help import wrapped

__all__ = ["lesson_page", "plain_text"]


def lesson_page(page: str, width: int) -> str:
    """Returns the page of a lesson as text: its title, text and picture, and the tasks.

    `page` is the content of lesson.md, `width` the width of a line. Hints, solution and response codes are not
    part of the page.
    """
    kept = re.split(r"^## Hints", page, flags=re.MULTILINE)[0]
    return plain_text(kept, width)


def plain_text(markdown: str, width: int) -> str:
    """Returns Markdown as text with lines of at most `width` characters.

    Diagrams for browsers (mermaid) are omitted. Code blocks and tables are indented, and not wrapped.
    """
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_lines(markdown, width))).strip()


def _lines(markdown: str, width: int) -> Iterator[str]:
    for number, part in enumerate(re.split(r"^```", markdown, flags=re.MULTILINE)):
        if number % 2:
            language, _, code = part.partition("\n")
            if language != "mermaid":
                yield from ("", *(f"    {line}".rstrip() for line in code.rstrip("\n").split("\n")), "")
        else:
            for block in re.split(r"\n\s*\n", part):
                yield from ("", *_block(block.strip("\n"), width))


def _block(block: str, width: int) -> Iterator[str]:
    """Yields the lines of a heading, a table, a list or a paragraph."""
    heading = re.match(r"(#+) (.*)", block)
    if heading:
        title = _inline(heading[2])
        yield title
        yield ("=" if heading[1] == "#" else "-") * len(title)
        rest = block.partition("\n")[2]
        if rest:
            yield from ("", *_block(rest, width))
    elif block.startswith("|"):
        yield from _table(block, width)
    elif re.match(r"([-*]|\d+\.) ", block):
        for item in re.split(r"^(?=(?:[-*]|\d+\.) )", block, flags=re.MULTILINE)[1:]:
            mark, _, text = item.partition(" ")
            yield from wrapped(_inline(text), width, f"{mark:>3} ", "    ")
    elif block.startswith("    "):
        yield from block.split("\n")
    else:
        yield from wrapped(_inline(block), width)


def _inline(text: str) -> str:
    """Returns text without the marks of emphasis and links."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return re.sub(r"\*\*(.+?)\*\*|(?<!\w)\*(\w[^*]*)\*", lambda found: found[1] or found[2], text)


def _table(block: str, width: int) -> Iterator[str]:
    """Yields the rows of a table in columns; very wide rows have their cells one below the other."""
    rows = [
        [_inline(cell.strip()) for cell in line.strip().strip("|").split(" | ")]
        for line in block.splitlines()
        if not re.fullmatch(r"[|\s:-]+", line)
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    room = width - 2 * len(widths)
    if sum(widths) > 1.6 * room:
        yield from _stacked(rows, width)
        return
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    for row in rows:
        cells = [wrapped(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            yield "".join(f"  {part:{size}}" for part, size in zip(parts, widths, strict=True)).rstrip()


def _stacked(rows: list[list[str]], width: int) -> Iterator[str]:
    """Yields the cells of each row one below the other, with the heads of their columns."""
    for row in rows[1:]:
        yield f"  {row[0]}"
        for head, cell in zip(rows[0][1:], row[1:], strict=True):
            yield from wrapped(f"{head}: {cell}", width, "      ", "        ")
