"""A lesson: its text, parsed from lesson.md, and its checks, from check.py."""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ..terminal.messages import UsageError
from .attempt import Attempt

__all__ = ["Check", "Lesson", "Task", "find_lesson", "load_lessons"]

FOLDER = Path(__file__).parent

SECTIONS = ("Picture", "Tasks", "Hints", "Solution", "In the field")
"""The sections of lesson.md after the text, in order. Picture may be absent."""

Check = Callable[[Attempt], str]
"""A check of a task: returns "" if the task is solved, else a sentence that says what is missing."""


class Task(NamedTuple):
    """A task of a lesson. `hint` helps a learner who does not know what to do."""

    text: str
    hint: str

    @property
    def summary(self) -> str:
        """The first paragraph of the task, in one line; code may follow in `text`."""
        return " ".join(self.text.partition("\n\n")[0].split())


class Lesson:
    """A lesson. `number` is its position from 1 on, `slug` the name of its folder.

    The other attributes are the parts of lesson.md: `title`, `text`, `picture` and `field` are Markdown, `tasks`
    the tasks with their hints, and `solution` the lines that solve all tasks.

    Raises ValueError if lesson.md lacks a part.
    """

    def __init__(self, number: int, slug: str, page: str) -> None:
        self.number = number
        self.slug = slug
        self.page = page
        head, *rest = re.split(r"^## ", page, flags=re.MULTILINE)
        heading, _, text = head.partition("\n")
        self.title = heading.removeprefix("# ").strip()
        self.text = text.strip()
        parts = {name.strip(): body.strip() for name, _, body in (part.partition("\n") for part in rest)}
        if [name for name in SECTIONS if name in parts or name != "Picture"] != list(parts):
            raise ValueError(f"{slug}: expected the sections {', '.join(SECTIONS)}, got {', '.join(parts)}")
        self.picture = parts.get("Picture", "")
        tasks, hints = _items(parts["Tasks"]), _items(parts["Hints"])
        if len(tasks) != len(hints):
            raise ValueError(f"{slug}: expected {len(tasks)} hints, got {len(hints)}")
        self.tasks = [Task(*pair) for pair in zip(tasks, hints, strict=True)]
        self.solution = _fenced(parts["Solution"]).splitlines()
        self.field = parts["In the field"]

    def __repr__(self) -> str:
        return f"Lesson({self.number}, {self.slug!r})"

    @property
    def checks(self) -> list[Check]:
        """The checks of the tasks, in order. Imports the lesson's check.py."""
        found: list[Check] = list(self._module.CHECKS)
        if len(found) != len(self.tasks):
            raise ValueError(f"{self.slug}: expected {len(self.tasks)} checks, got {len(found)}")
        return found

    @property
    def prepare(self) -> Callable[[Attempt], None] | None:
        """The function that prepares the TPM for the lesson, or None."""
        return getattr(self._module, "prepare", None)

    @property
    def risk(self) -> str:
        """The reason why the lesson needs a TPM for experiments, such as "locks the TPM out"; "" if none."""
        return str(getattr(self._module, "RISK", ""))

    @property
    def _module(self) -> ModuleType:
        return import_module(f"{__package__}.{self.slug}.check")


def _items(text: str) -> list[str]:
    """Returns the items of a numbered list. Lines that continue an item are joined to it."""
    items = re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:]
    return [re.sub(r"\n +", "\n", item).strip() for item in items]


def _fenced(text: str) -> str:
    """Returns the content of the first fenced code block."""
    found = re.search(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


@cache
def load_lessons() -> tuple[Lesson, ...]:
    """Returns all lessons, in order."""
    pages = sorted(FOLDER.glob("[0-9][0-9]_*/lesson.md"))
    return tuple(Lesson(n, path.parent.name, path.read_text(encoding="utf-8")) for n, path in enumerate(pages, 1))


def find_lesson(word: str) -> Lesson:
    """Returns the lesson with this number, title or folder name. Raises UsageError if there is none."""
    lessons = load_lessons()
    for lesson in lessons:
        names = (lesson.slug, lesson.slug[3:], lesson.title.casefold())
        if word.lstrip("0") == str(lesson.number) or word.casefold() in names:
            return lesson
    raise UsageError(f"no lesson {word!r}; use 1 to {len(lessons)}, or a title from `tpmwire learn --list`")
