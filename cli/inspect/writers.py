"""Writes explained messages as text, JSON, JSON Lines or HTML, each as soon as it is explained."""

import bisect
import html
import json
import os
import textwrap
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO
from urllib.parse import quote

from tpmwire.explain import Node, as_json
from tpmwire.explain.annotations import UNKNOWN_KEY
from tpmwire.explain.html import PageBuilder, html_page
from tpmwire.explain.page.sessions import sessions_html
from tpmwire.explain.recording_summary import RecordingSummary
from tpmwire.explain.session_history import SessionHistory
from tpmwire.explain.show import hide_secrets

from ..terminal.files import check_regular, write_whole
from ..terminal.messages import advice, note

__all__ = ["HtmlWriter", "JsonLinesWriter", "JsonWriter", "TextWriter", "Writer"]

PAGE, SIZE = 500, 2_500_000
"""Messages of an HTML page, and its size in bytes; a page with more is divided."""


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
        print(textwrap.indent(json.dumps(self.element(tree), indent=2), "  "), end="")

    def element(self, tree: Node) -> dict[str, Any]:
        """Returns the element of the list for a message."""
        return as_json(tree, secrets=self._secrets)

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
    """Writes an HTML page. A long recording is divided into several pages, which the first page lists.

    The pages include secret fields if `secrets` is true.
    """

    def __init__(self, path: str, title: str, *, secrets: bool = True) -> None:
        super().__init__()
        self._secrets = secrets
        check_regular(path)
        self._path, self._title = path, title
        self.histories = []
        self._page, self._summary = PageBuilder(), RecordingSummary()
        self._starts = [0]

    def write(self, tree: Node) -> None:
        """Adds the tree of a message to the current page."""
        if (self._page.messages >= PAGE or self._page.size >= SIZE) and not self._page.waits_for(tree):
            self._write_part(self.count)
        self._page.add(tree if self._secrets else hide_secrets(tree, "not shown"))
        self._summary.add(tree)

    def finish(self) -> None:
        """Writes the last page and the first page."""
        histories = self.histories or []
        summary = self._summary.text(histories)
        if len(self._starts) == 1:
            self._write(self._path, self._page.build(self._title, summary, histories))
            return
        self._write_part(self.count)
        parts = range(1, len(self._starts))
        items = [f'<li><a href="{self._link(n)}">{self._range(n)}</a></li>' for n in parts]
        body = ["<h2>Pages</h2><ul>", *items, "</ul>"]
        if self._page.refused:
            body += ["<h2>Refused commands</h2><ul>", *map(self._refused_item, self._page.refused), "</ul>"]
        body.append(sessions_html(histories, self._find))
        self._write(self._path, html_page(self._title, summary, body))
        note(f"tpmwire: the messages are on {len(parts)} pages, {self._part(1)} to {self._part(parts[-1])}")

    def _write_part(self, end: int) -> None:
        """Writes a page with the messages before the index `end`."""
        self._starts.append(end)
        number = len(self._starts) - 1
        neighbours = f'<a href="{html.escape(quote(os.path.basename(self._path)))}">All pages</a>'
        neighbours += f' <a href="{self._link(number - 1)}">previous page</a>' if number > 1 else ""
        title = f"{self._title}: {self._range(number)}"
        above = f"<p>{neighbours}</p>"
        page = self._page.build(title, "", self.histories or [], above, list_sessions=False)
        self._write(self._part(number), page)

    def _find(self, place: int) -> str:
        """Returns the URL of the message with an index in the recording."""
        return f"{self._link(bisect.bisect(self._starts, place))}#m{place}"

    def _refused_item(self, refused: tuple[int, str]) -> str:
        place, text = refused
        return f'<li>✘ <a href="{self._find(place)}">{html.escape(text)}</a></li>'

    def _range(self, part: int) -> str:
        return f"messages {self._starts[part - 1] + 1} to {self._starts[part]}"

    def _part(self, number: int) -> str:
        stem, extension = os.path.splitext(self._path)
        return f"{stem}-{number}{extension}"

    def _link(self, number: int) -> str:
        return html.escape(quote(os.path.basename(self._part(number))))

    @staticmethod
    def _write(path: str, page: str) -> None:
        write_whole(path, page.encode(), force=True)
