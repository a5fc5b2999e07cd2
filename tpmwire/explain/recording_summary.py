"""A recording in one paragraph: the number of messages, the sessions, what is encrypted, and what was refused."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..spec.constants import TPM_RH, TPM_SE
from ..spec.response_texts import explain
from .annotations import INVALID_HMAC, VALID_HMAC
from .meanings import CLEARTEXT
from .session_history import SessionHistory
from .tree import Node

__all__ = ["RecordingSummary"]

LISTED = 4
"""Maximum number of names in a list; further names are only counted."""


class RecordingSummary:
    """Counts the messages of a recording while they are explained, and summarizes the recording in words."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._encrypted: Counter[str] = Counter()
        self._command = ""

    def add(self, tree: Node) -> None:
        """Counts the next message of the recording."""
        self._counts[tree.type if tree.type in ("command", "response") else "structure"] += 1
        self._counts["invalid"] += bool(tree.error)
        if tree.type == "command":
            self._command = tree.name
        code = int.from_bytes(tree.octets[6:10], "big") if tree.type == "response" else 0
        if code:
            self._counts["refused"] += 1
            self._note(self._refused, f"{tree.text.removeprefix('response to ')} ({explain(code).name})")
        for node in tree.children:
            if any(child.name == "encrypted" for child in node.children):
                self._note(self._encrypted, f"{node.name} of {self._command}")
            for text in (child.text for child in node.children if child.name == "hmac"):
                self._counts["passwords"] += CLEARTEXT in text
                self._counts["valid HMACs"] += f"; {VALID_HMAC}" in text
                self._counts["invalid HMACs"] += INVALID_HMAC in text

    def _note(self, names: Counter[str], name: str) -> None:
        """Counts a name. Names after the first hundred are counted as one, because memory is limited."""
        names[name if name in names or len(names) < 100 else "others"] += 1

    def text(self, histories: Sequence[SessionHistory] = ()) -> str:
        """Returns the summary in a few sentences. `histories` contains the sessions of the recording."""
        return " ".join(self._sentences(histories))

    def _sentences(self, histories: Sequence[SessionHistory]) -> Iterator[str]:
        counts = self._counts
        if counts["structure"] > 1:
            yield f"{_count(counts['structure'], 'structure')}."
        messages = counts["command"] + counts["response"]
        if not messages:
            return
        yield f"{_count(messages, 'message')}, {_count(counts['command'], 'command')}."
        if counts["refused"]:
            yield f"The TPM refused {counts['refused']}: {_list(self._refused)}."
        if histories:
            kinds = Counter(map(_kind, histories))
            yield f"{_count(len(histories), 'session')}: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}."
        if self._encrypted:
            yield f"A session encrypts {_list(self._encrypted)}."
        elif histories:
            yield "No parameter is encrypted."
        if counts["valid HMACs"] or counts["invalid HMACs"]:
            wrong = counts["invalid HMACs"]
            valid = f"{_count(counts['valid HMACs'], 'HMAC')} verified"
            yield f"{valid}, {wrong} not valid." if wrong else f"{valid}."
        if counts["passwords"]:
            verb = "crosses" if counts["passwords"] == 1 else "cross"
            yield f"{_count(counts['passwords'], 'password')} {verb} the bus in cleartext."
        if counts["invalid"]:
            yield f"{_count(counts['invalid'], 'message')} cannot be parsed."


def _kind(history: SessionHistory) -> str:
    start = history.start
    if start is None:
        return "opened before the recording"
    words = {TPM_SE.HMAC: "HMAC", TPM_SE.POLICY: "policy", TPM_SE.TRIAL: "trial"}.get(start.session_type, "other")
    if start.session_type == TPM_SE.TRIAL:
        return words
    bound = " bound" * (start.bind != TPM_RH.NULL)
    return f"{'salted' if start.encrypted_salt else 'unsalted'}{bound} {words}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _list(names: Counter[str]) -> str:
    shown = [f"{name}{f' ({n} times)' if n > 1 else ''}" for name, n in names.most_common(LISTED)]
    more = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    return join_words([*shown, *more])


def join_words(words: Iterable[str]) -> str:
    """Returns words as a list in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
