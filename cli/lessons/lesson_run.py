"""A lesson while a learner works on it: runs lines of the shell language, and checks the tasks after each."""

import contextlib
import shlex
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from tpmwire.errors import TpmwireError
from tpmwire.explain import as_text, explain_command, explain_response
from tpmwire.record import Record
from tpmwire.soft import SoftTransport
from tpmwire.spec.commands.nv import NV_UndefineSpace
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Observed, Tpm
from tpmwire.transport import Transport

from ..inspect.script import Script
from ..inspect.shell.values import Values
from ..terminal.messages import UsageError, explain_error
from .attempt import Attempt, Sent
from .interposer import Flip, Interposer
from .lesson import Lesson

__all__ = ["SEED", "WORDS", "LessonRun", "LessonStep"]

SEED = b"learn"
"""Seed of the soft TPM of a lesson, so that every learner sees the same bytes."""

WORDS = {
    "answer VALUE": "reply to a question of the lesson; VALUE can be a result such as $1.digest",
    "tasks": "list the tasks, and what is missing",
    "hint": "show a hint for the next task",
    "solution": "show lines that solve the lesson",
    "wire": "show each byte of the last line's commands and responses",
    "python": "show the same bytes as values for Python",
    "flip command NAME OFFSET": "change a bit in the next command NAME, at this byte offset",
    "flip response NAME OFFSET": "change a bit in the response to the next command NAME",
    "help NAME": "show the fields of a command, and their defaults",
    "show $N": "show result N again",
    "NAME FIELD=VALUE ...": "send a command; $N is the result of the Nth command",
}
"""Words of a lesson beside the commands of the shell language, and their meanings."""


class LessonStep(NamedTuple):
    """The result of a line: the text to show, the tasks that it solved (from 0 on), and whether all are solved.

    `failed` is True if the line was not valid, or if the TPM refused its command.
    """

    text: str
    tasks: tuple[int, ...]
    solved: bool
    failed: bool = False


