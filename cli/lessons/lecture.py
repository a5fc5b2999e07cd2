"""Lessons at the terminal: shows pages, reads lines, prints results, and records which lessons are solved."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import TextIO

from tpmwire.soft import SoftTransport

from ..inspect.line_input import line_reader, read_interruptibly
from ..inspect.shell.values import Values
from ..terminal.help import wrapped
from ..terminal.messages import UsageError, note
from ..terminal.options import columns
from ..tpm.path import connect
from .lesson import Lesson, find_lesson, load_lessons
from .lesson_run import SEED, LessonRun, LessonStep
from .page import lesson_page, plain_text
from .progress_file import change_progress, read_progress, reserve_tpm_file

__all__ = ["check_lines", "print_list", "reset", "teach"]

WIDEST = 88
"""Longest line of a page, in characters."""

MARKS = {"solved": "✔", "skipped": "–", "next": "→", "open": " "}


_HELP = """\
page                          show the page of the lesson again
skip                          leave this lesson for later
quit                          end; Ctrl-D does the same"""


def print_list() -> None:
    """Prints a line for each lesson: number, title, state."""
    progress = read_progress()
    width = max(len(lesson.title) for lesson in load_lessons())
    for lesson in load_lessons():
        state = progress.state(lesson)
        print(f"{MARKS[state]} {lesson.number:2}  {lesson.title:{width}}  {state}")


def reset(word: str | None) -> None:
    """Marks the lesson with this number or title as open; without `word`, marks all lessons."""
    lesson = None if word is None else find_lesson(word)
    with change_progress() as progress:
        progress.reset(lesson)
    note(f"tpmwire: {'all lessons are' if lesson is None else f'lesson {lesson.number} is'} open again")


def check_lines(word: str, lines: Iterable[str], tpm_path: str | None, seconds: float) -> bool:
    """Runs lines in a lesson, and prints the results and the tasks. Returns whether the lesson is solved.

    `word` is the lesson's number or title. The TPM is a new soft TPM, unless `tpm_path` names another one.
    `seconds` is the timeout of its responses.
    """
    lesson = find_lesson(word)
    with _open_run(lesson, tpm_path, seconds) as run:
        for line in lines:
            if _is_end(line) or line.strip() == "skip":
                break
            _run_line(run, line)
        print(_wrap(run.tasks()))
        if run.done:
            _record_solved(lesson)
        return run.done


def teach(word: str | None, tpm_path: str | None, seconds: float) -> None:
    """Teaches lessons until the user quits: first the one with this number or title, or else the next open one."""
    lesson = find_lesson(word) if word is not None else read_progress().next_lesson()
    while lesson is not None:
        with contextlib.ExitStack() as stack:
            if tpm_path is None:
                path = str(stack.enter_context(reserve_tpm_file(lesson.slug)))
                open_tpm = partial(SoftTransport, SEED, path)
                run = stack.enter_context(LessonRun(lesson, open_tpm, reopen=True))
                place = f"soft:{path}"
            else:
                run = stack.enter_context(_open_run(lesson, tpm_path, seconds))
                place = tpm_path
            if not _teach_lesson(run, place):
                return
        lesson = read_progress().next_lesson()
    print("All lessons are solved. `tpmwire learn NUMBER` repeats one; `tpmwire learn --list` lists them.")


def _open_run(lesson: Lesson, tpm_path: str | None, seconds: float) -> LessonRun:
    """Starts a lesson on the TPM at a path, or on a new soft TPM. Raises UsageError if the lesson may harm it."""
    if tpm_path is None:
        return LessonRun(lesson)
    if lesson.risk and (tpm_path.startswith("device:") or os.path.exists(tpm_path)):
        raise UsageError(
            f"lesson {lesson.number} {lesson.risk}, so it does not run on {tpm_path}; omit --tpm-path, or use a "
            "software TPM"
        )
    return LessonRun(lesson, partial(connect, tpm_path, seconds))


def _teach_lesson(run: LessonRun, place: str) -> bool:
    """Shows the page and runs the user's lines until the lesson is solved or skipped. Returns False to end."""
    lesson = run.lesson
    _print_page(lesson)
    print(f"TPM of this lesson: {place}\nType commands, or: hint, tasks, solution, wire, python, page, skip, quit")
    for line in _read_lines(f"lesson {lesson.number}> ", run.values):
        if _is_end(line):
            return False
        if line.strip() == "skip":
            with change_progress() as progress:
                progress.skip(lesson)
            return True
        _run_line(run, line)
        if run.done:
            _record_solved(lesson)
            print(f"\nLesson {lesson.number} is solved.\n")
            print(plain_text(f"## In the field\n\n{lesson.field}", _width()))
            prompt = "\nEnter continues with the next lesson; quit or Ctrl-D ends. "
            return next((not _is_end(reply) for reply in _read_lines(prompt)), False)
    return False


def _is_end(line: str) -> bool:
    """Returns whether a line is a word that ends the lessons."""
    return line.strip().lower() in ("quit", "exit", "q")


def _run_line(run: LessonRun, line: str) -> None:
    """Runs a line of the learner and prints the result."""
    match line.strip():
        case "help":
            print(f"{run.help()}\n{_HELP}")
        case "page":
            _print_page(run.lesson)
        case "hint" | "tasks":
            step = run.run(line)
            _print_step(step._replace(text=_wrap(step.text)))
        case _:
            _print_step(run.run(line))


def _wrap(text: str) -> str:
    """Returns text whose lines longer than a page's are wrapped, with the indent of their first line."""
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        lines += wrapped(line, _width(), indent, indent or "     ") if len(line) > _width() else [line]
    return "\n".join(lines)


def _print_page(lesson: Lesson) -> None:
    print(f"Lesson {lesson.number} of {len(load_lessons())}\n\n{lesson_page(lesson.page, _width())}\n")


def _print_step(step: LessonStep) -> None:
    if step.text:
        print(step.text)
    for number in step.tasks:
        print(f"✔ Task {number + 1} is solved.")


def _record_solved(lesson: Lesson) -> None:
    with change_progress() as progress:
        progress.solve(lesson)


def _width() -> int:
    return min(columns() - 1, WIDEST)


def _flushed(stream: TextIO) -> TextIO:
    """Flushes standard output and returns `stream`, so that a program that sends lines receives the results."""
    sys.stdout.flush()
    return stream


def _read_lines(prompt: str, values: Values | None = None) -> Iterator[str]:
    """Yields the lines that the user types, until the end of standard input. Prompts on a terminal only.

    With `values`, the results so far, lines are completed if the package prompt_toolkit is installed.
    """
    if sys.stdin is None:  # None if the parent process closed it
        raise UsageError("standard input is closed; run tpmwire learn at a terminal, or give the lines with -f")
    if not sys.stdin.isatty():
        while line := _flushed(sys.stdin).readline():
            yield line
        return
    read: Callable[[], str] = partial(read_interruptibly, partial(input, prompt))
    if values is not None and find_spec("prompt_toolkit"):
        read = line_reader(prompt, values)
    else:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - an optional module of Python, which edits lines
    while True:
        try:
            yield read()
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return
