"""The learner's progress: which lessons are solved or skipped."""

import json
from dataclasses import dataclass, field
from typing import Self

from .lesson import Lesson, load_lessons

__all__ = ["Progress"]


@dataclass
class Progress:
    """The folder names of solved and of skipped lessons."""

    solved: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the progress in JSON text. Raises ValueError if it is not valid."""
        try:
            data = json.loads(text)
            return cls(*({str(slug) for slug in data[key]} for key in ("solved", "skipped")))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError("not the progress of a learner") from None

    def to_json(self) -> str:
        """Returns the progress as JSON text."""
        return json.dumps({"solved": sorted(self.solved), "skipped": sorted(self.skipped)}) + "\n"

    def state(self, lesson: Lesson) -> str:
        """Returns the state of a lesson: solved, skipped, next or open."""
        if lesson.slug in self.solved:
            return "solved"
        if lesson.slug in self.skipped:
            return "skipped"
        return "next" if lesson is self.next_lesson() else "open"

    def next_lesson(self) -> Lesson | None:
        """Returns the first lesson that is neither solved nor skipped, else the first skipped one, else None."""
        unsolved = [lesson for lesson in load_lessons() if lesson.slug not in self.solved]
        return next((lesson for lesson in unsolved if lesson.slug not in self.skipped), None) or next(
            iter(unsolved), None
        )

    def solve(self, lesson: Lesson) -> None:
        """Marks a lesson as solved."""
        self.solved.add(lesson.slug)
        self.skipped.discard(lesson.slug)

    def skip(self, lesson: Lesson) -> None:
        """Marks a lesson as skipped, unless it is solved."""
        if lesson.slug not in self.solved:
            self.skipped.add(lesson.slug)

    def reset(self, lesson: Lesson | None) -> None:
        """Marks a lesson as open; with None, marks all lessons."""
        for group in (self.solved, self.skipped):
            group.difference_update(list(group) if lesson is None else [lesson.slug])
