"""The tree of an explanation: nodes with offset, bytes, name, type and meaning."""

from collections.abc import Sequence

from .facts import Knowledge

__all__ = ["Node"]


class Node:
    """A part of a message: its bytes (`octets`) and their meaning.

    `offset` counts from the message's first byte. `text` is the meaning in words, `spec` the section of the
    standard. `secret` is true if the value is a secret. `error` is the error in these bytes or after them. The
    leaves, in order, contain each byte of the message once.

    `area` is the area of a message that a child of the message's root is in: "header", "handles", "authorization"
    or "parameters". It is empty for other nodes and for bytes that were not parsed.

    `knowledge` has, for the root of a message that uses sessions, each side's knowledge of each session. It is
    empty unless `explain_stream` is asked for it.

    `seconds` is the time from the command to the response, for the root of a response in a recording with times.

    `beside` contains values that are derived from the message and the user's keys: the plain value of an encrypted
    parameter, a session key, policyDigest after a policy command.
    """

    __slots__ = (
        *(
            "area",
            "beside",
            "children",
            "error",
            "knowledge",
            "name",
            "octets",
            "offset",
            "seconds",
            "secret",
            "spec",
            "text",
        ),
        "type",
    )

    def __init__(self, name: str, offset: int, octets: bytes = b"", type: str = "", text: str = "") -> None:
        self.name = name
        self.offset = offset
        self.octets = octets
        self.type = type
        self.text = text
        self.area = ""
        self.spec = ""
        self.secret = False
        self.error = ""
        self.seconds: float | None = None
        self.knowledge: Sequence[Knowledge] = ()
        self.beside: list[Node] = []
        self.children: list[Node] = []

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.octets)

    def __repr__(self) -> str:
        # The repr omits the bytes, which may be a password.
        return f"Node({self.name!r}, at {self.offset}, {self.size} bytes, {len(self.children)} children)"
