"""Facts: values of a session, each with the sides that know it."""

from typing import NamedTuple

__all__ = ["ALL", "ENDS", "GROUPS", "Fact", "Knowledge"]

ALL, ENDS = "program TPM bus", "program TPM"
"""The sides that know a public value, and those that know a secret."""

GROUPS = {ENDS: "known only to the program and the TPM", ALL: "known to anyone who reads the bus"}
"""Titles for the facts of each group of sides."""


class Fact(NamedTuple):
    """A value that the program, the TPM or an observer of the bus knows.

    `value` is None if the recording and the given keys do not determine the value. `text` describes how the value
    is computed. `sides` names those who know the value: `program`, `TPM`, `bus`. `new` is true if the message adds
    the value. `wrong` is true if the value is an HMAC that is not valid.
    """

    name: str
    value: bytes | None
    text: str
    sides: str = ALL
    secret: bool = False
    new: bool = True
    wrong: bool = False

    def __repr__(self) -> str:
        return f"Fact({self.name!r})"  # without the value, which may be a secret


class Knowledge(NamedTuple):
    """The facts about a session after a message. `title` describes the session."""

    title: str
    facts: list[Fact]
