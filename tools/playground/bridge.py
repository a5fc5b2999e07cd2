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
from cli.inspect.things import Explained, explain_thing, group_words
from cli.terminal.messages import UsageError
from tpmwire.errors import TpmwireError
from tpmwire.explain import Node, as_json
from tpmwire.explain.table import kinds
from tpmwire.spec.response_codes import TPM_RC

__all__ = ["explain", "explain_file", "start"]

_MOST = 200
"""Maximum number of messages in an explanation."""


def start() -> str:
    """Prepares the tables, and returns {"names": {NAME: address of its page}}, relative to the site's root."""
    explain("0x98e")
    explain("80010000000c0000017b0010")
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
    return json.dumps({"things": found, "notes": notes})


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


def _advice(message: str) -> str:
    """Returns an error message without the terminal's options."""
    return message.replace("; choose a type, as in --as", "; choose a type, such as").replace("tpmwire: ", "")
