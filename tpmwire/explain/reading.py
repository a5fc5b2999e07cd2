"""What an input is, and its explanation: the result of each reader of files and texts."""

from typing import NamedTuple

from .tree import Node

__all__ = ["Reading"]


class Reading(NamedTuple):
    """One interpretation of an input.

    `kind` names what the input is, as a noun phrase with its article: "a TPM2B_PUBLIC, as tpm2_create writes it".
    `trees` has the explanation, one tree for each message or structure in the input.
    """

    kind: str
    trees: list[Node]
