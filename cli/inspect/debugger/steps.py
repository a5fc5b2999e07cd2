"""A message of a recording as a step of the debugger, in plain text and in JSON."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from tpmwire.explain import Node, as_text
from tpmwire.explain.facts import GROUPS, Fact, Knowledge

from ..writers import JsonWriter

__all__ = ["StepWriter", "explain_knowledge", "step_text", "step_title"]

WITHOUT = "No session protects this message: anyone on the bus can read and change it."


def step_title(place: int, tree: Node) -> str:
    """Returns the heading of a step. `place` is the index of the message in the recording."""
    name = tree.name if tree.type == "command" else tree.text
    return f"message {place + 1}: {name}, {tree.size} bytes"


def step_text(place: int, tree: Node) -> str:
    """Returns a step as text: what each side knows, and the bytes of the message."""
    known = explain_knowledge(tree.knowledge)
    return "\n".join([f"== {step_title(place, tree)}", *(text for text, _ in known), "", as_text(tree)])


class StepWriter(JsonWriter):
    """Prints steps as a JSON list. `place` is the index of the next message in the recording."""

    place = 0

    def element(self, tree: Node) -> dict[str, Any]:
        """Returns the number of the message, the facts of each session, and the tree of the message."""
        sessions = [
            {
                "session": known.title,
                "facts": [
                    fact._asdict()
                    | {"value": None if fact.value is None else fact.value.hex(), "sides": fact.sides.split()}
                    for fact in known.facts
                ],
            }
            for known in tree.knowledge
        ]
        return {"message": self.place + 1, "sessions": sessions, "tree": super().element(tree)}


def explain_knowledge(known: Sequence[Knowledge], width: int = 112) -> list[tuple[str, str]]:
    """Returns lines that show what each side knows, each with its kind.

    The kinds are `title`, `group`, `new`, `old`, `wrong` and `text`. Lines have at most `width` characters.
    """
    if not known:
        return [(line, "text") for line in textwrap.wrap(WITHOUT, width)]
    return [line for each in known for line in _lines(each, width)]


def _lines(known: Knowledge, width: int) -> Iterator[tuple[str, str]]:
    yield from ((line, "title") for line in textwrap.wrap(known.title, width))
    for sides, title in GROUPS.items():
        facts = [fact for fact in known.facts if fact.sides == sides]
        if facts:
            yield f"  {title}", "group"
        for fact in facts:
            yield from _fact(fact, width)


def _fact(fact: Fact, width: int) -> Iterator[tuple[str, str]]:
    value = "" if fact.value is None else f" = {fact.value.hex() or 'empty'}"
    kind = "wrong" if fact.wrong else "new" if fact.new else "old"
    first = f"  {'+' if fact.new else ' '} {fact.name}{value}"
    yield from ((line, kind) for line in textwrap.wrap(first, width, subsequent_indent=" " * 6))
    text = textwrap.wrap(fact.text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    yield from ((line, "text") for line in text)
