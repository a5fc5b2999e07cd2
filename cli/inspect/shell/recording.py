"""Keeps the messages of a script, which `explain last` explains."""

from typing import Any, NamedTuple

from tpmwire.explain import Node, explain_command, explain_response

from .entities import Listener

__all__ = ["MessagePair", "ScriptRecording"]


class MessagePair(NamedTuple):
    """A command and the response, as bytes."""

    command: bytes
    response: bytes


class ScriptRecording(Listener):
    """Keeps the messages of a script, and passes them on to another listener."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.exchanges: list[MessagePair] = []
        self.swaps: list[str] = []
        self._trees: list[tuple[str, bytes, Any]] = []

    @property
    def position(self) -> int:
        """The number of messages so far, for `trees`."""
        return len(self._trees)

    def command(self, data: bytes) -> None:
        """Records and passes on a command."""
        self._trees.append(("command", data, None))
        self.listener.command(data)

    def response(self, data: bytes, command: bytes) -> None:
        """Records and passes on a response."""
        self._trees.append(("response", data, command))
        self.exchanges.append(MessagePair(command, data))
        self.listener.response(data, command)

    def clear_command(self, data: bytes) -> None:
        """Records and passes on a command before its encryption."""
        self._trees.append(("clear command", data, None))
        self.listener.clear_command(data)

    def clear_response(self, data: bytes, command: Any) -> None:
        """Records and passes on a decrypted response."""
        self._trees.append(("clear response", data, command))
        self.listener.clear_response(data, command)

    def salt(self, session: int, salt: bytes) -> None:
        """Passes on the salt of a session."""
        self.listener.salt(session, salt)

    def swap(self, text: str) -> None:
        """Records and passes on a sentence about a swap."""
        self.swaps.append(text)
        self.listener.swap(text)

    def trees(self, start: int, end: int) -> list[tuple[str, Node]]:
        """Returns (comment, explanation) of the messages from `start` to `end`, without the latter."""
        comments = {"clear command": "before encryption", "clear response": "after decryption"}
        return [
            (
                comments.get(kind, ""),
                explain_command(data) if kind.endswith("command") else explain_response(data, context),
            )
            for kind, data, context in self._trees[start:end]
        ]
