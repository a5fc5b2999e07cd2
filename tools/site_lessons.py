"""The site's pages about the lessons of `tpmwire learn`, which link to the lessons in the playground."""

import re
from collections.abc import Mapping

from cli.lessons import Lesson, load_lessons

__all__ = ["lesson_pages"]


def lesson_pages() -> Mapping[str, str]:
    """Returns the Markdown of the lessons' pages, keyed by the path in the site."""
    pages = {f"lessons/{lesson.slug}.md": _page(lesson) for lesson in load_lessons()}
    lines = [
        "# Lessons",
        "In each lesson, you send commands to a TPM in Python, and the lesson checks your tasks. The lessons are"
        " in the [playground](../playground/index.html#learn) and in the terminal: `tpmwire learn`.",
        "\n".join(f"1. [{lesson.title}]({lesson.slug}.md)" for lesson in load_lessons()),
    ]
    return {"lessons/index.md": "\n\n".join(lines) + "\n", **pages}


def _page(lesson: Lesson) -> str:
    """Returns the page of a lesson: text, picture, tasks and response codes, without hints and solution."""
    link = f"../playground/index.html#learn/{lesson.slug}"
    tasks = "\n".join(f"{number}. {task.text}" for number, task in enumerate(lesson.tasks, 1))
    # The theme would load the program for these diagrams from another server; each has a copy in characters.
    picture = re.sub(r"^```mermaid\n.*?^```\n?", "", lesson.picture + "\n", flags=re.DOTALL | re.MULTILINE)
    parts = [
        "---\nhide: [navigation]\n---",
        "[All lessons](index.md)",
        f"# {lesson.title}",
        lesson.text,
        picture.strip(),
        f"## Tasks\n\n{tasks}",
        f"[Do this lesson in the playground]({link}){{ .md-button .md-button--primary }}",
        f"In the terminal: `tpmwire learn {lesson.number}`.",
        f"## In the field\n\n{lesson.field}",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
