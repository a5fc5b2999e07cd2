"""Writes explained messages as text, JSON, JSON Lines or HTML, each as soon as it is explained."""

import html
import json
import os
import textwrap
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO
from urllib.parse import quote

from tpmwire.explain import Node, as_json
from tpmwire.explain.annotations import UNKNOWN_KEY
from tpmwire.explain.html import html_page, html_section, html_sessions
from tpmwire.explain.session_history import SessionHistory
from tpmwire.explain.show import hide_secrets

from ..terminal.files import check_regular, write_whole
from ..terminal.messages import advice, note

__all__ = ["HtmlWriter", "JsonLinesWriter", "JsonWriter", "TextWriter", "Writer"]

PAGE = 2000
"""Messages of an HTML page; browsers become slow with more."""


class Writer:
    """A writer of explained messages (trees of `Node`).

    At its end as a context manager, completes the output, also after an error of the input.
    """

    histories: list[SessionHistory] | None = None
    """A list for the histories of the sessions, if the output has them."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        broken = isinstance(error, OSError) or not isinstance(error, Exception | None)
        if self.count and not broken:
            self.finish()

    def add(self, tree: Node) -> None:
        """Writes the tree of a message, and counts it."""
        self.write(tree)
        self.count += 1

    def write(self, tree: Node) -> None:
        """Writes the tree of a message in the writer's format; `count` messages have been written before."""
        raise NotImplementedError

    def finish(self) -> None:
        """Completes the output."""


class TextWriter(Writer):
    """Prints each tree by calling `show`, with an empty line between two trees."""

    def __init__(self, show: Callable[[Node], None]) -> None:
        super().__init__()
        self._show = show
        self._key_missing = False

    def write(self, tree: Node) -> None:
        """Prints the tree of a message."""
        if self.count:
            print()
        self._show(tree)
        self._key_missing |= any(node.text == UNKNOWN_KEY for node in tree.beside)

    def finish(self) -> None:
        """Prints a hint if the recording has sessions with unknown session keys."""
        for text in advice("key") if self._key_missing else []:
            note(f"tpmwire: the session keys of some sessions are unknown; {text}")


class JsonWriter(Writer):
    """Prints the trees as a JSON list, which includes secrets if `secrets` is True."""

    def __init__(self, *, secrets: bool = True) -> None:
        super().__init__()
        self._secrets = secrets

    def write(self, tree: Node) -> None:
        """Prints the tree of a message as an element of the list."""
        print("," if self.count else "[")
        print(textwrap.indent(json.dumps(as_json(tree, secrets=self._secrets), indent=2), "  "), end="")

    def finish(self) -> None:
        """Closes the list."""
        print("\n]")


class JsonLinesWriter(Writer):
    """Prints each tree as a line of JSON to `file` or standard output; includes secrets if `secrets` is True."""

    def __init__(self, *, secrets: bool = True, file: TextIO | None = None) -> None:
        super().__init__()
        self._secrets, self._file = secrets, file

    def write(self, tree: Node) -> None:
        """Prints the tree of a message as a line of JSON."""
        print(json.dumps(as_json(tree, secrets=self._secrets)), file=self._file)


class HtmlWriter(Writer):
    """Writes an HTML page. More than `PAGE` messages are divided into several pages, which the first page lists.

    The pages include secret fields if `secrets` is true.
    """

    def __init__(self, path: str, title: str, *, secrets: bool = True) -> None:
        super().__init__()
        self._secrets = secrets
        check_regular(path)
        self._path, self._title = path, title
        self.histories = []
        self._sections: list[str] = []
        self._parts = 0

    def write(self, tree: Node) -> None:
        """Adds the tree of a message to the current page."""
        if len(self._sections) == PAGE:
            self._write_part()
        shown = tree if self._secrets else hide_secrets(tree, "not shown")
        self._sections.append(html_section(shown, self.count))

    def finish(self) -> None:
        """Writes the last page and the first page."""
        if not self._parts:
            self._write(self._path, html_page(self._title, [html_sessions(self.histories or []), *self._sections]))
            return
        self._write_part()
        sessions = html_sessions(self.histories or [], lambda place: f"{self._link(place // PAGE + 1)}#m{place}")
        items = [f'<li><a href="{self._link(n)}">{self._range(n)}</a></li>' for n in range(1, self._parts + 1)]
        body = ["<ul>", *items, "</ul>", sessions]
        self._write(self._path, html_page(self._title, body, pointing=False))
        note(f"tpmwire: the messages are on {self._parts} pages, {self._part(1)} to {self._part(self._parts)}")

    def _write_part(self) -> None:
        self._parts += 1
        first = f'<p><a href="{html.escape(quote(os.path.basename(self._path)))}">All pages</a></p>'
        title = f"{self._title}: {self._range(self._parts)}"
        self._write(self._part(self._parts), html_page(title, [first, *self._sections]))
        self._sections.clear()

    def _range(self, part: int) -> str:
        return f"messages {(part - 1) * PAGE + 1} to {min(part * PAGE, self.count)}"

    def _part(self, number: int) -> str:
        stem, extension = os.path.splitext(self._path)
        return f"{stem}-{number}{extension}"

    def _link(self, number: int) -> str:
        return html.escape(quote(os.path.basename(self._part(number))))

    @staticmethod
    def _write(path: str, page: str) -> None:
        write_whole(path, page.encode(), force=True)
