"""Checkpoints: steps of enrolment and rotation after which a test can end a run."""

from collections.abc import Callable

__all__ = ["Checkpoint", "no_checkpoint"]

Checkpoint = Callable[[str], None]
"""Called with the name of each step when it is done."""


def no_checkpoint(_step: str) -> None:
    """Does nothing. Runs outside tests use this checkpoint."""
