"""Runs the checks. An unexpected error of a check is reported as a finding."""

from collections.abc import Iterator
from typing import NamedTuple

from ..terminal.messages import explain_error
from . import access, certificates, chip, clock, keys, lines, pcrs, server, system
from .finding import Finding, NoTpmError
from .machine import Machine
from .registry import CHECKS, Check

__all__ = ["TPM_CHECKS", "Result", "all_checks", "run_checks"]

_PARTS = (access, chip, lines, keys, certificates, pcrs, server, system, clock)
"""The modules with checks, in the order of the output."""

TPM_CHECKS = frozenset(each.name for each in CHECKS if each.find.__module__ in (access.__name__, chip.__name__))
"""The names of the checks of the TPM itself."""


class Result(NamedTuple):
    """A finding, and the name of its check."""

    check: str
    status: str
    text: str
    step: str


def all_checks() -> list[Check]:
    """Returns all checks, in the order of the output."""
    return [each for part in _PARTS for each in CHECKS if each.find.__module__ == part.__name__]


def run_checks(machine: Machine) -> Iterator[Result]:
    """Runs all checks in order, and yields their findings; the last finding lists skipped checks, if any."""
    skipped = []
    for each in all_checks():
        try:
            for found in _findings(each, machine):
                yield Result(each.name, *found)
        except NoTpmError:
            skipped.append(each.name)
    if skipped:
        yield Result(
            "skipped",
            "warning",
            f"not checked, because the TPM cannot be used: {', '.join(skipped)}",
            "correct the errors above, then run doctor again",
        )


def _findings(each: Check, machine: Machine) -> Iterator[Finding]:
    try:
        yield from each.find(machine)
    except NoTpmError:
        raise
    except Exception as error:  # noqa: BLE001 - a check must not hide the results of the others
        yield Finding.failure(
            f"the check failed: {explain_error(error)[1]}", "correct the cause, then run doctor again"
        )
