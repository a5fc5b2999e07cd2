"""The tree that an explanation is: nodes, each with its place, octets, name, type and meaning."""

__all__ = ["Node"]


class Node:
    """Some octets of a message: where, which, what they are called, of what type, and what they mean.

    `offset` counts from the message's first octet. `text` is the meaning in words, `spec` the section of the
    standard, `secret` says that the standard takes the value for one, `error` what is wrong in these octets or
    behind them. The leaves, in order, are all octets of the message, each once.

    `beside` are values that no octet of the message shows, but that follow from it and from what the user knows:
    an encrypted parameter's plain value, a session's key, the policyDigest after a step.
    """

    __slots__ = ("beside", "children", "error", "name", "octets", "offset", "secret", "spec", "text", "type")

    def __init__(self, name: str, offset: int, octets: bytes = b"", type: str = "", text: str = "") -> None:
        self.name = name
        self.offset = offset
        self.octets = octets
        self.type = type
        self.text = text
        self.spec = ""
        self.secret = False
        self.error = ""
        self.beside: list[Node] = []
        self.children: list[Node] = []

    @property
    def size(self) -> int:
        """Octets."""
        return len(self.octets)

    def __repr__(self) -> str:
        # Without the octets: they may hold a password.
        return f"Node({self.name!r}, at {self.offset}, {self.size} octets, {len(self.children)} children)"
