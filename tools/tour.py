"""Generates the code blocks of docs/tour/ from a recorded run of a TPM, and runs the Python of the pages.

python tools/tour.py            writes the pages from docs/tour/run.json
python tools/tour.py --check    exits with 1 if a page is out of date
python tools/tour.py --record   records a new run first (needs swtpm); every nonce in the pages changes

The code block below `<!-- tour: ... -->` is generated: `command NAME` and `response NAME` explain messages of
the run, `octets TYPE NAME` explains a structure, `values NAME...` assigns bytes in Python, `file NAME`
assigns the text of a key file to `pem`, and `output` is the output of the Python above. The Python blocks of
a page share their names and need nothing but the page: a reader can paste them into an interpreter.
"""

import contextlib
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools.tour_run import record  # noqa: E402
from tpmwire.explain import as_text, explain_command, explain_response  # noqa: E402
from tpmwire.explain.value import explain_octets  # noqa: E402

TOUR = ROOT / "docs" / "tour"
RUN = TOUR / "run.json"
BLOCK = re.compile(
    r"(?P<marker><!-- tour: (?P<words>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```\n", re.DOTALL
)
WIDTH = 96
"""Characters of a line of hex in a Python literal."""


class TourError(Exception):
    """A page refers to an unknown block or value, or its Python code fails."""


class Page:
    """A page of the tour while it is generated.

    It has the values of the recorded run, the variables of the page's Python code, and the output of the code.
    """

    def __init__(self, run: dict[str, str]) -> None:
        self._run = run
        self._names: dict[str, Any] = {"__name__": "tour"}
        self._printed = io.StringIO()

    def filled(self, text: str) -> str:
        """Returns the page's text with its generated blocks replaced by new ones. Raises TourError."""
        return BLOCK.sub(self._block, text)

    def _block(self, found: "re.Match[str]") -> str:
        language, text = found["language"], found["text"]
        if found["marker"]:
            kind, *words = found["words"].split()
            makers: dict[str, Callable[..., tuple[str, str]]] = {
                "command": self._command,
                "response": self._response,
                "octets": self._octets,
                "values": self._values,
                "file": self._file,
                "output": self._output,
            }
            if kind not in makers:
                raise TourError(f"unknown block {kind!r}; use one of {', '.join(makers)}")
            language, text = makers[kind](*words)
        if language == "python":
            self._execute(text)
        return f"{found['marker'] or ''}```{language}\n{text}```\n"

    def _execute(self, text: str) -> None:
        try:
            with contextlib.redirect_stdout(self._printed):
                exec(compile(text, "docs/tour", "exec"), self._names)  # noqa: S102
        except Exception as error:
            raise TourError(f"{type(error).__name__}: {error}, in the block\n{text}") from error

    def _value(self, name: str) -> bytes:
        if name not in self._run:
            raise TourError(f"the recorded run has no {name!r}; run python tools/tour.py --record")
        return bytes.fromhex(self._run[name])

    def _command(self, name: str) -> tuple[str, str]:
        return "text", as_text(explain_command(self._value(f"{name}_command"))) + "\n"

    def _response(self, name: str) -> tuple[str, str]:
        tree = explain_response(self._value(f"{name}_response"), self._value(f"{name}_command"))
        return "text", as_text(tree) + "\n"

    def _octets(self, kind: str, name: str) -> tuple[str, str]:
        value = self._names[name] if name in self._names else self._value(name)
        return "text", as_text(explain_octets(kind, value)) + "\n"

    def _values(self, *names: str) -> tuple[str, str]:
        return "python", "".join(_format_literal(name, self._value(name)) for name in names)

    def _file(self, name: str) -> tuple[str, str]:
        text = (ROOT / "fixtures" / "keys" / name).read_text()
        return "python", f'pem = """\\\n{text}"""\n'

    def _output(self) -> tuple[str, str]:
        text = self._printed.getvalue()
        self._printed = io.StringIO()
        return "text", text


def _format_literal(name: str, value: bytes) -> str:
    """Returns a Python statement that assigns bytes in hex to a name, in short lines."""
    text = value.hex()
    if len(text) <= WIDTH - len(name) - 20:
        return f'{name} = bytes.fromhex("{text}")\n'
    lines = "".join(f'    "{text[n : n + WIDTH]}"\n' for n in range(0, len(text), WIDTH))
    return f"{name} = bytes.fromhex(\n{lines})\n"


def pages() -> list[Path]:
    """Returns the paths of the tour's pages, in order."""
    return sorted(TOUR.glob("*.md"))


def filled(path: Path, run: dict[str, str]) -> str:
    """Returns the text of a page with new generated blocks for this run. Raises TourError."""
    try:
        return Page(run).filled(path.read_text(encoding="utf-8"))
    except TourError as error:
        raise TourError(f"{path.name}: {error}") from error


def main() -> int:
    """Writes the pages, or prints which are out of date; returns the exit code."""
    words = sys.argv[1:]
    if words == ["--record"]:
        RUN.write_text(json.dumps(record(), indent=1) + "\n", encoding="utf-8")
    elif words not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    run = json.loads(RUN.read_text(encoding="utf-8"))
    stale = [path for path in pages() if filled(path, run) != path.read_text(encoding="utf-8")]
    if words == ["--check"]:
        for path in stale:
            print(f"docs/tour/{path.name} is out of date; run python tools/tour.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(filled(path, run), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except TourError as error:
        sys.exit(f"tour: {error}")
