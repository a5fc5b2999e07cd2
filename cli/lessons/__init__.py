"""Lessons of `tpmwire learn`: a page of text, tasks for the learner, and checks of the tasks. No terminal I/O.

>>> lesson = load_lessons()[0]
>>> with LessonRun(lesson) as run:
...     for line in lesson.solution:
...         step = run.run(line)
>>> step.solved
True

Each lesson is a folder beside this file: `lesson.md` is the page, and `check.py` has the checks
(docs/architecture.md, "Add a lesson").
"""

from .attempt import Attempt, Sent
from .lesson import Lesson, Task, find_lesson, load_lessons
from .lesson_run import LessonRun, LessonStep
from .progress import Progress

__all__ = [
    "Attempt",
    "Lesson",
    "LessonRun",
    "LessonStep",
    "Progress",
    "Sent",
    "Task",
    "find_lesson",
    "load_lessons",
]
