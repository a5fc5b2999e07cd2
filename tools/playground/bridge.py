"""Explanations and a soft TPM for the playground's page, which calls these functions in the browser's Python.

Each function returns JSON text. An error of the user is {"error": message}.
"""

import contextlib
import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cli.inspect.interpretations import interpretation_json
from cli.inspect.script import LineResult, Script
from cli.inspect.shell.completion import complete as complete_words
from cli.inspect.shell.values import Values
from cli.inspect.things import Explained, explain_thing, group_words
from cli.lessons import LessonRun, find_lesson, load_lessons
from cli.lessons.lesson_run import SEED, WORDS
from cli.terminal.messages import UsageError, explain_error
from tpmwire.errors import TpmwireError
from tpmwire.explain import Node, as_json, explain_command, explain_response, explain_stream
from tpmwire.explain.html import as_html
from tpmwire.explain.readers.recordings import detect_recording
from tpmwire.explain.session_history import SessionHistory
from tpmwire.explain.table import kinds
from tpmwire.soft import SoftTransport
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.tpm import Tpm

__all__ = [
    "complete",
    "complete_lesson",
    "explain",
    "explain_file",
    "lessons",
    "new_tpm",
    "open_lesson",
    "page_of_file",
    "run",
    "run_lesson",
    "start",
]

_MOST = 200
"""Maximum number of messages in an explanation."""


def start() -> str:
    """Prepares the tables, and returns {"names": {NAME: address of its page}}, relative to the site's root."""
    explain("0x98e")
    explain("80010000000c0000017b0010")
    new_tpm()
    return json.dumps({"names": page_addresses()})


def page_addresses() -> dict[str, str]:
    """Returns the addresses of the pages about names of the standard, keyed by the name."""
    addresses = {}
    for kind, names in kinds().items():
        folder = "commands" if kind.startswith("commands") else "types"
        addresses.update({name: f"reference/{folder}/{name}.html" for name in names})
    for code in TPM_RC:
        addresses[f"TPM_RC_{code.name}"] = f"reference/codes/TPM_RC_{code.name}.html"
    return addresses


def explain(text: str) -> str:
    """Explains a text as `tpmwire explain` does: one list element for each thing in the text."""
    try:
        with _notes() as notes:
            things = list(_explain_text(text.strip()))
        return json.dumps({"things": things, "notes": notes})
    except (UsageError, TpmwireError) as error:
        return json.dumps({"error": _advice(str(error))})


def explain_file(name: str, data: Any) -> str:
    """Explains a file with the bytes `data`."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / (Path(name).name or "file")
        path.write_bytes(bytes(data))
        try:
            with _notes() as notes:
                found = [_plain(each) for each in explain_thing(str(path), None)]
        except (UsageError, TpmwireError) as error:
            return json.dumps({"error": _advice(str(error).replace(f"{place}/", ""))})
    for each in found:
        each["name"] = name
    return json.dumps({"things": found, "notes": [note.replace(f"{place}/", "") for note in notes]})


def page_of_file(name: str, data: Any) -> str:
    """Returns {"html": the page of `tpmwire decode --html`} for a recording with the bytes `data`.

    The page has the first messages, with what each side of a session knows after them.
    """
    try:
        exchanges = detect_recording(io.BytesIO(bytes(data)), name)
        if isinstance(exchanges, bytes):
            raise UsageError(f"{name} is not a recording of TPM commands")
        histories: list[SessionHistory] = []
        trees = [*islice(explain_stream(exchanges, histories=histories, knowledge=True), _MOST)]
    except (UsageError, TpmwireError) as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"html": as_html(trees, name, histories)})


@contextlib.contextmanager
def _notes() -> Iterator[list[str]]:
    """Provides a list that has, at the end of the context, the lines printed on stderr."""
    lines: list[str] = []
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            yield lines
        finally:
            lines += [line.removeprefix("tpmwire: ") for line in stderr.getvalue().splitlines()]


def _explain_text(text: str) -> Iterable[dict[str, Any]]:
    if text in ("", "-"):
        raise UsageError("nothing to explain; paste a text")
    try:
        return [_plain(each) for each in explain_thing(text, None)]
    except UsageError:
        words = text.split()
        groups = group_words(words, None) if len(words) <= 16 else words
        if len(groups) != len(words) or len(words) == 1:
            raise
        found = [_explain_word(word) for word in words]
        if all("error" in each for each in found):
            raise
        return found


def _explain_word(word: str) -> dict[str, Any]:
    try:
        return _plain(next(iter(explain_thing(word, None))))
    except (UsageError, TpmwireError) as error:
        return {"name": word, "error": _advice(str(error))}


def _plain(explained: Explained) -> dict[str, Any]:
    """Returns an explanation as plain values: the meanings of a word, or the trees of messages."""
    if explained.words:
        return {"name": explained.name, "meaning": interpretation_json(explained.name, explained.words)}
    trees: list[Node] = list(islice(explained.trees, _MOST + 1))
    plain = [as_json(tree) for tree in trees[:_MOST]]
    more = len(trees) > _MOST
    return {
        "name": explained.name,
        "kind": explained.kind,
        "trees": plain,
        "others": list(explained.others),
        "more": more,
    }


_SEED = b"example"
"""Seed of the page's TPM. The site's examples have the same seed, and so the same bytes."""


class _Bench:
    """The TPM of the tab Run, and the internal steps of its last line."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        tpm = Tpm(SoftTransport(_SEED, observe=lambda name, detail: self.steps.append((name, detail))))
        self.script = Script(tpm, secrets=True)


