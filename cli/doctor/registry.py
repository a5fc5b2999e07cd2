"""The registry of checks.

A check is a function that yields findings about a machine, with the decorator `register`. The check is named after
the function, and the function's docstring is its description in docs/doctor.md.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .finding import Finding
from .machine import Machine

__all__ = ["CHECKS", "Check", "register"]


class Check(NamedTuple):
    """A check: its name, its description, and the function that yields its findings."""

    name: str
    description: str
    find: Callable[[Machine], Iterator[Finding]]


CHECKS: list[Check] = []
"""All registered checks."""


def register(find: Callable[[Machine], Iterator[Finding]]) -> Callable[[Machine], Iterator[Finding]]:
    """Registers `find` as a check, and returns `find`. The function `check_ca_store` is the check ca-store."""
    name = find.__name__.removeprefix("check_").replace("_", "-")
    CHECKS.append(Check(name, " ".join((find.__doc__ or "").split()), find))
    return find
