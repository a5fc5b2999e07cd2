"""The result type of all readers of files and texts: an interpretation of an input."""

from typing import NamedTuple

from .tree import Node

__all__ = ["Reading"]


class Reading(NamedTuple):
    """One interpretation of an input.

    `kind` is the type of the input as a noun phrase with an article: "a TPM2B_PUBLIC, as tpm2_create writes it".
    `trees` contains one explanation tree for each message or structure in the input.
    """

    kind: str
    trees: list[Node]