_benches: list[_Bench] = []


def new_tpm() -> str:
    """Replaces the TPM by a new one, whose random values are repeatable."""
    _benches[:] = [_Bench()]
    return json.dumps({})


def complete(text: str) -> str:
    """Returns {"last", "words"} for the text before the cursor: its last word, and completions of that word."""
    return _complete(text, _benches[0].script.values)


def complete_lesson(text: str) -> str:
    """Returns what `complete` returns, for the open lesson."""
    return _complete(text, _lesson_runs[0][0].values)


def _complete(text: str, values: Values) -> str:
    last, words = complete_words(text, values)
    return json.dumps({"last": last, "words": words[:50]})


def run(line: str) -> str:
    """Runs a line of commands, as `tpmwire send` does.

    Returns {"text", "code", "exchanges": [{"command", "response"}], "steps": [[name, detail]]}.
    """
    bench = _benches[0]
    bench.steps.clear()
    before = len(bench.script.exchanges)
    try:
        with _notes() as notes:
            result = bench.script.run(line)
    except (UsageError, TpmwireError) as error:
        result = LineResult(explain_error(error)[1], {}, -1, 0, tuple(bench.script.exchanges[before:]))
    return json.dumps(
        {
            "text": result.text,
            "code": result.code,
            "exchanges": [_exchange(each.command, each.response) for each in result.exchanges[-_MOST:]],
            "steps": bench.steps[-_MOST:],
            "notes": notes,
        }
    )


_lesson_runs: list[tuple[LessonRun, list[tuple[str, str]]]] = []
"""The lesson that is open, and the internal steps of the TPM in its last line."""


def lessons() -> str:
    """Returns {"lessons": [{"number", "slug", "title"}]} with all lessons."""
    found = [{"number": each.number, "slug": each.slug, "title": each.title} for each in load_lessons()]
    return json.dumps({"lessons": found})


def open_lesson(number: int) -> str:
    """Starts a lesson on a new TPM, and returns its parts. Texts are Markdown."""
    lesson = find_lesson(str(number))
    steps: list[tuple[str, str]] = []
    try:
        run = LessonRun(
            lesson, lambda: SoftTransport(SEED, observe=lambda name, detail: steps.append((name, detail)))
        )
    except UsageError as error:
        return json.dumps({"error": str(error)})
    _lesson_runs[:] = [(run, steps)]
    return json.dumps(
        {
            "number": lesson.number,
            "slug": lesson.slug,
            "title": lesson.title,
            "text": lesson.text,
            "picture": lesson.picture,
            "tasks": [{"text": task.text, "hint": task.hint} for task in lesson.tasks],
            "solution": lesson.solution,
            "field": lesson.field,
        }
    )


def run_lesson(line: str) -> str:
    """Runs a line of the open lesson, and checks the tasks.

    Returns what `run` returns, "tasks" with the tasks that the line solved, "done" with all solved tasks,
    "missing" with a sentence for each other task, and "solved".
    """
    run, steps = _lesson_runs[0]
    steps.clear()
    with _notes() as notes:
        step = run.run(line)
    word = line.strip().partition(" ")[0]
    wire = word == "wire" and not step.failed
    quiet = word in {words.split()[0] for words in WORDS} | {"help"} and not wire
    return json.dumps(
        {
            "text": "" if wire else step.text,
            "code": -1 if step.failed else 0,
            "exchanges": [] if quiet else [_exchange(each.sent, each.received) for each in run.sent[-_MOST:]],
            "steps": [] if quiet or wire else steps[-_MOST:],
            "notes": notes,
            "tasks": step.tasks,
            "done": sorted(run.solved),
            "missing": run.missing(),
            "solved": step.solved,
        }
    )


def _exchange(command: bytes, response: bytes) -> dict[str, Any]:
    return {"command": as_json(explain_command(command)), "response": as_json(explain_response(response, command))}


def _advice(message: str) -> str:
    """Returns an error message without the terminal's options."""
    return message.replace("; choose a type, as in --as", "; choose a type, such as").replace("tpmwire: ", "")