class LessonRun:
    """Runs a lesson on a TPM: by default, on a new soft TPM whose random values are the same for every learner.

    `open_transport` opens another TPM; with `reopen`, it is opened for each command. As a context manager, flushes
    at the end what the learner left in the TPM.
    """

    def __init__(
        self, lesson: Lesson, open_transport: Callable[[], Transport] | None = None, *, reopen: bool = False
    ) -> None:
        self.lesson = lesson
        self.solved: set[int] = set()
        self._checks = lesson.checks
        self._interposer = Interposer(open_transport or (lambda: SoftTransport(SEED)), reopen=reopen)
        self._tpm = Tpm(self._interposer, observe=self._observe)
        self._attempt = Attempt(self._tpm)
        self._recording = self._failed = self._first = False
        self._reported = 0
        self._wire: list[Sent] = []
        try:
            if lesson.prepare is not None:
                lesson.prepare(self._attempt)
            self._script = Script(self._tpm, secrets=True)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flushes the objects and sessions that the learner opened, undefines their NV indices, closes the TPM."""
        try:
            for each in self._attempt.done("NV_DefineSpace"):
                with contextlib.suppress(TpmwireError):
                    self._tpm.execute(
                        NV_UndefineSpace(each.command.auth_handle, each.command.public_info.nv_index)
                    )
        finally:
            self._tpm.close()

    @property
    def done(self) -> bool:
        """Whether all tasks are solved."""
        return len(self.solved) == len(self.lesson.tasks)

    @property
    def values(self) -> Values:
        """The results so far, for the completion of lines."""
        return self._script.values

    @property
    def sent(self) -> list[Sent]:
        """The commands of the last line, with their responses."""
        return self._wire

    def run(self, line: str) -> LessonStep:
        """Runs a line: a word of WORDS, or a command of the shell language. Then checks the tasks."""
        line = line.strip()
        word, _, rest = line.partition(" ")
        own = {
            "answer": lambda: self._answer(rest),
            "flip": lambda: self._flip(rest),
            "help": lambda: self._send(line) if rest else self.help(),
            "hint": self.hint,
            "python": self.python,
            "solution": lambda: "\n".join(self.lesson.solution),
            "tasks": self.tasks,
            "wire": self.wire,
        }
        self._failed = False
        try:
            text = own[word]() if word in own else "" if not line or line.startswith("#") else self._send(line)
        except (UsageError, TpmwireError) as error:
            text, self._failed = explain_error(error)[1], True
            if not isinstance(error, UsageError):
                self._attempt.errors.append(text)
        found = self._check()
        if word == "answer" and not (self._failed or found or self.done):
            lines = [f"Task {number + 1}: {missing}" for number, missing in self.missing().items()]
            text = "\n".join(["This answer solves no task. What is missing:", *lines])
        return LessonStep(text, found, self.done, self._failed)

    def _send(self, line: str) -> str:
        self._recording = self._first = True
        try:
            result = self._script.run(line)
            self._failed = bool(result.code)
            return result.text
        finally:
            self._recording = False

    def _observe(self, seen: Observed) -> None:
        # The script reads public areas on its own, and does not report these commands: they are not the learner's.
        if self._recording and len(self._script.exchanges) > self._reported:
            self._reported = len(self._script.exchanges)
            sent = Sent(seen.command, seen.response, seen.rc, *self._interposer.last)
            self._attempt.sent.append(sent)
            self._wire = [sent] if self._first else [*self._wire, sent]
            self._first = False

    def _answer(self, value: str) -> str:
        value = value.strip()
        if not value:
            raise UsageError("answer needs a value, such as: answer 0x81000001")
        if value.startswith("$"):
            found = self._script.values.find(value, "answer")
            found = found.build() if isinstance(found, Record) else found
            value = found.hex() if isinstance(found, bytes) else str(found)
        self._attempt.answers.append(value)
        return ""

    def _flip(self, words: str) -> str:
        parts = shlex.split(words)
        names = {name.lower(): code for name, code in TPM_CC.__members__.items()}
        if len(parts) != 3 or parts[0] not in ("command", "response") or parts[1].lower() not in names:
            raise UsageError("flip needs command or response, a command's name, and a byte offset")
        try:
            offset = int(parts[2], 0)
        except ValueError:
            raise UsageError(f"flip: {parts[2]!r} is not a byte offset; use a number such as 12 or 0x0c") from None
        self._interposer.flip = Flip(names[parts[1].lower()], parts[0] == "response", offset)
        return f"The next {parts[1]} {parts[0]} will have another bit in byte {offset}."

    def wire(self) -> str:
        """Returns an explanation of each byte of the commands of the last line, and of the responses."""
        parts = []
        for each in self._last_sent():
            parts += [as_text(explain_command(each.sent)), as_text(explain_response(each.received, each.sent))]
        return "\n\n".join(parts)

    def python(self) -> str:
        """Returns Python statements that assign the bytes of the last line's commands and responses to names."""
        return "\n".join(
            f'{name}_{number} = bytes.fromhex("{data.hex()}")'
            for number, each in enumerate(self._last_sent(), 1)
            for name, data in (("command", each.sent), ("response", each.received))
        )

    def _last_sent(self) -> list[Sent]:
        if not self._wire:
            raise UsageError("no command was sent yet; send one first")
        return self._wire

    def hint(self) -> str:
        """Returns a hint for the first task that is not solved."""
        for number, task in enumerate(self.lesson.tasks):
            if number not in self.solved:
                return f"Task {number + 1}: {task.hint}"
        return "All tasks are solved."

    def tasks(self) -> str:
        """Returns the list of tasks: solved, or what is missing."""
        lines = []
        for number, task in enumerate(self.lesson.tasks):
            mark = "✔" if number in self.solved else "·"
            lines.append(f"{mark} {number + 1}. {task.summary}")
            if number not in self.solved and (self._attempt.sent or self._attempt.answers):
                lines.append(f"     {self._check_task(number)}")
        return "\n".join(lines)

    def help(self) -> str:
        """Returns the words of a lesson with their meanings."""
        return "\n".join(f"{words:28}  {meaning}" for words, meaning in WORDS.items())

    def missing(self) -> dict[int, str]:
        """Returns for each task that is not solved a sentence that says what is missing."""
        texts = {n: self._check_task(n) for n in range(len(self._checks)) if n not in self.solved}
        return {n: text for n, text in texts.items() if text}

    def _check_task(self, number: int) -> str:
        try:
            return self._checks[number](self._attempt)
        except TpmwireError as error:
            return f"The check failed: {explain_error(error)[1]}"

    def _check(self) -> tuple[int, ...]:
        """Checks the tasks that are not solved, and returns those that are solved now."""
        unsolved = {number for number in range(len(self._checks)) if number not in self.solved}
        found = tuple(sorted(unsolved - self.missing().keys()))
        self.solved |= {*found}
        return found
